"""Two records of one person become one: `absorb` takes the weaker key's state into the stronger's.

Facts are united by their own rules (newest wins, counts once); the earlier arm wins, and unequal arms leave the lift.
Sequence numbers of two records do not compare, so equal instants keep the order in which their numbers stand.
"""

from contracts.decisions import Arm
from contracts.policy import Policy
from contracts.policy_values import REMEMBERED_MAX
from streams.cart import forget
from streams.orders import CATEGORIES_MAX, arrange, find
from streams.person import (
    ACTIVATIONS_MAX,
    CONVERSATIONS_MAX,
    DELIVERIES_MAX,
    LINES_MAX,
    NOT_SEEN,
    SAID_MAX,
    SPENT_MAX,
    TRAITS_MAX,
    Cart,
    Delivery,
    Line,
    Moment,
    Order,
    Orders,
    Standing,
    State,
    newest,
)


def absorb(state: State, weaker: State, policy: Policy) -> None:
    """Unite the facts, the arm, the activations, and what was said of episodes. Active episodes: see judgement.merged."""
    seen(state, weaker.first_ms, weaker.arm)
    state.in_lift = state.in_lift and weaker.in_lift
    state.seq = max(state.seq, weaker.seq) + 1
    state.assisted = state.assisted or weaker.assisted
    for older, newer in ((state.cart, weaker.cart), (weaker.cart, state.cart)):
        if newer.touched is not None:
            forget(older, newer.touched, policy)
    _carts(state, weaker.cart)
    _orders(state.orders, weaker.orders, state.cart)
    _behaviour(state, weaker)
    _words(state, weaker)
    for name, theirs in weaker.standings.items():
        _standing(state.standings.setdefault(name, Standing()), theirs)
    state.activations = sorted(state.activations + weaker.activations, key=lambda a: a.at_ms)[-ACTIVATIONS_MAX:]


def seen(state: State, at_ms: int, arm: Arm) -> None:
    """The person was seen under a key of this arm: the earliest one's holds, and who had two leaves the lift.

    At one instant `assisted` is before `holdout`, whatever came first.
    """
    if at_ms == NOT_SEEN:
        return
    state.in_lift = state.in_lift and (state.first_ms == NOT_SEEN or state.arm == arm)
    if (at_ms, arm) < (state.first_ms, state.arm):
        state.first_ms, state.arm = at_ms, arm


def _carts(state: State, theirs: Cart) -> None:
    ours = state.cart
    resets = [reset for reset in (ours.reset, theirs.reset) if reset is not None]
    reset = max(resets) if resets else None
    lines = _left(ours.lines, theirs.reset)
    for key, line in _left(theirs.lines, ours.reset).items():
        known = lines.get(key)
        if known is None:
            lines[key] = line
            continue
        known.quantity += line.quantity
        if line.priced is not None and (known.priced is None or line.priced >= known.priced):
            known.price, known.currency, known.priced = line.price, line.currency, line.priced
        if line.categorized is not None and (known.categorized is None or line.categorized >= known.categorized):
            known.category, known.categorized = line.category, line.categorized
        if line.touched >= known.touched:
            known.name, known.touched = line.name, line.touched
    for key in sorted(lines, key=lambda key: lines[key].touched)[:-LINES_MAX]:
        del lines[key]
    ours.lines = lines
    stated = max(
        (c for c in (ours, theirs) if c.stated_at is not None), key=lambda c: c.stated_at or (0, 0), default=None
    )
    ours.changed = max((c for c in (ours.changed, theirs.changed) if c is not None), default=None)
    value = None
    if stated is not None and stated.stated_at is not None:
        stands = (ours.changed is None or stated.stated_at >= ours.changed) and (
            reset is None or stated.stated_at >= reset
        )
        value = (stated.stated, stated.stated_currency, stated.stated_at) if stands else None
    ours.stated, ours.stated_currency, ours.stated_at = value or (None, None, None)
    ours.reset = reset
    ours.touched = max((c for c in (ours.touched, theirs.touched) if c is not None), default=None)


def _left(lines: dict[str, Line], reset: Moment | None) -> dict[str, Line]:
    """What the other record's newest order or replacement leaves of these lines."""
    return {key: line for key, line in lines.items() if reset is None or line.touched >= reset}


def _orders(ours: Orders, theirs: Orders, cart: Cart) -> None:
    for order in theirs.recent:
        known = find(ours, order.id)
        if known is None:
            ours.recent.append(order)
        else:
            _same_order(known, order)
    ours.older_count += theirs.older_count
    ours.older_value += theirs.older_value
    ours.older_categories = tuple(dict.fromkeys(ours.older_categories + theirs.older_categories))[:CATEGORIES_MAX]
    arrange(ours)
    newest_order = max((order.at for order in ours.recent if order.at is not None), default=None)
    if newest_order is not None:
        cart.lines = {key: line for key, line in cart.lines.items() if line.touched >= newest_order}
        if cart.stated_at is not None and cart.stated_at < newest_order:
            cart.stated = cart.stated_currency = cart.stated_at = None


def _same_order(known: Order, order: Order) -> None:
    """Told to both keys: the one that occurred first counts; a value or lines that it lacks come from the other."""
    first = order if known.at is None or (order.at is not None and order.at < known.at) else known
    other = known if first is order else order
    at, value = first.at, first.value if first.value is not None else other.value
    lines = first if first.lined or not other.lined else other
    known.at, known.value, known.emptied = at, value, first.emptied or other.emptied
    known.lined, known.category, known.categories = lines.lined, lines.category, lines.categories
    known.refunded += order.refunded
    known.refund_ms = max(known.refund_ms or 0, order.refund_ms or 0) or None
    known.refund_named = known.refund_named or order.refund_named
    known.whole_ms = max(known.whole_ms or 0, order.whole_ms or 0) or None
    known.cancel_ms = max(known.cancel_ms or 0, order.cancel_ms or 0) or None


def _behaviour(state: State, weaker: State) -> None:
    for kind, moments in weaker.pages.items():
        for moment in moments:
            newest(state.pages.setdefault(kind, []), moment)
    for name, happenings in weaker.events.items():
        merged = state.events.get(name, []) + happenings
        state.events[name] = sorted(merged, key=lambda happening: happening.at)[-REMEMBERED_MAX:]
    for key, theirs in weaker.deliveries.items():
        ours = state.deliveries.setdefault(key, Delivery())
        ours.sent = max((sent for sent in (ours.sent, theirs.sent) if sent is not None), default=None)
        ours.opened, ours.clicked = ours.opened or theirs.opened, ours.clicked or theirs.clicked
    kept = sorted(state.deliveries, key=lambda key: state.deliveries[key].sent or (0, 0))[-DELIVERIES_MAX:]
    state.deliveries = {key: state.deliveries[key] for key in kept}
    state.clicked = max((at for at in (state.clicked, weaker.clicked) if at is not None), default=None)
    state.sends = sorted(state.sends + weaker.sends)[-REMEMBERED_MAX:]
    state.viewed = max((seen for seen in (state.viewed, weaker.viewed) if seen is not None), default=None)


def _words(state: State, weaker: State) -> None:
    for tool, consent in weaker.consents.items():
        state.consents[tool] = max(consent, state.consents.get(tool, consent))
    for key, conversation in weaker.conversations.items():
        state.conversations[key] = max(conversation, state.conversations.get(key, conversation))
    kept = sorted(state.conversations, key=lambda key: state.conversations[key][::-1])[-CONVERSATIONS_MAX:]
    state.conversations = {key: state.conversations[key] for key in kept}
    for name, (at, value) in weaker.traits.items():
        known = state.traits.get(name)
        if (known is None and len(state.traits) < TRAITS_MAX) or (known is not None and at >= known[0]):
            state.traits[name] = (at, value)
    state.email = max((email for email in (state.email, weaker.email) if email is not None), default=None)


def _standing(ours: Standing, theirs: Standing) -> None:
    ours.spent = sorted(ours.spent + theirs.spent)[-SPENT_MAX:]
    said = {**theirs.said, **ours.said}
    ours.said = {anchor_ms: said[anchor_ms] for anchor_ms in [*said][-SAID_MAX:]}
    ours.ended_ms = max((at for at in (ours.ended_ms, theirs.ended_ms) if at is not None), default=None)
