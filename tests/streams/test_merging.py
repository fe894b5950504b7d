"""Two keys, one person: what a claim hands over, ends and lets go on, whatever came first."""

from decimal import Decimal

from msgspec.structs import replace

from contracts.instant import HOUR_MS, duration_ms
from contracts.signals import Claimed, Conversed, Erased, PersonSignal
from streams.person import encode_state
from tests.streams.histories import ME, POLICY, START_MS, Run, added, ordered, stamp, track

MAIL = "email:me@x.org"
BROWSER = "anon:a1"


def claim(weaker: str, owner: str, at: str, *, occurred: str | None = None, name: str = "") -> Claimed:
    fields = stamp(at, weaker, name=name or f"{weaker} {at}:claim", occurred=occurred)
    return Claimed(owner=owner, **fields)  # type: ignore[arg-type]


def said(*signals: PersonSignal, until: str = "48h") -> list[tuple[str, str, str]]:
    run = Run().play(signals, until=until)
    return [(d.person, d.audience, f"{d.outcome} {d.reason}") for d in run.decisions]


def test_a_moment_that_the_other_keys_purchase_ends_is_withdrawn_as_purchased_and_does_not_go_on() -> None:
    history: list[PersonSignal] = [
        added("serum", 180, "0m", key=MAIL),
        ordered("o1", 180, "150m", key=ME),
        claim(MAIL, ME, "3h"),
    ]
    assert said(*history)[:2] == [
        (MAIL, "high_aov_abandoner", "activated qualified"),
        (MAIL, "high_aov_abandoner", "withdrawn purchased"),
    ]
    assert (ME, "high_aov_abandoner", "activated qualified") not in said(*history)


def test_of_two_moments_the_lower_is_withdrawn_under_its_own_key() -> None:
    cart, cancel = added("serum", 180, "0m", key=MAIL), track("Subscription Cancel Started", "1h", ME)
    assert said(cart, cancel, claim(MAIL, ME, "3h"))[:3] == [
        (ME, "subscription_save", "activated qualified"),
        (MAIL, "high_aov_abandoner", "activated qualified"),
        (MAIL, "high_aov_abandoner", "withdrawn priority"),
    ]
    cart, cancel = added("serum", 180, "0m"), track("Subscription Cancel Started", "1h", MAIL)
    assert said(cart, cancel, claim(MAIL, ME, "3h"))[2:5] == [
        (MAIL, "subscription_save", "withdrawn moved"),
        (ME, "high_aov_abandoner", "withdrawn priority"),
        (ME, "subscription_save", "activated qualified"),
    ]


def test_of_two_moments_of_one_audience_the_stronger_keys_stays() -> None:
    history: list[PersonSignal] = [
        added("serum", 180, "0m", key=MAIL),
        added("cream", 190, "10m"),
        claim(MAIL, ME, "3h"),
    ]
    assert said(*history)[2:] == [
        (MAIL, "high_aov_abandoner", "withdrawn priority"),
        (ME, "high_aov_abandoner", "withdrawn expired"),
    ]


def test_a_newer_cart_is_spent_by_the_moment_that_comes_along_even_if_that_ends_at_once() -> None:
    talk = Conversed(conversation="c1", open=True, topic="conversation.user.created", **stamp("125m"))  # type: ignore[arg-type]
    history: list[PersonSignal] = [
        added("serum", 180, "0m", key=MAIL),
        added("cream", 190, "10m"),
        claim(MAIL, ME, "125m"),
        talk,
    ]
    assert said(*history) == [
        (MAIL, "high_aov_abandoner", "activated qualified"),
        (MAIL, "high_aov_abandoner", "withdrawn moved"),
        (ME, "high_aov_abandoner", "activated qualified"),
        (ME, "high_aov_abandoner", "withdrawn in_conversation"),
    ]


def test_of_an_erased_person_not_even_the_address_is_kept_by_which_they_are_named_again() -> None:
    erased = Erased(**stamp("2h", ME))  # type: ignore[arg-type]
    again = added("cream", 20, "3h", key=MAIL)
    run = Run().play([added("serum", 180, "0m", key=MAIL), claim(MAIL, ME, "1h"), erased, again], until="48h")
    state = run.partition.state(ME)
    assert state is not None and state.erased
    assert MAIL.removeprefix("email:").encode() not in encode_state(state)


def test_an_end_at_the_very_instant_of_the_claim_is_not_undone_by_it() -> None:
    emptied = track("Cart Viewed", "3h", MAIL, items=[])
    history: list[PersonSignal] = [
        added("serum", 180, "0m", key=MAIL),
        added("cream", 130, "1m"),
        emptied,
        claim(MAIL, ME, "3h"),
    ]
    assert said(*history)[:2] == [
        (MAIL, "high_aov_abandoner", "activated qualified"),
        (MAIL, "high_aov_abandoner", "withdrawn no_longer_true"),
    ]
    assert (ME, "high_aov_abandoner", "activated qualified") not in said(*history)


def test_a_takeover_by_a_claim_that_waits_is_written_once_however_coarse_the_marks() -> None:
    history: list[PersonSignal] = [
        added("serum", 180, "0m"),
        track("Subscription Cancel Started", "1h", MAIL),
        claim(MAIL, ME, "150m"),
        ordered("o1", 180, "160m"),
    ]
    fine, coarse = Run().play(history, until="48h"), Run().play(history, until="48h", every_ms=duration_ms("1h"))
    assert {decision.id for decision in fine.decisions} == {decision.id for decision in coarse.decisions}
    assert len(fine.decisions) == len(coarse.decisions)


def owner_of(run: Run, key: str) -> str | None:
    person = run.people.get(key)
    return person.forward if person is not None else None


def test_a_shared_browser_follows_who_identified_there_last_not_who_was_told_last() -> None:
    history: list[PersonSignal] = [
        claim(BROWSER, ME, "1h"),
        claim(BROWSER, "id:other", "2h"),
        claim(BROWSER, ME, "3h", occurred="30m"),
    ]
    assert owner_of(Run().play(history), BROWSER) == "id:other"


def test_a_claim_that_is_told_again_counts_once() -> None:
    first = claim("id:b", "id:a", "1h", name="alias 1")
    again = claim("id:b", "id:a", "4h", name="alias 1")
    history: list[PersonSignal] = [added("serum", 180, "0m", key="id:b"), first, claim("id:a", "id:b", "90m"), again]
    assert [who for who, *_ in said(*history)] == ["id:a", "id:a"]


def test_what_a_browser_told_is_not_told_of_the_next_who_identifies_there() -> None:
    first, second = added("serum", 180, "0m", key=BROWSER), added("cream", 190, "20m", key=BROWSER)
    history: list[PersonSignal] = [first, claim(BROWSER, "id:other", "10m"), second, claim(BROWSER, ME, "30m")]
    again = [replace(signal, accepted_ms=signal.accepted_ms + HOUR_MS) for signal in (first, second)]
    assert {who for who, *_ in said(*history, *again)} == {"id:other"}


def test_what_a_browser_tells_of_two_ids_that_claim_each_other_is_not_lost() -> None:
    history: list[PersonSignal] = [
        claim("id:c", "id:b", "1m"),
        claim("id:b", "id:c", "2m"),
        claim(BROWSER, "id:b", "3m"),
        added("serum", 180, "1h", key=BROWSER),
    ]
    assert ("id:b", "high_aov_abandoner", "activated qualified") in said(*history)


def test_who_is_known_by_an_excluded_address_alone_is_excluded() -> None:
    policy = POLICY.model_copy(update={"exclude": POLICY.exclude.model_copy(update={"domains": ("x.org",)})})
    run = Run(policy).play([added("serum", 180, "0m", key=MAIL)], until="12h")
    assert run.said() == [("120m", "high_aov_abandoner", "withheld excluded")]


def test_an_excluded_address_is_known_from_the_first_signal_under_it_whatever_that_tells() -> None:
    policy = POLICY.model_copy(update={"exclude": POLICY.exclude.model_copy(update={"domains": ("x.org",)})})
    looked = track("Product Viewed", "3h", MAIL, item={"p": "serum"})
    cart = added("serum", 180, "0m", key=BROWSER)
    history: list[PersonSignal] = [cart, claim(BROWSER, MAIL, "1m"), looked]
    assert Run(policy).play(history, until="24h").said() == [
        ("120m", "high_aov_abandoner", "activated qualified"),
        ("180m", "high_aov_abandoner", "withdrawn excluded"),
    ]


def value(*signals: PersonSignal, at: str) -> tuple[object, object]:
    facts = Run().play(signals, until=at).partition.facts(ME, START_MS + duration_ms(at))
    return facts["last_cart_value"], facts["lifetime_orders"]


def test_a_cart_that_was_forgotten_does_not_come_back_with_a_claim() -> None:
    history: list[PersonSignal] = [
        added("serum", 180, "0m", key=BROWSER),
        added("cream", 20, "31d"),
        claim(BROWSER, ME, "32d"),
    ]
    assert value(*history, at="32d") == (20, 0)


def test_an_order_told_to_both_keys_is_one_and_stands_where_it_occurred_first() -> None:
    history: list[PersonSignal] = [
        ordered("o1", None, "2h", "Order Paid", key=ME),
        ordered("o1", 80, "3h", key=MAIL, occurred="1h"),
        added("serum", 30, "90m", key=ME),
        claim(MAIL, ME, "4h"),
    ]
    run = Run().play(history, until="4h")
    state = run.partition.state(ME)
    assert state is not None
    assert [(order.at and order.at[0], order.value) for order in state.orders.recent] == [
        (START_MS + duration_ms("1h"), Decimal(80))
    ]


def test_an_order_keeps_its_own_lines_where_another_key_was_told_of_it_later_with_others() -> None:
    history: list[PersonSignal] = [
        ordered("o1", 80, "1h", key=ME, items=[{"p": "a", "price": "80"}]),
        ordered("o1", 80, "2h", key=MAIL, items=[{"p": "b", "price": "80", "category": "serums"}]),
        claim(MAIL, ME, "3h"),
    ]
    state = Run().play(history, until="4h").partition.state(ME)
    assert state is not None
    assert [(order.category, order.categories) for order in state.orders.recent] == [(None, ())]


def test_one_message_may_claim_a_key_and_the_key_that_it_was_claimed_for() -> None:
    history: list[PersonSignal] = [
        added("serum", 180, "0m", key=BROWSER),
        claim(BROWSER, MAIL, "1m", name="c"),
        claim(MAIL, ME, "2m", name="c"),
    ]
    assert {who for who, *_ in said(*history)} == {ME}


def test_a_state_that_comes_back_at_the_end_of_its_window_is_ended_after_the_signals_of_that_instant() -> None:
    first, there, back = (
        added("serum", 180, "0m", key="id:a"),
        claim("id:b", "id:a", "1m"),
        claim("id:a", "id:b", "12h"),
    )
    more = added("cream", 5, "12h", key="id:a")  # touched while in the moment, so it starts none
    assert said(first, there, back, more) == [
        ("id:a", "high_aov_abandoner", "activated qualified"),
        ("id:a", "high_aov_abandoner", "withdrawn expired"),
    ]
