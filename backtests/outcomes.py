"""Outcomes: whom the comparison is between, and what each of them bought after the moment that both arms meet.

A person's first decision in the span that activates them, or withholds only because they are held out, opens their window.
Beside it stands the intention to treat: everybody, whether or not a moment ever came. Who had keys in both arms leaves.
"""

from bisect import bisect_right
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from backtests.customers import UNKNOWN, WORTH, Group, group
from backtests.ledger import Found, Ledger
from backtests.purchases import Purchase, purchases
from contracts.decisions import Decision
from contracts.instant import from_rfc3339
from contracts.policy import Policy
from contracts.signals import Tracked
from streams.identity import CAME_ALONG

COLUMNS = (*WORTH, *(f"pre_{name}" for name in WORTH))


class OutcomesError(ValueError):
    """Decisions and history that do not belong together; `str()` says what to do."""


class Span(NamedTuple):
    """Triggers in [from_ms, to_ms) count; each opens a window of window_ms, and before_ms before it are looked at too."""

    from_ms: int
    to_ms: int
    window_ms: int
    before_ms: int


class Arm(NamedTuple):
    """people: keys in the order in which their windows closed; closed_ms: when."""

    people: tuple[str, ...]
    closed_ms: tuple[int, ...]
    group: Group

    def until(self, at_ms: int) -> Group:
        """Those whose windows were closed by then."""
        return self.group.first(bisect_right(self.closed_ms, at_ms))


class Outcomes(NamedTuple):
    """open: triggered people whose window goes on beyond the history. both_arms, gone: triggered and left out.

    chances: of each triggered person, how likely they were to be held out. valueless: orders of unknown value, taken as 0.
    written_to: held-out people to whom an agent wrote first, and whom Customer.io sent a message, within their window.
    """

    holdout: Arm
    assisted: Arm
    everybody: tuple[Group, Group]
    chances: tuple[float, ...]
    everybodys_chances: tuple[float, ...]
    triggered: int
    open: int
    both_arms: int
    gone: int
    valueless: int
    written_to: dict[str, int]
    end_ms: int


def outcomes(decisions: Iterable[Decision], ledger: Ledger, policy: Policy, span: Span) -> Outcomes:
    """After the ledger has seen the whole replay. OutcomesError where the decisions are of another history or policy."""
    end_ms = ledger.end_ms if ledger.end_ms is not None else span.to_ms
    triggers, both_arms, gone = _triggers(decisions, ledger, span)
    counted = _Counted(ledger, policy)
    closed = sorted(
        (at_ms + span.window_ms, key) for key, (at_ms, _) in triggers.items() if at_ms + span.window_ms <= end_ms
    )
    held = {key for key, (_, person) in triggers.items() if person.state.arm == "holdout"}
    arms = []
    for inside in (True, False):
        mine = [(at_ms, key) for at_ms, key in closed if (key in held) == inside]
        rows = [counted.row(key, at_ms - span.window_ms, at_ms, span.before_ms) for at_ms, key in mine]
        arms.append(Arm(tuple(key for _, key in mine), tuple(at_ms for at_ms, _ in mine), counted.group(rows)))
    everybody = [person for person in ledger.everybody() if person.state.in_lift and person.state.first_ms < span.to_ms]
    to_ms = min(span.to_ms, end_ms + 1)
    intended = tuple(
        counted.group(
            [
                counted.row(person.key, max(span.from_ms, person.state.first_ms), to_ms, 0)
                for person in everybody
                if person.state.arm == arm
            ]
        )
        for arm in ("holdout", "assisted")
    )
    return Outcomes(
        holdout=arms[0],
        assisted=arms[1],
        everybody=(intended[0], intended[1]),
        chances=tuple(_chance(ledger, key, policy) for _, key in closed),
        everybodys_chances=tuple(_chance(ledger, person.key, policy) for person in everybody),
        triggered=len(triggers),
        open=len(triggers) - len(closed),
        both_arms=both_arms,
        gone=gone,
        valueless=len(counted.valueless),
        written_to=_written_to(ledger, [(at_ms, key) for at_ms, key in closed if key in held], span),
        end_ms=end_ms,
    )


def _triggers(
    decisions: Iterable[Decision], ledger: Ledger, span: Span
) -> tuple[dict[str, tuple[int, Found]], int, int]:
    """The first instant per person; how many people had keys in both arms; how many are gone."""
    first: dict[str, tuple[int, Found]] = {}
    mixed: set[str] = set()
    erased: set[str] = set()
    for decision in decisions:
        at_ms = from_rfc3339(decision.at)
        if not (span.from_ms <= at_ms < span.to_ms and _opens(decision)):
            continue
        person = ledger.person(decision.person)
        if person is None:
            raise OutcomesError(
                "the decisions name people whom the history does not know; give the history they are of"
            )
        if person.state.erased:
            erased.add(person.key)
        elif not person.state.in_lift:
            mixed.add(person.key)
        elif decision.arm != person.state.arm:
            raise OutcomesError(
                "the decisions hold out other people than the policy would; give the policy that they were made with"
            )
        elif person.key not in first or at_ms < first[person.key][0]:
            first[person.key] = (at_ms, person)
    return first, len(mixed), len(erased)


def _opens(decision: Decision) -> bool:
    """An episode that came along with a weaker key began before; both arms meet the others alike."""
    activated = decision.outcome == "activated" and CAME_ALONG not in decision.clauses
    return activated or (decision.outcome == "withheld" and decision.reason == "holdout")


def _chance(ledger: Ledger, key: str, policy: Policy) -> float:
    """Of a person with k keys who stayed, all k fell into the one arm or all into the other."""
    keys, share = max(1, len(ledger.page(key).keys)), policy.holdout.share
    held, rest = share**keys, (1 - share) ** keys
    return held / (held + rest)


def _written_to(ledger: Ledger, held: list[tuple[int, str]], span: Span) -> dict[str, int]:
    people: dict[str, set[str]] = {"agent": set(), "message": set()}
    for end_ms, key in held:
        for at_ms, who in ledger.page(key).wrote:
            if end_ms - span.window_ms <= at_ms < end_ms:
                people[who].add(key)
    return {who: len(keys) for who, keys in people.items()}


class _Counted:
    """Rows of numbers from the ledger. valueless: the orders, as (person, instant), whose value is not known."""

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self.valueless: set[tuple[str, int]] = set()
        self._ledger, self._policy = ledger, policy
        self._discounts = any(deal.discount is not None for deal in ledger.deals())

    def row(self, key: str, from_ms: int, to_ms: int, before_ms: int) -> tuple[float, ...]:
        """The values of COLUMNS: of [from_ms, to_ms), and of the before_ms before it."""
        deals = self._ledger.page(key).deals
        if not deals:
            return (0.0,) * len(COLUMNS)
        now = [one for one in purchases(deals, self._policy, until_ms=to_ms) if one.at_ms >= from_ms]
        self.valueless.update((key, one.at_ms) for one in now if one.value is None)
        return self._sums(now) + self._sums(self._earlier(deals, from_ms, before_ms))

    def group(self, rows: list[tuple[float, ...]]) -> Group:
        return group(rows, columns=COLUMNS)

    def _earlier(self, deals: list[Tracked], from_ms: int, before_ms: int) -> list[Purchase]:
        if before_ms == 0:
            return []
        return [one for one in purchases(deals, self._policy, until_ms=from_ms) if one.at_ms >= from_ms - before_ms]

    def _sums(self, bought: list[Purchase]) -> tuple[float, ...]:
        """Orders, gross, discount, cost; where discounts are told at all, an order without one had none."""
        zero = Decimal(0)
        revenue = sum((one.value or zero for one in bought), zero)
        discount = sum((one.discount or zero for one in bought), zero)
        costs = [one.cost for one in bought]
        cost = UNKNOWN if None in costs else float(sum((one for one in costs if one is not None), zero))
        taken = float(discount) if self._discounts else (UNKNOWN if bought else 0.0)
        return float(len(bought)), float(revenue + discount), taken, cost
