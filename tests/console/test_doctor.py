"""`concierge doctor` against a rehearsed Intercom and an embedded Kafka: what it finds, what it asks for, its exit codes."""

import json
import time
from collections.abc import Iterator

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Producer

from agents import desired
from agents.desired import Contact
from agents.kafka_contacts import Chosen
from agents.topic_plan import changelog
from console.doctor import _same
from console.policy import shipped
from contracts import commands, instant
from contracts.commands import Command
from contracts.topics import COMMANDS
from rehearsal.broker import EMBEDDED_PARTITIONS, embedded_broker
from rehearsal.intercom import intercom_app
from rehearsal.intercom_workspace import Workspace
from tests.console.test_setup import MANIFEST, TOKEN, concierge
from tests.intercom.scene import EXPIRES_S, FLAG, START_MS, activation, withdrawal
from tests.intercom.serving import served
from tests.live.stage import messages

CONTACTS = changelog("contacts")


def settled(command: Command) -> Contact:
    return desired.settled(desired.desire(Contact(), command, START_MS), command.revision, None)


class Ward:
    """Five people in a moment; the newest command of one waits in its topic alone."""

    faults: list[int]  # what Intercom answers instead, to the next requests

    def __init__(self, bootstrap: str, workspace: Workspace, address: str) -> None:
        self.bootstrap = bootstrap
        self.workspace = workspace
        self.environment = {
            "COLUMNS": "200", "CONCIERGE_INTERCOM_TOKEN": TOKEN, "CONCIERGE_INTERCOM_URL": address,
            "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap, "CONCIERGE_POLICY_FILE": str(shipped()),
            "CONCIERGE_CLOCK": f"sim:{instant.to_rfc3339(START_MS)}@{instant.to_rfc3339(time.time_ns() // 1_000_000)}x1",
        }  # fmt: skip
        producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2"})
        for number in range(5):
            command = activation(person=f"id:{number}")
            workspace.create({"external_id": str(number), "custom_attributes": shown_of(command)})
            producer.produce(CONTACTS, desired.encode(settled(command)), command.person.encode())
        producer.produce(COMMANDS.name, commands.encode(withdrawal(2, "id:4")), b"id:4")
        producer.produce(COMMANDS.name, b"no command", b"id:4")
        gone = Contact(revision=3, settled=3, erased=True)
        producer.produce(CONTACTS, desired.encode(gone), b"id:erased")
        assert producer.flush(15) == 0

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        return concierge(self.environment | environment, "doctor", *words, "--hold", "0")

    def edit(self, external_id: str, **attributes: object) -> None:
        contact = self.workspace.by_external_id(external_id)
        assert contact is not None
        self.workspace.update(contact.id, {"custom_attributes": attributes})

    def asked(self) -> list[tuple[int, Command]]:
        found = messages(self.bootstrap, COMMANDS.name, EMBEDDED_PARTITIONS)
        read = [(one.partition(), commands.decode(one.value())) for one in found if one.value() != b"no command"]
        return [(partition, command) for partition, command in read if command.again]


def shown_of(command: Command) -> dict[str, object]:
    return {name: value for name, value in command.attributes.items() if value is not None}


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    workspace = Workspace(now_ms=lambda: START_MS, search_lag_ms=0, attributes=MANIFEST)
    faults: list[int] = []
    app = intercom_app(workspace, token=TOKEN, faults=lambda number, method, path: faults.pop(0) if faults else None)
    with embedded_broker([CONTACTS, COMMANDS.name]) as bootstrap, served(app) as address:
        made = Ward(bootstrap, workspace, address)
        made.faults = faults
        yield made


def test_where_all_agree_it_is_fine_and_what_waits_is_counted(ward: Ward) -> None:
    code, told, _ = ward.run("--seed", "7")
    assert (code, told) == (0, "0 of 5 contacts differ, 1 waited for the courier (seed 7).\n")


def test_an_edited_flag_is_found_and_told_with_both_values_and_mended_by_asking_the_courier(ward: Ward) -> None:
    ward.edit("2", **{FLAG: False})
    writes = [call for call in ward.workspace.requests if call[0] == "PUT"]
    code, told, _ = ward.run("--json")
    [drift] = json.loads(told)["drifts"]
    assert (code, drift["person"], drift["what"]) == (1, "id:2", "edited")
    assert drift["differs"] == {FLAG: {"state": True, "intercom": False}}
    assert ward.asked() == [], "nothing is asked for without --mend"
    code, told, _ = ward.run("id:2", "--mend")
    assert code == 1 and told.splitlines()[:2] == [
        "edited: id:2", "  cio_segment_high_aov_abandoner: Intercom shows false, the state says true",
    ]  # fmt: skip
    [(partition, command)] = ward.asked()
    assert command.person == "id:2" and command.revision == 1
    assert partition == (murmur2(b"id:2") & 0x7FFFFFFF) % EMBEDDED_PARTITIONS
    assert [call for call in ward.workspace.requests if call[0] == "PUT"] == writes, (
        "it never writes to Intercom itself"
    )
    ward.edit("2", **{FLAG: True})
    assert ward.run()[0] == 0


def test_a_contact_that_is_gone_is_told(ward: Ward) -> None:
    contact = ward.workspace.by_external_id("3")
    assert contact is not None
    ward.workspace.archive(contact.id, archived=True)
    before = len(ward.asked())
    code, told, _ = ward.run("id:3", "id:1", "--mend")
    assert code == 1 and told.startswith("missing: id:3") and "1 of 2 contacts differ" in told
    assert "was asked" not in told and len(ward.asked()) == before, "nobody brings back what somebody took away"
    ward.workspace.archive(contact.id, archived=False)


def test_what_differs_is_told_for_people_to_read_within_the_terminal(ward: Ward) -> None:
    ward.edit(
        "1", cio_moment_expires_at=EXPIRES_S + 60, cio_moment=None, last_cart_value=0.5, cio_moment_reason="x " * 70
    )
    code, told, _ = ward.run("id:1", "--seed", "s", COLUMNS="80")
    lines = told.splitlines()
    assert code == 1 and max(map(len, lines)) <= 80
    assert lines[0] == "edited: id:1"
    assert " ".join(told.split()).endswith(
        'cio_moment: Intercom shows nothing, the state says "high_aov_abandoner" '
        f'cio_moment_reason: Intercom shows "{"x " * 69}x ", the state says "Left a cart of 180.00" '
        "cio_moment_expires_at: Intercom shows 2026-03-02T19:01:00.000Z, the state says 2026-03-02T19:00:00.000Z "
        "last_cart_value: Intercom shows 0.5, the state says 180.0 1 of 1 contacts differ, 0 waited for the courier (seed s)."
    )
    ward.edit("1", **shown_of(activation()))
    assert ward.run("id:1")[0] == 0


def test_of_somebody_erased_it_says_so_and_looks_at_nobody(ward: Ward) -> None:
    calls = len([path for _, path, _ in ward.workspace.requests if path.startswith("/contacts")])
    code, told, _ = ward.run("id:erased")
    assert (code, told.splitlines()[-1]) == (0, "id:erased is erased, so that nothing is to be shown.")
    assert len([path for _, path, _ in ward.workspace.requests if path.startswith("/contacts")]) == calls


def test_attributes_that_do_not_fit_are_told_first(ward: Ward) -> None:
    ward.workspace.attributes["cio_tier"]["archived"] = True
    code, told, _ = ward.run("id:1")
    assert code == 1 and told.splitlines()[:2] == [
        "attribute cio_tier is archived in Intercom",
        "`concierge setup --check` says what helps; until then contacts cannot show what they should.",
    ]
    code, told, _ = ward.run("id:1", "--json")
    [unfit] = json.loads(told)["attributes"]
    assert (code, unfit["attribute"], unfit["what"]) == (1, "cio_tier", "archived")
    ward.workspace.attributes["cio_tier"]["archived"] = False


def test_an_intercom_that_has_no_time_is_asked_again(ward: Ward) -> None:
    ward.faults += [503]
    assert ward.run("id:1")[0] == 0
    assert ward.faults == []


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        (["id:nobody"], {}, "id:nobody: nothing was ever to be shown"),
        ([], {"CONCIERGE_INTERCOM_TOKEN": ""}, "CONCIERGE_INTERCOM_TOKEN: is not set"),
        ([], {"CONCIERGE_KAFKA_BOOTSTRAP": ""}, "CONCIERGE_KAFKA_BOOTSTRAP: is not set"),
        ([], {"CONCIERGE_INTERCOM_TOKEN": "another"}, "Intercom answered 401"),
        (["--sample", "0"], {}, "Invalid value for '--sample'"),
    ],
)
def test_a_misuse_is_one_sentence_and_exit_2(
    ward: Ward, words: list[str], environment: dict[str, str], sentence: str
) -> None:
    code, told, complaint = ward.run(*words, **environment)
    assert (code, told) == (2, "")
    assert sentence in complaint and len(complaint.splitlines()) == 1


def test_what_moved_between_the_two_looks_is_no_difference() -> None:
    before, after = {"id:1": Contact(revision=1)}, {"id:1": Contact(revision=2)}
    assert not _same(before, after, "id:1") and not _same(before, {}, "id:1")
    assert _same(before, before, "id:1")


def test_a_sample_is_drawn_fairly_repeats_by_its_seed_and_keeps_no_more() -> None:
    people = [f"id:{number}" for number in range(200)]
    counts = dict.fromkeys(people, 0)
    for seed in range(400):
        chosen = Chosen(count=20, seed=str(seed))
        for person in [*people, *reversed(people)]:
            if chosen.keeps(person):
                chosen.contacts[person] = Contact(revision=1)
            assert len(chosen.contacts) <= 20
        again = Chosen(count=20, seed=str(seed))
        for person in reversed(people):
            again.keeps(person)
        assert chosen.contacts.keys() == again.contacts.keys(), "the order of the records does not matter"
        for person in chosen.contacts:
            counts[person] += 1
    assert min(counts.values()) >= 12 and max(counts.values()) <= 75, "each is drawn 40 times in 400, give or take"
