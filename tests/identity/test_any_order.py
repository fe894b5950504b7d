"""Any order of arrival of one person's events and links ends with the same person."""

import random
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from contracts.decisions import Arm
from contracts.instant import DAY_MS, HOUR_MS, MINUTE_MS
from contracts.signals import (
    Claimed,
    Consented,
    Conversed,
    Identified,
    Item,
    Messaged,
    Paged,
    PersonSignal,
    Tracked,
    strength,
)
from tests.identity.world import World
from tests.streams.histories import START_MS

ME = "id:me"
KEYS = (ME, "id:old", "cio:c", "email:e@x.org", "anon:a", "anon:b")
NOW_MS = START_MS + 20 * DAY_MS
COUNT = 400
CATEGORIES = ("serums", "retinol", "cleansers")


def links(rng: random.Random) -> list[tuple[str, str]]:
    """Every key but one has a way to that one, over any of the keys that may claim it; some have several."""
    found = []
    for key in KEYS[1:]:
        stronger = [owner for owner in KEYS if strength(owner) > strength(key)] or [ME]
        found += [(key, owner) for owner in rng.sample(stronger, min(len(stronger), rng.choice((1, 1, 2))))]
    return found


def event(rng: random.Random, number: int, stamp: dict[str, Any]) -> PersonSignal:
    """What AUDIENCES calls facts, as far as they do not stand on the order of the log: every product is added once."""
    match rng.randrange(9):
        case 0 | 1 | 2:
            item = Item(f"p{number}", price=Decimal(rng.choice((30, 90, 160))), category=rng.choice(CATEGORIES))
            return Tracked(**stamp, event="Product Added", item=item)
        case 3:
            line = Item(f"p{number}", price=Decimal(rng.choice((60, 200))), category=rng.choice(CATEGORIES))
            name = rng.choice(("Order Completed", "Checkout Started"))
            return Tracked(**stamp, event=name, items=(line,), order_id=f"o{number}")
        case 4:
            return Paged(**stamp, path=rng.choice(("/pages/shipping", "/returns", "/help", "/products/x")))
        case 5:
            metric = rng.choice(("sent", "sent", "opened", "clicked"))
            return Messaged(**stamp, channel="email", metric=metric, delivery=rng.choice(("d1", "d2")))
        case 6:
            opened = rng.random() < 0.5
            return Conversed(**stamp, conversation="c1", open=opened, topic="conversation.user.created")
        case 7:
            return Consented(**stamp, tool="customerio", subscribed=rng.random() < 0.7)
        case _:
            return Identified(**stamp, traits={"plan": f"plan {number}"}, email=rng.choice((None, f"{number}@x.org")))


def history(rng: random.Random) -> list[PersonSignal]:
    """In order of occurrence; refunds and a second telling of orders among them; all accepted before any mark."""
    signals: list[PersonSignal] = []
    at_ms = NOW_MS
    for number in range(rng.randrange(4, 16)):
        at_ms -= rng.choice((1, 1000, MINUTE_MS, MINUTE_MS, HOUR_MS, DAY_MS))
        signals.append(event(rng, number, stamp(rng.choice(KEYS), f"m{number}", at_ms)))
    told = [s for s in signals if isinstance(s, Tracked) and s.event == "Order Completed"]
    for order in told:
        again = stamp(rng.choice(KEYS), f"{order.id} again", order.occurred_ms)
        signals.append(Tracked(**again, event="Order Paid", items=order.items, order_id=order.order_id))
        if rng.random() < 0.5:
            back = stamp(rng.choice(KEYS), f"{order.id} back", order.occurred_ms + HOUR_MS + 7)
            signals.append(
                Tracked(**back, event="Order Partially Refunded", amount=Decimal(20), order_id=order.order_id)
            )
    for number, (key, owner) in enumerate(links(rng)):
        claimed_ms = START_MS + rng.randrange(15 * DAY_MS)
        signals.append(Claimed(**stamp(key, f"link {number}", claimed_ms), owner=owner))
    return sorted(signals, key=lambda signal: signal.occurred_ms)


def stamp(key: str, name: str, occurred_ms: int) -> dict[str, Any]:
    return {"person": key, "id": name, "occurred_ms": occurred_ms, "accepted_ms": NOW_MS}


def picture(world: World, at_ms: int) -> dict[str, object]:
    """The person as AUDIENCES sees one: facts, arm, orders, pages, mail, words, moments, what counts for caps, the contact."""
    state = world.state(ME)
    assert state is not None
    return {
        "facts": world.facts(ME, at_ms),
        "arm": (state.arm, state.first_ms, state.in_lift),
        "cart": sorted(
            (line.product, line.quantity, line.price, line.touched[0]) for line in state.cart.lines.values()
        ),
        "orders": [
            (order.id, order.at[0] if order.at else None, order.value, order.refunded) for order in state.orders.recent
        ],
        "pages": {kind: [moment[0] for moment in moments] for kind, moments in state.pages.items()},
        "sends": state.sends,
        "email": state.email and state.email[1],
        "mail": {key: (d.sent and d.sent[0], d.opened, d.clicked) for key, d in state.deliveries.items()},
        "words": [
            {key: (at[0], word) for key, (at, word) in words.items()}
            for words in (state.traits, state.consents, state.conversations)
        ],
        "moments": {name: s.active.anchor[0] for name, s in state.standings.items() if s.active is not None},
        "said": {name: sorted(standing.said) for name, standing in state.standings.items() if standing.said},
        "caps": sorted((a.kind, a.episode, a.at_ms, a.delivered) for a in state.activations if not a.void),
        "told": world.shown(ME),
        "decided": sorted((d.person, d.episode, d.outcome, d.reason, d.at, d.arm) for d in world.decisions),
    }


def arms(seed: int) -> Callable[[str], Arm]:
    """One key in three is held out, others from seed to seed, so that arms often differ."""
    return lambda key: "holdout" if zlib.crc32(f"{seed} {key}".encode()) % 3 == 0 else "assisted"


def play(signals: Sequence[PersonSignal], rng: random.Random, seed: int) -> World:
    world = World(pick=rng.choice, arm=arms(seed)).deliver(signals)
    for days in (0, 1, 2, 30, 70):
        world.mark(NOW_MS + days * DAY_MS)
    return world


@pytest.mark.parametrize("chunk", range(4))
def test_any_order_of_arrival_gives_the_same_person(chunk: int) -> None:
    met = set()
    for seed in range(chunk * COUNT // 4, (chunk + 1) * COUNT // 4):
        rng = random.Random(seed)
        signals = history(rng)
        in_order = picture(play(signals, random.Random(1), seed), NOW_MS + 70 * DAY_MS)
        for _ in range(3):
            shuffled = rng.sample(signals, len(signals))
            world = play(shuffled, rng, seed)
            assert world.keys_with_state() == [ME], seed
            assert not world.stranded
            assert picture(world, NOW_MS + 70 * DAY_MS) == in_order, seed
        met |= {decision[1].partition("@")[0] for decision in in_order["decided"]}  # type: ignore[attr-defined]
        met.add(in_order["arm"][2])  # type: ignore[index]
    expected = {"high_aov_abandoner", "shipping_friction", "post_purchase_education", "ready_to_reorder", True, False}
    assert expected <= met


@pytest.mark.parametrize("chunk", range(2))
def test_facts_and_arm_are_the_same_however_time_passes_between_the_arrivals(chunk: int) -> None:
    """Here signals are accepted one after another with marks between them, so that moments begin, move and end on the way."""
    moved = 0
    for seed in range(chunk * COUNT // 4, (chunk + 1) * COUNT // 4):
        rng = random.Random(seed)
        signals = history(rng)
        pictures = []
        for order in (signals, rng.sample(signals, len(signals)), rng.sample(signals, len(signals))):
            world = World(pick=rng.choice, arm=arms(seed))
            for number, signal in enumerate(order):
                accepted_ms = NOW_MS + number * HOUR_MS
                world.mark(accepted_ms - 1)
                world.take(msgspec.structs.replace(signal, accepted_ms=accepted_ms))
                world.deliver(())
            world.mark(NOW_MS + 70 * DAY_MS)
            assert world.keys_with_state() == [ME], seed
            pictures.append(picture(world, NOW_MS + 70 * DAY_MS))
            moved += sum(decision.reason == "moved" for decision in world.decisions)
        for name in ("arm", "cart", "orders", "pages", "sends", "email", "mail", "words"):
            assert pictures[0][name] == pictures[1][name] == pictures[2][name], (seed, name)
    assert moved > 0
