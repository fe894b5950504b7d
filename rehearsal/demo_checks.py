"""The demo's summary: what must hold, each with the numbers that show it. Every check can fail, and says where.

Pure: evidence in, checks out. A run in which nothing interesting happened is void, not green.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.commands import Command
from contracts.decisions import Decision
from contracts.instant import SECOND_MS, to_rfc3339
from contracts.policy import Policy
from rehearsal.demo_evidence import Comparison, Episode, Evidence, Flag, same
from rehearsal.demo_shopper import Sent

NUDGE_WALL_MS_MAX = 2_000  # the stated delay: a nudge on its way may still appear so long after a purchase was accepted
CLEARED_WALL_MS_MAX = 5_000  # a flag that a purchase takes back is gone by then; the usual time is far below
HOLD_WALL_MS = 3_000  # Intercom must equal the decisions for so long, not for one lucky moment
LINES_MAX = 5  # differing lines that are shown of one check


class Check(NamedTuple):
    """said: the numbers. lines: what differs, person by person; empty where it holds."""

    name: str
    held: bool
    said: str
    lines: tuple[str, ...] = ()


class Cleared(NamedTuple):
    """A purchase, the episode that stood at that moment, and whether the purchase ended it."""

    order: Sent
    accepted_ms: int
    episode: Episode
    by_purchase: bool


def summary(evidence: Evidence) -> list[Check]:
    """All checks, in the order in which they are printed."""
    cleared = purchases_on_episodes(evidence)
    return [
        something_happened(evidence, cleared),
        everything_arrived(evidence),
        purchases_cleared(cleared),
        cleared_fast(evidence, cleared),
        no_nudge_after_purchase(evidence),
        flagged_once(evidence),
        intercom_equals_decisions(evidence.comparisons, moments=len(evidence.in_a_moment())),
        quarantine_exact(evidence),
        duplicates_counted_once(evidence),
    ]


def ends_by_purchase(policy: Policy) -> frozenset[str]:
    """Audiences that a purchase takes back."""
    return frozenset(
        name
        for name, held in policy.audiences.items()
        if held.kind == "rescue" and "purchased" not in held.not_stopped_by
    )


def purchases_on_episodes(evidence: Evidence) -> list[Cleared]:
    """Every purchase with every episode that was active when the receiver took it."""
    rescue = ends_by_purchase(evidence.policy)
    by_person: dict[str, list[Episode]] = {}
    for (person, _), episode in evidence.episodes.items():
        if episode.activated.audience in rescue:
            by_person.setdefault(person, []).append(episode)
    causes: dict[str, set[str]] = {}
    for sent in evidence.sent.values():
        if sent.order:
            causes.setdefault(sent.order, set()).add(f"signal:{sent.message}")
    found = []
    for order, accepted_ms in first_orders(evidence):
        for episode in by_person.get(order.person, ()):
            until_ms = episode.until_ms
            if episode.from_ms <= accepted_ms and (until_ms is None or until_ms >= accepted_ms):
                end = episode.withdrawn
                by = end is not None and end.reason == "purchased" and end.cause in causes[order.order]
                found.append(Cleared(order, accepted_ms, episode, by))
    return found


def first_orders(evidence: Evidence) -> list[tuple[Sent, int]]:
    """(message, when it was accepted) of the first event of each order of the day that the log holds."""
    first: dict[str, tuple[Sent, int]] = {}
    for sent in evidence.sent.values():
        accepted_ms = evidence.accepted_ms.get(sent.message)
        if sent.kind not in ("order", "order_again") or sent.past or accepted_ms is None:
            continue
        if sent.order not in first or accepted_ms < first[sent.order][1]:
            first[sent.order] = (sent, accepted_ms)
    return list(first.values())


def something_happened(evidence: Evidence, cleared: list[Cleared]) -> Check:
    activated, shown = len(evidence.episodes), len(evidence.flags)
    ended = sum(one.by_purchase for one in cleared)
    wanting = [
        what
        for what, count in (
            ("nobody was in a moment", activated),
            ("Intercom never showed a flag", shown),
            ("no purchase took a flag back", ended),
            ("no message came twice", evidence.acknowledged["duplicate"]),
        )
        if not count
    ]
    said = f"{activated} moments, {shown} shown, {ended} ended by a purchase"
    return Check("something happened", not wanting, said, tuple(wanting))


def everything_arrived(evidence: Evidence) -> Check:
    """What the receiver acknowledged is in the log."""
    readable = [sent for sent in evidence.sent.values() if sent.kind != "unreadable"]
    lost = [f"{sent.person} {sent.message}" for sent in readable if sent.message not in evidence.in_log]
    lines = tuple(f"acknowledged and not in the log: {line}" for line in lost) + tuple(
        f"refused: {line}" for line in evidence.refused
    )
    said = f"{sum(evidence.acknowledged.values()):,} messages, {len(lost)} missing"
    if evidence.unsent:
        said += f"; {evidence.unsent:,} were not sent, the machine is too slow"
    return Check("what was acknowledged is in the log", not lines, said, lines)


def purchases_cleared(cleared: list[Cleared]) -> Check:
    lines = tuple(
        f"{one.order.person} bought at {to_rfc3339(one.accepted_ms)}; {one.episode.activated.episode} "
        f"{_end(one.episode.withdrawn)}"
        for one in cleared
        if not one.by_purchase
    )
    said = f"{len(cleared) - len(lines)} of {len(cleared)} that stood at a purchase"
    return Check("every purchase cleared its flag", not lines, said, lines)


def cleared_fast(evidence: Evidence, cleared: list[Cleared]) -> Check:
    """From the receiver's acceptance of the purchase until Intercom shows false, on the wall."""
    took: list[int] = []
    lines: list[str] = []
    overtaken = 0
    for one in cleared:
        flag = _flag_of(evidence, one.episode)
        if flag is None:
            overtaken += 1
            continue
        off_ms = flag.off_wall_ms
        waited = None if off_ms is None else max(0, off_ms - evidence.taken_wall_ms(one.order))
        if waited is None or waited > CLEARED_WALL_MS_MAX:
            lines.append(f"{one.order.person} {one.episode.activated.audience}: {waited or 'still shown'}")
        if waited is not None:
            took.append(waited)
    times = f"p50 {quantile(took, 0.5)}, p99 {quantile(took, 0.99)}, max {max(took, default=0)} ms"
    return Check("taken back at once", not lines, f"{times}; {overtaken} nudges overtaken", tuple(lines))


def no_nudge_after_purchase(evidence: Evidence) -> Check:
    """No flag that a purchase ends comes on later than the stated delay after a purchase of that person."""
    rescue = ends_by_purchase(evidence.policy)
    bought: dict[str, list[int]] = {}
    for order, accepted_ms in first_orders(evidence):
        bought.setdefault(order.person, []).append(accepted_ms)
    spans_ms = evidence.policy.stops.purchased
    inside, lines = 0, []
    for flag in evidence.flags:
        if flag.audience not in rescue:
            continue
        for accepted_ms in bought.get(flag.person, ()):
            late_ms = flag.on_wall_ms - evidence.wall_ms(accepted_ms)
            lasts_ms = evidence.wall_ms(accepted_ms + spans_ms) - evidence.wall_ms(accepted_ms)
            inside += 0 < late_ms <= NUDGE_WALL_MS_MAX
            if NUDGE_WALL_MS_MAX < late_ms < lasts_ms:
                lines.append(f"{flag.person} {flag.audience}: shown {late_ms} ms after the purchase")
    for (person, _), episode in evidence.episodes.items():
        if episode.activated.audience not in rescue or episode.activated.arm != "assisted":
            continue
        for accepted_ms in bought.get(person, ()):
            if accepted_ms < episode.from_ms < accepted_ms + spans_ms:
                lines.append(f"{person} {episode.activated.episode}: decided after the purchase")
    said = f"{len(lines)} beyond the stated {NUDGE_WALL_MS_MAX / SECOND_MS:g} s, {inside} within it"
    return Check("no nudge after a purchase", not lines, said, tuple(lines))


def flagged_once(evidence: Evidence) -> Check:
    said = f"{len(evidence.episodes)} episodes, {len(evidence.twice)} activated twice"
    return Check("each moment is flagged once", not evidence.twice, said, tuple(evidence.twice))


def intercom_equals_decisions(comparisons: list[Comparison], *, moments: int) -> Check:
    """The last comparisons, over the whole hold, differ nowhere; and in one of them nobody was left out."""
    name = "Intercom shows what the decisions say"
    lines = tuple(line for one in comparisons for line in one.differing)
    held_ms = comparisons[-1].wall_ms - comparisons[0].wall_ms if comparisons else 0
    compared = max((one.compared for one in comparisons), default=0)
    complete = any(one.unsettled == 0 for one in comparisons)
    if not complete:
        lines += ("no comparison in which everybody had settled",)
    if held_ms < HOLD_WALL_MS:
        lines += (f"compared over {held_ms} ms only",)
    said = f"{compared} contacts, {len(comparisons)} times over {held_ms / 1000:.1f} s; {moments} moments"
    return Check(name, not lines and compared > 0, said, tuple(dict.fromkeys(lines)))


def quarantine_exact(evidence: Evidence) -> Check:
    sent = evidence.acknowledged["unreadable"]
    said = f"{evidence.quarantined} in quarantine, {sent} sent"
    held = evidence.quarantined == sent
    return Check("unreadable bodies are in quarantine", held, said, () if held else (said,))


def duplicates_counted_once(evidence: Evidence) -> Check:
    """`lifetime_orders` of every command against a count over the shop's own books, which know no duplicates."""
    by_person: dict[str, list[Sent]] = {}
    for sent in evidence.sent.values():
        if sent.order and sent.message in evidence.accepted_ms:
            by_person.setdefault(sent.person, []).append(sent)
    repeated = {sent.person for sent in evidence.sent.values() if sent.order and evidence.in_log[sent.message] > 1}
    lines, compared, with_repeat = [], 0, 0
    for person, told in evidence.commands.items():
        for command in told:
            counted = _orders_by(by_person.get(person, ()), command, evidence.accepted_ms)
            said = command.attributes.get("lifetime_orders")
            compared += 1
            with_repeat += person in repeated
            if not same(counted, said):
                lines.append(f"{person} revision {command.revision}: {said} orders said, {counted} made")
    if not with_repeat:
        lines.append("void: nobody whose order came twice was written about")
    twice = sum(count > 1 for count in evidence.in_log.values())
    return Check(
        "duplicates count once",
        not lines,
        f"{twice} came twice; orders exact in {compared} commands",
        tuple(lines),
    )


def quantile(values: Iterable[int], share: float) -> int:
    """The smallest value that at least `share` of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0


def _flag_of(evidence: Evidence, episode: Episode) -> Flag | None:
    """The flag by which Intercom showed an episode; None where it never did."""
    begun, ended = episode.activated, episode.until_ms
    from_ms = evidence.wall_ms(episode.from_ms)
    found = [
        flag
        for flag in evidence.flags
        if flag.person == begun.person and flag.audience == begun.audience and flag.on_wall_ms >= from_ms
        and (ended is None or flag.on_wall_ms <= evidence.wall_ms(ended) + NUDGE_WALL_MS_MAX)
    ]  # fmt: skip
    return found[-1] if found else None


def _orders_by(sent: Iterable[Sent], command: Command, accepted_ms: Mapping[str, int]) -> int:
    """Orders that stand at the command's decision: neither cancelled nor fully refunded."""
    made: set[str] = set()
    undone: set[str] = set()
    for one in sent:
        if accepted_ms[one.message] > command.decided_ms:
            continue
        if one.kind in ("order", "order_again"):
            made.add(one.order)
        elif one.kind in ("cancel", "refund"):
            undone.add(one.order)
    return len(made - undone)


def _end(withdrawn: Decision | None) -> str:
    return (
        "still stands" if withdrawn is None else f"ended with {withdrawn.reason} at {withdrawn.at} by {withdrawn.cause}"
    )
