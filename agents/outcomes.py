"""What the log hears of the courier's work: how a command ended, and conversations that Intercom showed."""

from collections.abc import Iterable

from agents.intercom import Known
from contracts.commands import Command
from contracts.signals import Conversed, Delivered

READ = "read"  # the topic of a conversation that no webhook told
SHOWN_BUT = "event_"  # before the reason for which Intercom refused the event of a contact that shows its moment


def outcome(command: Command, refusal: str | None, known: Known, now_ms: int) -> Delivered:
    """The signal of an outcome; its id is the same for every repeat, so that it counts once.

    A moment that is shown counts as shown also where its event was refused; the reason then says so.
    """
    event = command.event
    unheard = refusal is None and event is not None and known.event == (event.name, event.created_s)
    reason = f"{SHOWN_BUT}{known.event_refusal}" if unheard and known.event_refusal else refusal
    return Delivered(
        person=command.person,
        id=f"delivered:{command.person}:{command.revision}",
        occurred_ms=now_ms,
        accepted_ms=now_ms,
        revision=command.revision,
        outcome="shown" if refusal is None else "refused",
        reason=reason,
        episode=command.episode,
    )


def talked(person: str, conversations: Iterable[tuple[str, int]], now_ms: int) -> list[Conversed]:
    """conversations: (id, last touched in unix seconds), open ones. The same word has the same id, so that it counts once."""
    return [_read(person, conversation, at_s, now_ms, is_open=True) for conversation, at_s in conversations]


def closed(person: str, conversations: Iterable[tuple[str, int]], now_ms: int) -> list[Conversed]:
    """conversations: (id, closed at, in unix seconds)."""
    return [_read(person, conversation, at_s, now_ms, is_open=False) for conversation, at_s in conversations]


def _read(person: str, conversation: str, at_s: int, now_ms: int, *, is_open: bool) -> Conversed:
    return Conversed(
        person=person, id=f"{READ}:{conversation}:{at_s}{'' if is_open else ':closed'}", conversation=conversation,
        occurred_ms=min(at_s * 1000, now_ms), accepted_ms=now_ms, open=is_open, topic=READ,
    )  # fmt: skip


def counted_as(refusal: str | None) -> str:
    """A closed set: a refusal's reason is Intercom's own word, of which there may be any number."""
    return "shown" if refusal is None else "expired" if refusal == "expired" else "refused"
