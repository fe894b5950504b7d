"""What a signal changes in the state of its person: total over the vocabulary, no clock, no decision.

`apply` advances the person's sequence, so that ties of occurrence go by the order of application.
"""

import re
from functools import lru_cache
from typing import assert_never

from contracts.policy import Policy
from contracts.policy_values import REMEMBERED_MAX
from contracts.signals import (
    Claimed,
    Consented,
    Conversed,
    Delivered,
    Erased,
    Identified,
    Item,
    Messaged,
    Moved,
    Paged,
    PersonSignal,
    Tracked,
)
from streams import cart, merge, orders
from streams.person import (
    CONVERSATIONS_MAX,
    DELIVERIES_MAX,
    TRAIT_CHARS_MAX,
    TRAITS_MAX,
    Delivery,
    Happening,
    Moment,
    State,
    decode_state,
    newest,
)

REPLACING = frozenset({"Cart Viewed", "Checkout Started", "Checkout Updated"})
NOTHING = Item("")
PATHS_KEPT = 4096  # paths of which the kind is remembered; most visits are of a shop's few hundred pages


def concerns_judgement(signal: PersonSignal, policy: Policy) -> bool:
    """False where a signal changes nothing that a judgement reads, as most of a shop's traffic: looking at products."""
    if isinstance(signal, Tracked):
        return signal.event != "Product Viewed" or signal.event in policy.remembered_events
    if isinstance(signal, Paged):
        return page_kind(signal.path, policy) is not None
    return True


def apply(state: State, signal: PersonSignal, policy: Policy) -> None:
    """Change `state` by `signal`. A state that is handed over (Moved) must be readable."""
    if state.erased:
        return
    state.seq += 1
    at = (signal.occurred_ms, state.seq)
    match signal:
        case Tracked():
            _tracked(state, signal, at, policy)
        case Paged():
            _page(state, signal.path, at, policy)
        case Identified():
            _identified(state, signal, at)
        case Messaged():
            _messaged(state, signal, at)
        case Consented():
            if (known := state.consents.get(signal.tool)) is None or at >= known[0]:
                state.consents[signal.tool] = (at, signal.subscribed)
        case Conversed():
            _conversed(state, signal, at)
        case Erased():
            _erase(state)
        case Delivered():
            _delivered(state, signal)
        case Moved():
            merge.absorb(state, decode_state(signal.state), policy)
        case Claimed():
            pass  # a claim speaks to the forward, not to the state
        case _:
            assert_never(signal)


def _tracked(state: State, call: Tracked, at: Moment, policy: Policy) -> None:
    name = call.event
    meaning = policy.names.meanings.get(name)
    if name == "Product Added":
        cart.add(state.cart, call.item or NOTHING, call.currency, at, policy)
    elif name == "Product Removed":
        cart.remove(state.cart, call.item or NOTHING, at, policy)
    elif name in REPLACING:
        cart.replace(state.cart, call.items, call.amount, call.currency, at, policy)
    elif meaning is not None:
        _about_order(state, call, meaning, at, policy)
    elif name == "Product Viewed" and call.item is not None:
        shown = call.item.name or call.item.product
        if shown and (state.viewed is None or at >= state.viewed[0]):
            state.viewed = (at, shown[:TRAIT_CHARS_MAX])
    if name.startswith("Viewed ") and name.endswith(" Page"):
        _page(state, call.path or name, at, policy)
    if name in policy.remembered_events:
        happenings = state.events.setdefault(name, [])
        happenings.append(Happening(at, call.order_id))
        happenings.sort(key=lambda happening: happening.at)
        del happenings[:-REMEMBERED_MAX]


def _about_order(state: State, call: Tracked, meaning: str, at: Moment, policy: Policy) -> None:
    """meaning: the word of the policy's `names`."""
    if meaning == "orders":
        placed = orders.place(state.orders, call, at, policy)
        if placed is not None:
            placed.emptied = cart.order(state.cart, at, policy)
    elif meaning == "cancels":
        orders.cancel(state.orders, call, at)
    else:
        orders.refund(state.orders, call, at, policy, partial=meaning == "partial_refunds")


def page_kind(path: str, policy: Policy) -> str | None:
    """The first kind of the policy whose pattern matches the path; None for any other page."""
    return _page_kind(path, policy.path_patterns)


@lru_cache(maxsize=PATHS_KEPT)
def _page_kind(path: str, patterns: tuple[tuple[str, re.Pattern[str]], ...]) -> str | None:
    return next((kind for kind, pattern in patterns if pattern.match(path)), None)


def _page(state: State, path: str, at: Moment, policy: Policy) -> None:
    kind = page_kind(path, policy)
    if kind is not None:
        newest(state.pages.setdefault(kind, []), at)


def _identified(state: State, signal: Identified, at: Moment) -> None:
    for name, value in signal.traits.items():
        known = state.traits.get(name)
        if known is None and len(state.traits) >= TRAITS_MAX:
            continue
        if known is None or at >= known[0]:
            state.traits[name] = (at, value[:TRAIT_CHARS_MAX] if isinstance(value, str) else value)
    if signal.email is not None and (state.email is None or at >= state.email[0]):
        state.email = (at, signal.email)


def _messaged(state: State, signal: Messaged, at: Moment) -> None:
    if signal.metric == "sent":
        state.sends.append((signal.occurred_ms, signal.channel))
        state.sends.sort()
        del state.sends[:-REMEMBERED_MAX]
    if signal.channel != "email" or signal.metric not in ("sent", "opened", "clicked"):
        return
    delivery = state.deliveries.setdefault(signal.delivery, Delivery())
    if signal.metric == "sent" and (delivery.sent is None or at > delivery.sent):
        delivery.sent = at
    elif signal.metric == "opened" and signal.human:
        delivery.opened = True
    elif signal.metric == "clicked" and signal.human:
        delivery.clicked = True
        state.clicked = max(state.clicked or at, at)
    if len(state.deliveries) > DELIVERIES_MAX:
        others = [key for key in state.deliveries if key != signal.delivery]
        del state.deliveries[min(others, key=lambda key: state.deliveries[key].sent or (0, 0))]


def _conversed(state: State, signal: Conversed, at: Moment) -> None:
    known = state.conversations.get(signal.conversation)
    if known is not None and at < known[0]:
        return
    state.conversations[signal.conversation] = (at, signal.open)
    if len(state.conversations) > CONVERSATIONS_MAX:
        del state.conversations[min(state.conversations, key=lambda key: state.conversations[key][::-1])]


def _delivered(state: State, signal: Delivered) -> None:
    if signal.outcome != "shown" or signal.episode is None:
        return
    for activation in state.activations:
        if activation.episode == signal.episode and not activation.void:
            activation.delivered = True
            state.assisted = True


def _erase(state: State) -> None:
    """Keep only that the person is erased, and the arm."""
    blank = State(state.first_ms, state.arm, state.seq, state.judged_ms, erased=True)
    for field in State.__struct_fields__:
        setattr(state, field, getattr(blank, field))
