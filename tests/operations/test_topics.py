"""`concierge topics` on a real Kafka, and the start that it guards: nothing is made unless it is asked for."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.kafka_topics import Unreachable, check_receiver, differences, make_missing, worker_sources
from agents.settings import Misconfigured, Settings, read_settings
from agents.topic_plan import CLEANUP, Found, compare, own_among, wanted
from contracts.topics import COMMANDS, OURS, QUARANTINE, SIGNALS, SOURCE_CUSTOMERIO, SOURCE_INTERCOM
from rehearsal.broker import embedded_broker
from tests.live.stage import COMMAND, await_until

PARTITIONS = 3
STATE = ("concierge-people-changelog", "concierge-contacts-changelog")
NAMES = {*(topic.name for topic in OURS), *STATE}


def environment(bootstrap: str, **more: str) -> dict[str, str]:
    return {
        "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_PARTITIONS": str(PARTITIONS), "CONCIERGE_REPLICATION": "1",
        **{f"CONCIERGE_{name.upper()}": value for name, value in more.items()},
    }  # fmt: skip


def concierge(settings: Mapping[str, str], *words: str) -> tuple[int, str, str]:
    done = subprocess.run([COMMAND, *words], env=settings, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def names(bootstrap: str) -> set[str]:
    return {
        name for name in AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=15).topics if name in NAMES
    }


def settle(futures: Mapping[object, object]) -> None:
    for future in futures.values():
        future.result(15)  # type: ignore[attr-defined]  # confluent_kafka has no types


@pytest.fixture
def bootstrap(kafka: str) -> str:
    admin = AdminClient({"bootstrap.servers": kafka})
    there = names(kafka)
    if there:
        settle(admin.delete_topics(list(there), operation_timeout=15))
        await_until(lambda: not names(kafka), seconds=15, what="no topic is left")
    return kafka


@pytest.mark.kafka
def test_looking_makes_nothing_and_says_no_and_applying_makes_everything(bootstrap: str, tmp_path: Path) -> None:
    settings = environment(bootstrap)
    code, told, _ = concierge(settings, "topics")
    assert code == 1 and "breaks: signals is missing; `concierge topics --apply` mends it" in told
    assert names(bootstrap) == set()
    code, _, refused = concierge(settings | {"CONCIERGE_DATA_DIR": str(tmp_path / "state")}, "work")
    assert code == 2 and "signals is missing" in refused and "concierge topics --apply" in refused
    code, _, refused = concierge(settings | {"CONCIERGE_CUSTOMERIO_PIPELINES_OPEN": "true"}, "receive")
    assert code == 2 and "sources.customerio is missing" in refused and "signals" not in refused
    assert names(bootstrap) == set()
    code, told, _ = concierge(settings, "topics", "--apply", "--json")
    assert code == 0
    assert {one["topic"] for one in json.loads(told)["applied"]} == NAMES and json.loads(told)["differences"] == []
    assert names(bootstrap) == NAMES
    assert concierge(settings, "topics") == (0, "The topics are as they have to be.\n", "")
    assert worker_sources(read_settings(settings)) == {"sources.customerio": PARTITIONS, "sources.intercom": PARTITIONS}
    check_receiver(read_settings(settings))


@pytest.mark.kafka
def test_a_setting_that_differs_is_mended_and_one_that_loses_state_forbids_the_start(bootstrap: str) -> None:
    settings = read_settings(environment(bootstrap))
    admin = AdminClient({"bootstrap.servers": bootstrap})
    make_missing(settings)
    planted = {SIGNALS.name: ("retention.ms", "1000000"), STATE[0]: (CLEANUP, "delete")}
    settle(admin.incremental_alter_configs([
        ConfigResource(ResourceType.TOPIC, name, incremental_configs=[
            ConfigEntry(what, value, incremental_operation=AlterConfigOpType.SET)
        ]) for name, (what, value) in planted.items()
    ]))  # fmt: skip
    expected = [(SIGNALS.name, "retention.ms", "1000000", False), (STATE[0], CLEANUP, "delete", True)]
    await_until(
        lambda: [(one.topic, one.what, one.found, one.breaks) for one in differences(settings)] == expected,
        seconds=15, what="both differences are shown",
    )  # fmt: skip
    with pytest.raises(Misconfigured, match=rf"{STATE[0]} has cleanup.policy delete and needs compact.*topics --apply"):
        worker_sources(settings)
    assert concierge(environment(bootstrap), "topics", "--apply")[0] == 0
    assert differences(settings) == []
    worker_sources(settings)


@pytest.mark.kafka
def test_a_wrong_number_of_partitions_is_told_and_never_changed(bootstrap: str) -> None:
    settings = environment(bootstrap)
    make_missing(read_settings(settings))
    for verb in ("topics", "topics --apply"):
        code, told, _ = concierge(settings | {"CONCIERGE_PARTITIONS": "7"}, *verb.split())
        assert code == 1 and "signals has partitions 3 and needs 7; no record may be in it" in told
    code, _, refused = concierge(settings | {"CONCIERGE_PARTITIONS": "7"}, "work")
    assert code == 2 and "partitions 3 and needs 7" in refused
    code, _, refused = concierge(settings | {"CONCIERGE_REPLICATION": "3"}, "topics")
    assert code == 1
    with pytest.raises(Misconfigured, match=r"no topic their\.events"):
        worker_sources(read_settings(environment(bootstrap, source_topics="their.events")))


@pytest.mark.kafka
def test_more_replicas_than_brokers_is_told_in_a_sentence(bootstrap: str) -> None:
    code, _, refused = concierge(environment(bootstrap) | {"CONCIERGE_REPLICATION": "3"}, "topics", "--apply")
    assert (
        code == 2 and "CONCIERGE_REPLICATION" in refused and "fewer brokers" in refused and "Traceback" not in refused
    )


def test_more_partitions_are_welcome_where_keys_do_not_matter_and_only_there() -> None:
    planned = wanted(Settings(kafka_bootstrap="b:1", partitions=4))
    for name in NAMES:
        there = {topic.name: Found(8 if topic.name == name else 4, 3, topic.configuration) for topic in planned}
        free = name in (SOURCE_CUSTOMERIO.name, SOURCE_INTERCOM.name, QUARANTINE.name)
        assert [one.topic for one in compare(planned, there)] == ([] if free else [name])


def test_every_kind_of_difference_is_found() -> None:
    planned = wanted(Settings(kafka_bootstrap="b:1", partitions=4))
    held = {topic.name: Found(4, 3, topic.configuration) for topic in planned}
    assert compare(planned, held) == []
    configuration = held[COMMANDS.name].configuration
    assert configuration is not None
    planted = {
        "topic": None,
        "partitions": Found(5, 3, configuration),
        "replication": Found(4, 2, configuration),
        CLEANUP: Found(4, 3, {**configuration, CLEANUP: "compact"}),
        "retention.ms": Found(4, 3, {**configuration, "retention.ms": "1"}),
        "min.insync.replicas": Found(4, 3, {**configuration, "min.insync.replicas": "1"}),
    }
    for what, found in planted.items():
        there = {name: one for name, one in (held | {COMMANDS.name: found}).items() if one is not None}
        (difference,) = compare(planned, there)
        assert (difference.topic, difference.what) == (COMMANDS.name, what)
        assert difference.breaks == (what in ("topic", "partitions", CLEANUP))


def test_topics_of_the_contract_are_kept_as_the_contract_says() -> None:
    by_name = {topic.name: topic for topic in wanted(Settings(kafka_bootstrap="b:1"))}
    assert set(by_name) == NAMES
    assert by_name[SIGNALS.name].configuration == {
        CLEANUP: "delete", "retention.ms": str(400 * 24 * 3600 * 1000), "min.insync.replicas": "2",
    }  # fmt: skip
    assert all(by_name[name].configuration[CLEANUP] == "compact" for name in STATE)
    assert {(topic.partitions, topic.replication) for topic in by_name.values()} == {(8, 3)}


def test_sources_get_no_more_partitions_than_their_marks_are_worth() -> None:
    """Every source partition is marked in each partition of the log, so the product of both counts is what is written."""
    planned = {topic.name: topic.partitions for topic in wanted(Settings(kafka_bootstrap="b:1", partitions=128))}
    assert (planned[SOURCE_CUSTOMERIO.name], planned[SOURCE_INTERCOM.name]) == (32, 8)
    assert {partitions for name, partitions in planned.items() if not name.startswith("sources.")} == {128}


def test_the_embedded_broker_has_topics_without_configuration() -> None:
    with embedded_broker(NAMES) as address:
        settings = read_settings(environment(address, partitions="4"))
        assert differences(settings) == []
        assert differences(read_settings(environment(address, partitions="7")))


@pytest.mark.parametrize("own", [SIGNALS.name, QUARANTINE.name, *STATE, "concierge-untold-changelog"])
def test_what_concierge_writes_itself_is_no_source(own: str) -> None:
    settings = read_settings(environment("127.0.0.1:9", source_topics=f"their.events,{own}"))
    with pytest.raises(
        Misconfigured, match=rf"CONCIERGE_SOURCE_TOPICS: {own} is written by Concierge itself; remove it"
    ):
        worker_sources(settings)
    assert own_among(["their.events", SOURCE_CUSTOMERIO.name, SOURCE_INTERCOM.name]) == []


def test_a_broker_that_is_not_there_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.kafka_topics.ANSWER_SECONDS_MAX", 0.5)
    for asked in (worker_sources, check_receiver, differences, make_missing):
        with pytest.raises(Unreachable, match="CONCIERGE_KAFKA_BOOTSTRAP"):
            asked(read_settings(environment("127.0.0.1:9")))


def test_what_is_no_fault_of_reaching_kafka_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(admin: object) -> dict[str, Found]:
        raise RuntimeError("a defect")

    monkeypatch.setattr("agents.kafka_topics._found", broken)
    with pytest.raises(RuntimeError, match="a defect"), embedded_broker([]) as address:
        differences(read_settings(environment(address)))
