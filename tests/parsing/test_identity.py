from typing import Any

import pytest

from contracts.product import TEXT_CHARS_MAX
from contracts.signals import Claimed, Consented, Identified, PersonSignal
from tests.parsing.calls import call, one, read, report, why


def claims(signals: tuple[PersonSignal, ...]) -> list[tuple[str, str]]:
    return [(signal.person, signal.owner) for signal in signals if isinstance(signal, Claimed)]


@pytest.mark.parametrize(
    ("fields", "person"),
    [
        ({"userId": "u1", "anonymousId": "a"}, "id:u1"),
        ({"userId": 42}, "id:42"),
        ({"userId": "Case"}, "id:Case"),
        ({"userId": "", "anonymousId": "a"}, "anon:a"),
        ({"userId": None, "anonymousId": "a"}, "anon:a"),
        ({"userId": " ", "anonymousId": 7}, "anon:7"),
        ({"userId": None, "context": {"traits": {"email": " A@B.Example "}}, "anonymousId": "a"}, "email:a@b.example"),
        ({"userId": None, "context": {"traits": {"cio_id": "c1", "email": "a@b.c"}}}, "cio:c1"),
        ({"userId": None, "context": {"traits": {"email": "n/a"}}, "anonymousId": "a"}, "anon:a"),
        ({"userId": "u" * 200}, "id:" + "u" * 200),
        ({"userId": "Zoë 💜"}, "id:Zoë 💜"),
    ],
)
def test_the_strongest_key_names_the_person(fields: dict[str, Any], person: str) -> None:
    assert one(call(**fields)).person == person


@pytest.mark.parametrize("user", ["u" * 201, "a\nb", "a\x00b", "a\x7f", True, 4.2, ["u"], {"id": "u"}, 10**250])
def test_an_unfit_key_is_refused_and_never_replaced_by_a_weaker_one(user: object) -> None:
    assert why(call(userId=user, anonymousId="a")) == "bad_key"


@pytest.mark.parametrize("email", ["n/a", "a@b\n.c", "a @b.c", "a@" + "b" * 200, 5, "a@\ud800"])
def test_what_is_no_address_is_no_key_and_spoils_none(email: object) -> None:
    told = read(call("identify", traits={"email": email})).signals
    assert [signal.person for signal in told] == ["id:u1"]
    assert isinstance(told[0], Identified) and told[0].email is None


def test_a_call_that_names_nobody_is_refused() -> None:
    assert why(call(userId=None)) == "no_person"
    assert why(call("identify", userId="", traits={"plan": "gold"})) == "no_person"


def test_identify_tells_scalar_traits_and_claims_every_weaker_key() -> None:
    traits = {
        "email": "A@B.c",
        "cio_id": "c1",
        "plan": "gold",
        "address": {"city": "x"},
        "tags": [1],
        "n": 3,
        "none": None,
    }
    parsed = read(call("identify", anonymousId="a", traits=traits))
    told = parsed.signals[0]
    assert isinstance(told, Identified)
    assert (told.person, told.id, told.email) == ("id:u1", "m1", "a@b.c")
    assert told.traits == {"email": "A@B.c", "cio_id": "c1", "plan": "gold", "n": 3, "none": None}
    assert claims(parsed.signals) == [("cio:c1", "id:u1"), ("email:a@b.c", "id:u1"), ("anon:a", "id:u1")]
    assert {signal.id for signal in parsed.signals[1:]} == {"m1:claim"}


def test_identify_by_email_alone_claims_the_anonymous_id() -> None:
    parsed = read(call("identify", userId="", anonymousId="a", traits={"email": "a@b.c"}))
    assert claims(parsed.signals) == [("anon:a", "email:a@b.c")]


def test_identify_with_traits_in_the_context_is_read() -> None:
    parsed = read(call("identify", context={"traits": {"email": "a@b.c", "plan": "gold"}}))
    assert isinstance(parsed.signals[0], Identified)
    assert parsed.signals[0].traits["plan"] == "gold"
    assert claims(parsed.signals) == [("email:a@b.c", "id:u1")]


def test_an_unfit_weaker_key_claims_nothing() -> None:
    assert claims(read(call("identify", anonymousId="a\n")).signals) == []


def test_only_identify_and_alias_claim() -> None:
    context = {"traits": {"email": "a@b.c"}}
    for message in (
        call(anonymousId="a", context=context),
        call("page", anonymousId="a", context=context),
        report(identifiers={"id": "1", "email": "a@b.c", "cio_id": "c"}),
    ):
        assert claims(read(message).signals) == []


def test_alias_claims_the_previous_id_as_anonymous_and_as_known() -> None:
    parsed = read(call("alias", userId="u1", previousId=7))
    assert claims(parsed.signals) == [("anon:7", "id:u1"), ("id:7", "id:u1")]
    assert why(call("alias")) == "no_person"
    assert why(call("alias", userId=None, previousId="p")) == "no_person"
    assert claims(read(call("alias", userId="u1", previousId="u1")).signals) == [("anon:u1", "id:u1")]


@pytest.mark.parametrize(
    ("said", "subscribed"),
    [(True, False), ("TRUE", False), (1, False), ("1", False), (False, True), ("False", True), (0, True), ("0", True)],
)
def test_the_trait_unsubscribed_is_a_word_of_consent(said: object, subscribed: bool) -> None:
    told = read(call("identify", traits={"unsubscribed": said})).signals[1]
    assert isinstance(told, Consented)
    assert (told.tool, told.subscribed, told.id) == ("customerio", subscribed, "m1:consent")


@pytest.mark.parametrize("said", [None, "", "maybe", 2, [], {}, 0.5])
def test_an_unclear_unsubscribed_says_nothing(said: object) -> None:
    assert len(read(call("identify", traits={"unsubscribed": said})).signals) == 1


def test_traits_are_bounded_in_number_and_length() -> None:
    traits = {f"t{number}": "x" * 2_000 for number in range(400)} | {"huge": 10**30}
    told = read(call("identify", traits=traits)).signals[0]
    assert isinstance(told, Identified)
    assert len(told.traits) == 300
    assert {len(str(value)) for value in told.traits.values()} == {TEXT_CHARS_MAX}


def test_an_identical_resend_without_an_id_has_the_same_id_and_another_call_a_different_one() -> None:
    first, again = one(call(messageId=...)), one(dict(reversed(call(messageId=...).items())))
    assert first.id == again.id != one(call(messageId=..., event="Product Removed")).id
    assert one(call(messageId=17)).id == "17"
    assert one(call(messageId="x" * 201)).id.startswith("content-")
