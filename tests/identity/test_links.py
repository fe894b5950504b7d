"""Who is whom: links as Customer.io's calls tell them, who is never merged, and what comes along."""

import itertools
import json
from typing import Any

import msgspec
import pytest

from agents.judge import stranded
from contracts.calls import parse
from contracts.instant import DAY_MS, HOUR_MS, to_rfc3339
from contracts.quarantined import Quarantined
from contracts.signals import Claimed, PersonSignal, decode
from contracts.topics import QUARANTINE
from streams.person import ORDERS_MAX, PASSES_MAX, SAID_MAX
from tests.identity.world import World
from tests.streams.histories import START_MS, added, ordered, page, track


def call(type: str, at_ms: int, **fields: Any) -> list[PersonSignal]:
    """One call of the pipeline, read as it is read live."""
    message = {"type": type, "timestamp": to_rfc3339(at_ms), "messageId": f"{type} {at_ms} {sorted(fields)}", **fields}
    parsed = parse(json.dumps(message).encode(), accepted_ms=at_ms)
    assert not parsed.rejected
    return list(parsed.signals)


def cart(at_ms: int, product: str = "serum", price: int = 200, **who: Any) -> list[PersonSignal]:
    properties = {"product_id": product, "price": price, "currency": "USD", "category": "serums"}
    return call("track", at_ms, event="Product Added", properties=properties, **who)


def claim(key: str, owner: str, at_ms: int = START_MS) -> Claimed:
    return Claimed(person=key, id=f"{key} {owner} {at_ms}", occurred_ms=at_ms, accepted_ms=at_ms, owner=owner)


def products(world: World, key: str) -> set[str]:
    state = world.state(key)
    return set() if state is None else {line.product for line in state.cart.lines.values()}


def test_a_visitor_becomes_a_subscriber_and_then_a_customer() -> None:
    world = World(arm=lambda key: "holdout" if key == "anon:a" else "assisted")
    world.deliver(cart(START_MS, anonymousId="a"))
    world.deliver(call("identify", START_MS + 1, anonymousId="a", traits={"email": "E@x.org"}))
    world.deliver(cart(START_MS + 2, "cream", anonymousId="a"))
    world.deliver(call("identify", START_MS + 3, traits={"email": "e@x.org", "cio_id": "c"}))
    world.deliver(call("identify", START_MS + 4, userId="me", traits={"cio_id": "c"}))
    world.deliver(cart(START_MS + 5, "wash", anonymousId="a")).mark(START_MS + HOUR_MS)
    assert world.keys_with_state() == ["id:me"]
    assert products(world, "id:me") == {"serum", "cream", "wash"}
    state = world.state("anon:a")
    assert state is not None
    assert (state.arm, state.in_lift) == ("holdout", False)


def test_two_people_who_give_one_email_are_never_merged() -> None:
    for first, second in (("1", "2"), ("2", "1")):
        world = World().deliver(cart(START_MS, traits={}, context={"traits": {"email": "us@x.org"}}))
        for number, user in enumerate((first, second)):
            at_ms = START_MS + 10 * number
            world.deliver(call("identify", at_ms, userId=user, traits={"email": "us@x.org"}))
            world.deliver(cart(at_ms + 1, f"of {user}", userId=user))
        world.deliver(cart(START_MS + 99, "by mail", context={"traits": {"email": "us@x.org"}})).mark(
            START_MS + HOUR_MS
        )
        assert world.keys_with_state() == ["id:1", "id:2"]
        assert products(world, f"id:{first}") == {"serum", f"of {first}", "by mail"}
        assert products(world, f"id:{second}") == {f"of {second}"}


def test_two_people_at_one_browser_are_never_merged_and_it_follows_the_newest_by_occurrence() -> None:
    early = call("identify", START_MS + 10, userId="1", anonymousId="a", traits={})
    late = call("identify", START_MS + 20, userId="2", anonymousId="a", traits={})
    for links in (early + late, late + early):
        world = World().deliver(links).deliver(cart(START_MS + 30, anonymousId="a")).mark(START_MS + HOUR_MS)
        assert world.home_of("anon:a") == "id:2"
        assert products(world, "id:2") == {"serum"}
        assert products(world, "id:1") == set()
        assert world.keys_with_state() == ["id:1", "id:2"]


def test_an_id_that_changes_brings_its_moment_its_cap_its_arm_and_its_contact_along() -> None:
    world = World(arm=lambda key: "holdout" if key == "id:new" else "assisted")
    world.deliver(cart(START_MS, userId="old")).mark(START_MS + 3 * HOUR_MS)
    at_ms = START_MS + 3 * HOUR_MS + 1
    world.deliver(call("identify", at_ms, userId="new", traits={"plan": "gold"}))
    world.deliver(call("alias", at_ms + 1, userId="new", previousId="old")).mark(START_MS + 4 * HOUR_MS)
    assert [(d.person, d.outcome, d.reason) for d in world.decisions] == [
        ("id:old", "activated", "qualified"),
        ("id:old", "withdrawn", "moved"),
        ("id:new", "activated", "qualified"),
    ]
    state = world.state("id:new")
    assert state is not None
    assert (state.arm, state.in_lift, state.assisted) == ("assisted", False, True)
    assert [activation.at_ms for activation in state.activations] == [START_MS + 2 * HOUR_MS]
    gone, shown = world.shown("id:old"), [command for command in world.commands if command.person == "id:new"]
    assert gone == world.facts("id:new", at_ms)
    assert shown[-1].attributes["cio_moment"] == "high_aov_abandoner"
    assert shown[-1].external_id == "new"


def test_an_id_that_changes_without_an_alias_is_another_person_even_with_the_same_cio_id() -> None:
    world = World()
    for user in ("old", "new"):
        world.deliver(call("identify", START_MS, userId=user, traits={"cio_id": "c"}))
    world.deliver(cart(START_MS + 1, userId="new")).mark(START_MS + HOUR_MS)
    assert world.keys_with_state() == ["id:new", "id:old"]
    assert (world.home_of("cio:c"), products(world, "id:old")) == ("id:old", set())


def test_both_addresses_of_an_email_that_changes_lead_to_their_person() -> None:
    world = World()
    for number, email in enumerate(("before@x.org", "after@x.org")):
        world.deliver(cart(START_MS + 2 * number, email, context={"traits": {"email": email}}))
        world.deliver(call("identify", START_MS + 2 * number + 1, userId="me", traits={"email": email}))
    world.deliver(cart(START_MS + 9, "late", context={"traits": {"email": "before@x.org"}})).mark(START_MS + HOUR_MS)
    state = world.state("id:me")
    assert state is not None and state.email is not None
    assert (world.keys_with_state(), state.email[1]) == (["id:me"], "after@x.org")
    assert products(world, "id:me") == {"before@x.org", "after@x.org", "late"}


@pytest.mark.parametrize("ids", [("a", "b"), ("a", "b", "c"), ("b", "a", "d", "c")])
def test_aliases_that_go_round_end_with_the_smallest_id_and_lose_nothing(ids: tuple[str, ...]) -> None:
    events = [cart(START_MS + number, f"of {user}", userId=user)[0] for number, user in enumerate(ids)]
    visitor = [*cart(START_MS + 50, "of visitor", anonymousId="z"), claim("anon:z", f"id:{ids[-1]}")]
    round_about = [claim(f"id:{user}", f"id:{after}") for user, after in zip(ids, ids[1:] + ids[:1], strict=True)]
    for links in itertools.permutations(round_about):
        for signals in ([*visitor, *events, *links], [*links, *visitor, *events], [*events, *links, *visitor]):
            world = World().deliver(signals).mark(START_MS + HOUR_MS)
            assert world.keys_with_state() == ["id:a"]
            assert products(world, "id:a") == {*(f"of {user}" for user in ids), "of visitor"}
            assert not world.stranded


def test_a_chain_is_followed_as_far_as_stated_and_beyond_it_a_signal_is_set_aside_not_lost() -> None:
    ids = [f"id:{number:02}" for number in range(PASSES_MAX + 2)]
    world = World().deliver([claim(key, owner) for key, owner in itertools.pairwise(ids)])
    reaches, strands = added("serum", 10, "1m", key=ids[1]), added("cream", 10, "2m", key=ids[0])
    world.deliver([reaches, strands]).mark(START_MS + HOUR_MS)
    assert products(world, ids[-1]) == {"serum"}
    assert [(signal.id, signal.via[0]) for signal in world.stranded] == [(strands.id, ids[0])]
    (record,) = stranded(world.stranded[0])
    kept = msgspec.json.decode(record.value, type=Quarantined)
    assert (record.topic, kept.stage, kept.reason) == (QUARANTINE.name, "judge", "passed_too_often")
    assert decode(kept.value) == world.stranded[0]


def test_a_message_that_counted_under_the_weaker_key_counts_once_when_it_comes_again() -> None:
    signal = cart(START_MS, anonymousId="a")
    link = call("identify", START_MS + 1, anonymousId="a", userId="me", traits={"email": "e@x.org"})
    for signals in (signal + signal + link, signal + link + signal, link + signal + signal):
        world = World().deliver(signals).mark(START_MS + HOUR_MS)
        assert world.facts("id:me", START_MS + HOUR_MS)["last_cart_value"] == 200.0


def test_a_moment_that_is_handed_over_twice_before_the_next_mark_goes_on_at_the_last() -> None:
    world = World().deliver(cart(START_MS, context={"traits": {"email": "e@x.org"}})).mark(START_MS + 3 * HOUR_MS)
    at_ms = START_MS + 3 * HOUR_MS + 1
    world.deliver([claim("email:e@x.org", "cio:c", at_ms)]).deliver([claim("cio:c", "id:me", at_ms)]).mark(at_ms)
    said = [(d.person, f"{d.outcome} {d.reason}") for d in world.decisions]
    assert said == [
        ("email:e@x.org", "activated qualified"),
        ("email:e@x.org", "withdrawn moved"),
        ("cio:c", "activated qualified"),
        ("cio:c", "withdrawn moved"),
        ("id:me", "activated qualified"),
    ]


def test_a_record_that_takes_in_many_others_stays_within_its_bounds() -> None:
    world = World()
    for number in range(40):
        key = f"anon:{number}"
        world.deliver([ordered(f"o{number} {n}", 10, f"{n}m", key=key) for n in range(3)])
        world.deliver([claim(key, "id:me")])
    for number in range(SAID_MAX + 3):
        key, day = f"email:{number}@x.org", START_MS + (4 * number + 40) * DAY_MS
        world.deliver([added("serum", 200, f"{4 * number + 40}d", key=key)])
        world.mark(day + DAY_MS).deliver([claim(key, "id:me", day + DAY_MS)])
    world.mark(START_MS + 80 * DAY_MS)
    state = world.state("id:me")
    assert state is not None
    assert len(state.orders.recent) == ORDERS_MAX
    assert world.facts("id:me", START_MS + 80 * DAY_MS)["lifetime_orders"] == 120
    assert max(len(standing.said) for standing in state.standings.values()) == SAID_MAX


def test_a_conversation_that_was_deleted_before_anybody_claimed_it_gives_its_person_no_arm() -> None:
    world = World(arm=lambda key: "holdout" if key.startswith("conv:") else "assisted")
    gone = track("Product Viewed", "0m", key="conv:1")
    world.deliver([gone, page("/help", "1m"), claim("conv:1", "id:me")]).mark(START_MS + HOUR_MS)
    state = world.state("id:me")
    assert state is not None
    assert (state.arm, state.in_lift) == ("assisted", True)
