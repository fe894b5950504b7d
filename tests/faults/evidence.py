"""What an experiment left behind: the log, what was decided, both changelogs, Intercom. Read once, then held against each other.

`differences` is empty where everything agrees: the acknowledged calls are in the log; decisions, commands and people equal a
calm replay of the log in this process; orders and carts equal what the sender's own calls add up to; Intercom shows what the
state says; nothing was flagged twice and no contact went back to an older revision.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from agents import desired, judge
from agents.desired import Contact
from agents.topic_plan import changelog
from contracts import commands, decisions, signals
from contracts.commands import Command
from contracts.decisions import Decision
from contracts.policy import Policy
from contracts.signals import Marked, Ruled, Tracked
from contracts.topics import COMMANDS, DECISIONS, SIGNALS
from rehearsal.demo_evidence import same
from streams import judgement, person
from streams.partition import Partition
from streams.person import Person
from tests.faults.scene import PARTITIONS, Scene, by_partition
from tests.faults.sender import Acknowledged, Expected
from tests.faults.showing import Write
from tests.live.stage import messages
from tests.streams.histories import People

SOON_MS = 60_000  # longer than the comparisons take; the policy has nothing between seconds and hours
LINES_MAX = 12  # of differences that are told


class Replay(NamedTuple):
    """A calm reading of one partition of the log."""

    thinking: Partition
    people: dict[str, bytes]
    decisions: list[Decision]
    commands: list[Command]


class Evidence(NamedTuple):
    replays: dict[int, Replay]
    decisions: dict[int, list[Decision]]
    commands: list[Command]
    people: dict[int, dict[str, bytes]]
    contacts: dict[str, Contact]
    shown: dict[str, dict[str, Any]]
    events: dict[str, list[Any]]
    writes: list[Write]
    acknowledged: list[Acknowledged]
    expected: dict[str, Expected]
    log_ids: Counter[str]
    stories: dict[
        str, list[str]
    ]  # by person: position, message, what, occurred and accepted ms, in the order of the log
    grown: int  # records of people that came to the log while the rest was read
    log_ms: int  # log time, as the wall would show it
    log_ahead_ms: int  # of the wall, where a clock is wrong
    at_ms: int


def gather(scene: Scene) -> Evidence:
    """Everything as it is now; the log first, and all else once the workers have committed that much of it."""
    log = [(m.partition(), m.offset(), signal) for m in read(scene, SIGNALS.name) if (signal := _signal(m.value()))]
    replays = {number: _replay(log, number, scene.policy) for number in range(PARTITIONS)}
    ends = {(SIGNALS.name, number): offset + 1 for number, offset, _ in log}
    scene.await_that(
        lambda: all(scene.committed(SIGNALS.name).get(tp, 0) >= end for tp, end in ends.items()),
        "the log as it was read is committed",
    )
    told: dict[int, list[Decision]] = defaultdict(list)
    for message in read(scene, DECISIONS.name):
        told[message.partition()].append(decisions.decode(message.value()))
    people = {
        number: {
            key.decode(): value[len(judge.PERSON_TAG) :] for key, value in held.items() if key != judge.CONTROL_KEY
        }
        for number, held in by_partition(scene.cluster.bootstrap, changelog("people")).items()
    }
    contacts = {
        key.decode(): desired.decode(value)
        for held in by_partition(scene.cluster.bootstrap, changelog("contacts")).values()
        for key, value in held.items()
    }
    held = scene.intercom.contacts()
    told_of_people = sum(1 for _, _, signal in log if not isinstance(signal, Marked))
    now_told = sum(
        1 for message in read(scene, SIGNALS.name) if not isinstance(_signal(message.value()), Marked | None)
    )
    return Evidence(
        replays=replays,
        decisions=told,
        commands=[commands.decode(message.value()) for message in read(scene, COMMANDS.name)],
        people=people,
        contacts=contacts,
        shown={key: dict(one.custom) for key, one in held.items()},
        events={key: list(one.events) for key, one in held.items()},
        writes=scene.intercom.writes,
        acknowledged=list(scene.sender.acknowledged),
        expected=scene.sender.expected(),
        log_ids=Counter(signal.id for _, _, signal in log if not isinstance(signal, Marked | Ruled)),
        stories=_stories(log),
        grown=now_told - told_of_people,
        log_ms=min((replay.thinking.control.marks.time_ms or 0 for replay in replays.values()), default=0)
        - scene.log_ahead_ms,
        log_ahead_ms=scene.log_ahead_ms,
        at_ms=time.time_ns() // 1_000_000,
    )


def _stories(log: list[tuple[int, int, signals.Signal]]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = defaultdict(list)
    for _, offset, signal in log:
        if isinstance(signal, Tracked):
            word = signal.event.removeprefix("Product ").removeprefix("Order ")
            told[signal.person].append(f"{offset}:{signal.id}:{word}:{signal.occurred_ms}/{signal.accepted_ms}")
    return told


def _signal(value: bytes) -> signals.Signal | None:
    try:
        return signals.decode(value)
    except msgspec.DecodeError:
        return None  # for the quarantine


def _person(value: bytes) -> bytes:
    record = judge.decode(value)
    assert isinstance(record, Person), "control has a key of its own"
    return person.encode(record)


def read(scene: Scene, topic: str) -> Iterable[Any]:
    return messages(scene.cluster.bootstrap, topic, PARTITIONS)


def _replay(log: list[tuple[int, int, signals.Signal]], number: int, policy: Policy) -> Replay:
    people = People()
    thinking = Partition(policy, people)
    told: list[Decision] = []
    ordered: list[Command] = []
    for partition, offset, signal in log:
        if partition == number:
            effects = thinking.take(signal, offset)
            told += effects.decisions
            ordered += effects.commands
    return Replay(thinking, dict(people.stored), told, ordered)


def unsettled(found: Evidence) -> list[str]:
    """What is still under way; nothing of it once the world is quiet."""
    last_ms = max((call.acknowledged_ms for call in found.acknowledged), default=0)
    lines = [] if found.log_ms > last_ms + 4_000 else [f"log time is {last_ms + 4_000 - found.log_ms} ms behind"]
    lines += [f"{found.grown} records came while the evidence was read"] if found.grown else []
    for replay in found.replays.values():
        soon_ms = (replay.thinking.control.marks.time_ms or 0) + SOON_MS
        people = [(key, person.decode(value)) for key, value in replay.people.items()]
        lines += [f"{key}: a signal waits for the marks" for key, one in people if one.pending]
        lines += [f"{key}: is due" for key, one in people if one.state and (one.state.due_ms or soon_ms) < soon_ms]
    lines += [f"{key}: a command waits" for key, record in found.contacts.items() if record.pending]
    return lines + _lacking(found)


def _lacking(found: Evidence) -> list[str]:
    newest = {command.person: command.revision for replay in found.replays.values() for command in replay.commands}
    return [
        f"{key}: revision {revision} has not reached the courier"
        for key, revision in newest.items()
        if key not in found.contacts or found.contacts[key].settled < revision
    ]


def differences(found: Evidence, policy: Policy) -> list[str]:
    lines = [
        *_lost(found),
        *_misjudged(found),
        *_miscounted(found),
        *_misordered(found),
        *_misshown(found, policy),
        *_twice(found),
        *_backwards(found),
    ]
    return some(lines)


def some(lines: list[str]) -> list[str]:
    """As many as anybody reads."""
    return lines[:LINES_MAX] + ([f"... and {len(lines) - LINES_MAX} more"] if len(lines) > LINES_MAX else [])


def apart(found: Evidence) -> int:
    """Decisions that only the calm replay or only the live run has, each once, or has otherwise."""
    count = 0
    for number, replay in found.replays.items():
        calm = {decision.id: decision for decision in replay.decisions}
        live = {decision.id: decision for decision in found.decisions.get(number, [])}
        count += sum(calm.get(name) != live.get(name) for name in calm.keys() | live.keys())
    return count


def _lost(found: Evidence) -> list[str]:
    ids = {call["messageId"] for call, _, _ in found.acknowledged}
    return [f"{one}: acknowledged and not in the log" for one in sorted(ids - found.log_ids.keys())]


def _misjudged(found: Evidence) -> list[str]:
    lines = []
    for number, replay in found.replays.items():
        calm, live = _each_once(replay.decisions), _each_once(found.decisions.get(number, []))
        if calm != live:
            lines += [f"{_named(one)}: only in the replay" for one in calm if one not in live]
            lines += [f"{_named(one)}: only live" for one in live if one not in calm]
            if not lines:
                lines = [f"partition {number}: the same decisions in another order"]
        for key in sorted(replay.people.keys() | found.people[number].keys()):
            calm_record, kept = replay.people.get(key), found.people[number].get(key)
            if calm_record != kept:
                lines.append(f"{key}: {_how(calm_record, kept)}")
    return lines


def _named(decision: Decision) -> str:
    return f"decision {decision.person} {decision.episode} {decision.outcome} {decision.reason}"


def _how(calm: bytes | None, kept: bytes | None) -> str:
    if calm is None or kept is None:
        return "no such person in the replay" if calm is None else "no such person in the changelog"
    one, other = person.decode(calm), person.decode(kept)
    fields = [name for name in Person.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    reached = f"at position {other.position}, the replay at {one.position}"
    return f"the changelog's record, {reached}, differs in {', '.join(fields) or 'its bytes'}"


def _each_once(told: Iterable[Decision]) -> list[Decision]:
    return list({decision.id: decision for decision in told}.values())


def _miscounted(found: Evidence) -> list[str]:
    """Against the sender's calls, added up without any of the product's thinking."""
    lines = []
    for key, expected in sorted(found.expected.items()):
        facts = next((r.thinking.facts(key, found.at_ms) for r in found.replays.values() if key in r.people), None)
        if facts is None:
            lines.append(f"{key}: sent calls and is not known")
            continue
        orders, cart = facts["lifetime_orders"], Decimal(str(facts["last_cart_value"] or 0))
        if orders != expected.orders:
            lines.append(f"{key}: {orders} orders, sent {expected.orders}")
        if cart != expected.cart:
            story = " ".join(found.stories[key])
            lines.append(f"{key}: a cart of {cart}, sent {expected.cart}; the log has {story}")
    return lines


def _misordered(found: Evidence) -> list[str]:
    """Every command that was written equals the replay's of that revision, and the newest is there."""
    calm = {(c.person, c.revision): c for replay in found.replays.values() for c in replay.commands}
    written = {(c.person, c.revision) for c in found.commands}
    lines = [
        f"{c.person} revision {c.revision}: ordered otherwise than in the replay"
        for c in found.commands
        if calm.get((c.person, c.revision)) != c
    ]
    return lines + [f"{key} revision {number}: never ordered" for key, number in sorted(calm.keys() - written)]


def _misshown(found: Evidence, policy: Policy) -> list[str]:
    lines = []
    newest = {c.person: c for replay in found.replays.values() for c in replay.commands}
    for key in sorted(newest.keys() | found.shown.keys()):
        replay = next(one for one in found.replays.values() if key in one.people)
        state = replay.thinking.state(key)
        assert state is not None, "whoever has a command has a state"
        current = judgement.active(state)
        name = current[0] if current is not None and current[2].arm == "assisted" else None
        shown = found.shown.get(key)
        if shown is None:
            lines += [f"{key}: in {name} by the state, no contact in Intercom"] if name else []
            continue
        flags = sorted(audience for audience in policy.audiences if shown.get(f"cio_segment_{audience}"))
        if flags != ([name] if name else []) or not same(name, shown.get("cio_moment")):
            lines.append(f"{key}: the state says {name}, Intercom shows {', '.join(flags) or 'nothing'}")
        if key in newest:
            lines += [
                f"{key}: {field} is to be {value!r}, shows {shown.get(field)!r}"
                for field, value in newest[key].attributes.items()
                if not same(value, shown.get(field))
            ]
    return lines


def _twice(found: Evidence) -> list[str]:
    begun = Counter(
        (decision.person, decision.episode)
        for told in found.decisions.values()
        for decision in _each_once(told)
        if decision.outcome == "activated"
    )
    lines = [f"{key} {episode}: activated {count} times" for (key, episode), count in begun.items() if count > 1]
    ordered = {
        (c.person, c.event.name, c.event.created_s) for r in found.replays.values() for c in r.commands if c.event
    }
    for key, events in found.events.items():
        strange = [one for one in events if (key, one["name"], one["created_at"]) not in ordered]
        lines += [f"{key}: the event {one['name']} was told and never ordered" for one in strange]
    return lines


def _backwards(found: Evidence) -> list[str]:
    """A contact shows revisions in their order only, as far as they can be told apart by what they show."""
    lines = []
    by_person: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for replay in found.replays.values():
        for command in sorted(replay.commands, key=lambda c: c.revision):
            by_person[command.person].append(contact_shows(command))
    reached: dict[str, int] = defaultdict(int)
    for write in found.writes:
        shows = {name: value for name, value in write.shown.items() if value or None}
        aims = by_person[write.person]
        index = next((i for i in range(reached[write.person], len(aims)) if aims[i] == shows), None)
        if index is None:
            old = any(aim == shows for aim in aims)
            lines.append(f"{write.person}: {'went back to an older revision' if old else 'shows what nobody ordered'}")
        else:
            reached[write.person] = index
    return lines


def contact_shows(command: Command) -> Mapping[str, Any]:
    return {name: value for name, value in command.attributes.items() if value or None}
