"""`concierge explain` of people whose stories are known, out of Kafka, an archive, decisions and calls; its exit codes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from agents import archivist
from agents.settings import read_settings
from contracts import commands, decisions, signals
from contracts.commands import Command
from contracts.decisions import Decision
from contracts.instant import to_rfc3339
from contracts.signals import Claimed, Delivered, Erased, Marked, PersonSignal, Ruled, Signal
from contracts.topics import COMMANDS, DECISIONS, SIGNALS
from rehearsal.broker import embedded_broker
from tests.console.test_setup import concierge
from tests.streams.histories import START_MS, Run, added, ordered, stamp

ADA, ADAS_EMAIL, BOB, CLEO, DORA, EVE = "id:ada", "email:ada@x.org", "id:bob", "id:cleo", "id:dora", "id:eve"
PARTITIONS = 4  # of the embedded broker
LATER = to_rfc3339(START_MS + 3 * 3_600_000)


class Production(Run):
    """What a worker leaves in its topics."""

    def __init__(self) -> None:
        super().__init__(arm=lambda key: "holdout" if key == CLEO else "assisted", outcomes=True)
        self.log: list[Signal] = []

    def take(self, signal: PersonSignal | Marked | Ruled) -> None:
        self.log.append(signal)
        super().take(signal)


def delivered(key: str, revision: int, at: str, *, episode: str | None = None, refusal: str | None = None) -> Delivered:
    outcome = "shown" if refusal is None else "refused"
    told = {**stamp(at, key, name=f"delivered:{key}:{revision}"), "revision": revision, "outcome": outcome}
    return Delivered(**told, reason=refusal, episode=episode)  # type: ignore[arg-type]


def claimed(key: str, owner: str, at: str) -> Claimed:
    return Claimed(owner=owner, **stamp(at, key, name=f"claim {key}"))  # type: ignore[arg-type]


CART = f"high_aov_abandoner@{to_rfc3339(START_MS)}"
HISTORY: list[PersonSignal] = [
    *(added("serum", 240, "0m", key=key) for key in (ADAS_EMAIL, BOB, CLEO, DORA)),
    claimed("anon:b-1", ADA, "1m"),
    delivered(ADAS_EMAIL, 1, "120m6s", episode=CART),
    delivered(BOB, 1, "120m7s", episode=CART, refusal="archived"),
    claimed(ADAS_EMAIL, ADA, "130m"),
    delivered(ADA, 1, "130m6s", episode=CART),
    ordered("o-1", 240, "150m", key=ADA),
    delivered(ADA, 2, "150m1s"),
    Erased(**stamp("140m", DORA, name="erase")),  # type: ignore[arg-type]
    delivered(DORA, 2, "140m2s"),
    added("cream", 20, "10m", key=EVE),
]


class Town:
    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.production = Production()
        self.production.play(HISTORY, until="170m")
        self.archive, self.backtest = folder / "archive", folder / "decisions.jsonl"
        self.environment = {
            "COLUMNS": "200", "CONCIERGE_KAFKA_BOOTSTRAP": bootstrap,
            "CONCIERGE_CLOCK": f"sim:{LATER}@{to_rfc3339(time.time_ns() // 1_000_000)}x1",
        }  # fmt: skip
        producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2"})
        for signal in self.production.log:
            if isinstance(signal, Marked | Ruled):
                for partition in range(PARTITIONS):
                    producer.produce(SIGNALS.name, signals.encode(signal), partition=partition)
            else:
                producer.produce(SIGNALS.name, signals.encode(signal), signal.person.encode())
        made: list[Decision] = self.production.decisions
        for decision in (*made, made[0]):  # as after a crash
            producer.produce(DECISIONS.name, decisions.encode(decision), decision.person.encode())
        for command in self.production.commands:
            assert isinstance(command, Command)
            producer.produce(COMMANDS.name, commands.encode(command), command.person.encode())
        producer.produce(SIGNALS.name, b'no signal, but it names "id:ada"', ADA.encode())
        assert producer.flush(15) == 0
        archivist.archive(read_settings(self.environment), self.archive)
        self.backtest.write_bytes(b"".join(decisions.encode(decision) + b"\n" for decision in made))

    def explain(self, *words: str) -> tuple[int, str, str]:
        return concierge(self.environment, "explain", *words)

    def story(self, *words: str) -> dict[str, Any]:
        code, told, complaint = self.explain(*words, "--json")
        assert code == 0, complaint
        return dict(json.loads(told))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with embedded_broker([SIGNALS.name, DECISIONS.name, COMMANDS.name]) as bootstrap:
        yield Town(bootstrap, tmp_path_factory.mktemp("explain"))


def at(minutes: float) -> str:
    return to_rfc3339(START_MS + round(minutes * 60_000))


def test_a_moment_is_told_with_the_sentence_of_intercom_the_values_and_since_when_it_is_shown(town: Town) -> None:
    code, told, _ = town.explain(ADAS_EMAIL, "--at", at(125))
    assert code == 0
    assert told.splitlines()[0] == (
        "In high_aov_abandoner since 2026-03-02 11:00 UTC until 21:00: Left a cart of 240.00 USD (serums) and has not come "
        "back to it. Shown in Intercom since 11:00."
    )
    assert "  11:00:00  activated high_aov_abandoner: it fits, and nothing holds it back (qualified)" in told
    assert "yes  cart_value > 150 (cart_value 240.00)" in told
    assert "  11:00:06  Intercom shows high_aov_abandoner; revision 1 of email:ada@x.org" in told


@pytest.mark.parametrize("named", [ADA, ADAS_EMAIL, "email:ADA@x.org ", "anon:b-1"])
def test_a_merged_person_has_one_story_under_every_key(town: Town, named: str) -> None:
    told = town.story(named)
    assert (told["person"], told["now"]) == (ADA, "out")
    assert {ADA, ADAS_EMAIL} <= set(told["keys"])
    assert [(one["person"], one["outcome"], one["reason"]) for one in told["decisions"]] == [
        (ADAS_EMAIL, "activated", "qualified"),
        (ADAS_EMAIL, "withdrawn", "moved"),
        (ADA, "activated", "qualified"),
        (ADA, "withdrawn", "purchased"),
    ]
    assert told["sentence"] == (
        "Not in any moment now. Last: high_aov_abandoner, 2026-03-02 11:00 UTC to 11:30, withdrawn: the person has bought. "
        "Intercom showed it from 11:00 to 11:30."
    )


def test_each_decision_knows_what_intercom_made_of_it(town: Town) -> None:
    told = town.story(ADA)
    heard = [one["intercom"] and (one["intercom"]["person"], one["intercom"]["revision"]) for one in told["decisions"]]
    assert heard == [(ADAS_EMAIL, 1), None, (ADA, 1), (ADA, 2)]
    assert [one["because"] is not None for one in told["decisions"]] == [True, False, True, False]


def test_a_refusal_is_named_in_the_sentence_and_beside_the_decision(town: Town) -> None:
    told = town.story(BOB)
    assert told["now"] == "in_moment"
    assert told["sentence"].endswith(
        " Intercom does not show it: the contact is archived there; restore it if that is wanted."
    )
    [decision] = told["decisions"]
    assert (decision["intercom"]["outcome"], decision["intercom"]["reason"]) == ("refused", "archived")
    assert "Intercom refused high_aov_abandoner: the contact is archived there" in town.explain(BOB)[1]


def test_what_intercom_has_not_answered_for_is_told_as_such(town: Town) -> None:
    assert town.story(BOB, "--at", at(120))["sentence"].endswith(" Intercom has not answered for it yet.")
    ended = town.story(ADA, "--at", at(150))["sentence"]
    assert ended.endswith(" Intercom shows it since 11:00 and has not answered yet for the end.")


def test_a_person_in_holdout_is_told_apart(town: Town) -> None:
    told = town.story(CLEO)
    assert told["now"] == "held_out"
    assert told["sentence"] == (
        "Held out of high_aov_abandoner since 2026-03-02 11:00 UTC, at most until 21:00: cart_value > 150 (cart_value 240.00). "
        "Intercom shows nothing of it."
    )
    assert town.story(CLEO, "--at", at(60 * 24))["now"] == "out"


def test_of_an_erased_person_only_the_erasure_is_told(town: Town) -> None:
    code, told, _ = town.explain(DORA)
    assert (code, told.splitlines()[0]) == (
        0,
        "Erased at 2026-03-02 11:20 UTC; what was known before is not told. Intercom was cleared at 2026-03-02 11:20 UTC.",
    )
    assert "activated" not in told and "240" not in told


def test_somebody_who_was_never_in_a_moment_is_known_and_a_stranger_is_not(town: Town) -> None:
    code, told, _ = town.explain(EVE)
    assert (code, told.splitlines()[0]) == (0, "Never in a moment: nothing was decided about this person.")
    assert town.explain("id:nobody")[:2] == (1, "Nothing is known of this person.\n")
    code, told, _ = town.explain("id:nobody", "--json")
    assert (code, json.loads(told)["now"]) == (1, "unknown")


@pytest.mark.parametrize("key", [ADA, BOB, CLEO, DORA, EVE])
def test_an_archive_tells_the_same_but_for_the_sentence_that_commands_alone_hold(town: Town, key: str) -> None:
    live, kept = town.story(key, "--at", at(170)), town.story(key, str(town.archive))
    assert kept["as_of"] == at(170), "the log's own time, not that of the machine"
    for one in live["decisions"]:
        one["because"] = None
    assert {**kept, "sentence": ""} == {**live, "sentence": ""}
    assert ("cart_value 240.00" in kept["sentence"]) == (key in (BOB, CLEO))


def test_decisions_alone_tell_what_was_decided_and_nothing_of_intercom(town: Town) -> None:
    told = town.story(BOB, str(town.backtest))
    assert [one["outcome"] for one in told["decisions"]] == ["activated"] and told["deliveries"] == []
    assert "Intercom" not in told["sentence"]
    assert town.explain("id:nobody", str(town.backtest))[0] == 1


CALLS = [
    {"type": "identify", "userId": "u9", "anonymousId": "b-9", "traits": {"email": "u9@x.org"}, "timestamp": at(0)},
    {
        "type": "track", "userId": "u9", "event": "Product Added", "timestamp": at(1), "messageId": "m\u001b[31m",
        "properties": {"product_id": "serum", "price": 240, "quantity": 1, "currency": "USD", "category": "serums"},
    },
    {"type": "track", "userId": "u9", "event": "Product Viewed", "timestamp": at(180), "properties": {"product_id": "x"}},
]  # fmt: skip


def test_a_history_of_calls_is_judged_by_the_policy_that_is_named(tmp_path: Path, town: Town) -> None:
    calls, strict = tmp_path / "events.jsonl", tmp_path / "strict.yaml"
    calls.write_text("".join(json.dumps(call) + "\n" for call in CALLS))
    shipped = (Path(__file__).parents[2] / "policies" / "skincare.yaml").read_text()
    strict.write_text(shipped.replace("cart_value: {above: 150}", "cart_value: {above: 300}"))
    told = town.story("email:u9@x.org", str(calls))
    assert (told["person"], told["now"], told["as_of"]) == ("id:u9", "in_moment", at(180))
    assert told["sentence"].endswith("Left a cart of 240.00 USD (serums) and has not come back to it.")
    absent = {one["audience"]: one["why"] for one in told["absent"]}
    assert "high_aov_abandoner" not in absent and (absent["winback_vip"], absent["shipping_friction"]) == (
        "anchor",
        "anchor",
    )
    assert town.story("anon:b-9", str(calls), "--policy", str(strict))["now"] == "never"
    early = town.story("id:u9", str(calls), "--at", at(60))
    [why] = [one for one in early["absent"] if one["audience"] == "high_aov_abandoner"]
    assert (early["now"], why["why"]) == ("never", "window")
    assert (
        "  high_aov_abandoner: its window was not open yet or over (open from 2026-03-02 11:01:00 to "
        in (town.explain("id:u9", str(calls), "--at", at(60))[1])
    )


def test_with_a_policy_the_log_itself_is_judged_anew(tmp_path: Path, town: Town) -> None:
    policy = Path(__file__).parents[2] / "policies" / "skincare.yaml"
    for source in ([], [str(town.archive)]):
        told = town.story(ADA, *source, "--policy", str(policy))
        assert [one["reason"] for one in told["decisions"]] == ["qualified", "moved", "qualified", "purchased"]
        assert told["deliveries"] == [], "a replay asks Intercom nothing"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ada@x.org"], "PERSON: a person is named as id:..., cio:..., email:... or anon:..., as in decisions"),
        (["id:ada", "--at", "later"], "--at: not an RFC 3339 instant"),
        (["id:ada", "--from", "monday"], "--from: not an RFC 3339 instant"),
        (["id:ada", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["id:ada", "kafka://nowhere"], "write kafka://HOST:PORT/TOPIC"),
        (["id:ada", "--policy", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        ([], "Missing argument 'PERSON'"),
    ],
)
def test_a_misuse_is_one_sentence_and_exit_2(town: Town, words: list[str], sentence: str) -> None:
    code, told, complaint = town.explain(*words)
    assert (code, told) == (2, "")
    assert sentence in complaint and len(complaint.splitlines()) == 1 and "ada@" not in complaint


def test_without_kafka_and_input_it_says_what_is_missing(town: Town) -> None:
    code, _, complaint = concierge({**town.environment, "CONCIERGE_KAFKA_BOOTSTRAP": ""}, "explain", ADA)
    assert code == 2 and "CONCIERGE_KAFKA_BOOTSTRAP: is not set" in complaint


def test_only_the_persons_own_partitions_are_read(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    from agents import kafka_log

    asked: list[tuple[str, frozenset[int]]] = []
    read = kafka_log.read

    def watched(settings: Any, topic: str, *, partitions: dict[int, Any], **more: Any) -> Any:
        asked.append((topic, frozenset(partitions)))
        return read(settings, topic, partitions=partitions, **more)

    monkeypatch.setattr(kafka_log, "read", watched)
    town.story(BOB)
    home = frozenset({kafka_log.home(BOB, PARTITIONS)})
    assert asked == [(SIGNALS.name, home), (DECISIONS.name, home), (COMMANDS.name, home)]


def test_what_a_terminal_would_act_on_is_left_out() -> None:
    from console.explain_text import text

    decision = msgspec.to_builtins(
        Decision(
            person=ADA, audience="a", episode=f"a@{at(0)}", outcome="activated", reason="qualified", at=at(0),
            occurred_at=at(0), expires_at=None, arm="assisted", tier="vip", cause="signal:m\u001b[31m", clauses=(),
            policy="p", id="1",
        )
    )  # fmt: skip
    told = {
        "now": "in_moment", "sentence": "In a.", "person": ADA, "keys": [ADA], "as_of": at(1), "from": None, "deliveries": [],
        "absent": [], "absent_refused": None,
        "decisions": [{**decision, "words": "w", "because": None, "intercom": None}],
    }  # fmt: skip
    whole = text(told, columns=None)
    assert "\u001b" not in whole and "message m[31m" in whole
    wrapped = text(told, columns=60)
    assert wrapped.split() == whole.split() and max(map(len, wrapped.splitlines())) <= 60 < max(
        map(len, whole.splitlines())
    )
    assert "\n              " in wrapped, "what goes on stands further in"
