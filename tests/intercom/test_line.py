"""One call to Intercom: each answer, and each way to get none, is told by what to do about it."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from agents.intercom import Failure, Refused, TryLater, Unauthorized, Unknown
from agents.intercom.budget import Budget
from agents.intercom.contact import always
from agents.intercom.line import Gone, Invalid, Line, Merged, client, current
from tests.intercom.scene import START_MS

Answer = Callable[[httpx.Request], httpx.Response]


async def failure(
    answer: Answer, method: str = "PUT", *, reads: bool = False, fresh: Callable[[], bool] = current
) -> Failure:
    asked = 0

    def once(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return answer(request)

    http = client(base_url="https://api.intercom.io", token="secret", transport=httpx.MockTransport(once))
    line = Line(http, Budget(lambda: START_MS, others=0.0, portion=lambda: 1.0), always)
    with pytest.raises(Failure) as caught:
        await line.errand(urgent=True, fresh=fresh).call(method, "/contacts/a1", {}, reads=reads)
    await http.aclose()
    assert asked == 1
    return caught.value


def answered(status: int, code: str = "", message: str = "", **headers: str) -> Answer:
    errors = {"type": "error.list", "errors": [{"code": code, "message": message}]}
    return lambda request: httpx.Response(status, json=errors, headers=headers)


def raised(error: type[httpx.RequestError]) -> Answer:
    def broken(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return broken


async def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.intercom.line.WHOLE_SECONDS_MAX", 0.01)

    async def drips(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("never")

    http = client(base_url="https://api.intercom.io", token="secret", transport=httpx.MockTransport(drips))
    budget = Budget(lambda: START_MS, others=0.0, portion=lambda: 1.0)
    line = Line(http, budget, always)
    with pytest.raises(Unknown):
        await line.call("PUT", "/contacts/a1", {})
    with pytest.raises(TryLater):
        await line.call("GET", "/contacts/a1")
    await http.aclose()
    assert budget._open == 0


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_after_a_broken_answer_a_write_is_in_doubt_and_a_read_or_a_search_is_made_again(status: int) -> None:
    assert isinstance(await failure(answered(status)), Unknown)
    for method, reads in (("GET", False), ("POST", True)):
        later = await failure(answered(status), method, reads=reads)
        assert isinstance(later, TryLater) and not later.shared


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.DecodingError]
)
async def test_a_write_whose_answer_is_lost_on_the_way_is_in_doubt(error: type[httpx.RequestError]) -> None:
    assert isinstance(await failure(raised(error)), Unknown)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_connection_that_does_not_come_about_sent_nothing_and_stops_everybody(
    error: type[httpx.RequestError],
) -> None:
    later = await failure(raised(error))
    assert isinstance(later, TryLater)
    assert (later.shared, later.urgent_too) == (True, True)


@pytest.mark.parametrize("content", [b"[1]", b"1", b"<html>", b'{"id"'])
async def test_an_answer_that_is_no_json_object_is_a_lost_one(content: bytes) -> None:
    def odd(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content)

    assert isinstance(await failure(odd), Unknown)
    assert isinstance(await failure(odd, "GET"), TryLater)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_may_not_is_told_as_such(status: int) -> None:
    assert isinstance(await failure(answered(status)), Unauthorized)


async def test_a_429_names_its_own_end() -> None:
    limits = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(START_MS // 1000 + 7)}
    later = await failure(answered(429, Date="Mon, 02 Mar 2026 09:00:00 GMT", **limits))
    assert isinstance(later, TryLater)
    assert (later.after_seconds, later.shared) == (7.0, True)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("bad_request", "bad_request"), ("", "status_400"), ("x" * 64, "x" * 64), ("x" * 65, "status_400"),
        ("somebody@example.com", "status_400"),
    ],
)  # fmt: skip
async def test_a_refusal_is_named_by_a_short_word_of_intercoms_or_else_by_its_status(code: str, reason: str) -> None:
    refused = await failure(answered(400, code))
    assert isinstance(refused, Refused)
    assert refused.reason == reason


async def test_a_refusal_without_a_list_of_errors_is_named_by_its_status() -> None:
    for content in (b"", b"[]", b'{"errors": []}', b'{"errors": [1]}', b'{"errors": [{"code": 7}]}'):
        refused = await failure(lambda _, content=content: httpx.Response(418, content=content))  # type: ignore[misc]  # bound now
        assert isinstance(refused, Refused)
        assert refused.reason == "status_418"


@pytest.mark.parametrize(
    ("message", "vanished"), [("Custom attribute 'x' does not exist", True), ("Data Type is invalid", False)]
)
async def test_which_400_it_is_stands_in_its_message(message: str, vanished: bool) -> None:
    invalid = await failure(answered(400, "parameter_invalid", message))
    assert isinstance(invalid, Invalid)
    assert (invalid.reason, invalid.vanished) == ("parameter_invalid", vanished)


@pytest.mark.parametrize(
    ("link", "into"),
    [
        ('</contacts/b2>; rel="canonical"', "b2"), ('<https://api.intercom.io/contacts/b2>; rel="canonical"', "b2"),
        ('</contacts/b2>; rel="next"', None), ('</contacts/b2/x>; rel="canonical"', None), ("", None),
    ],
)  # fmt: skip
async def test_a_merged_contact_names_the_one_that_it_became_or_is_gone(link: str, into: str | None) -> None:
    told = await failure(answered(410, Link=link))
    assert isinstance(told, Gone if into is None else Merged)
    assert getattr(told, "canonical_id", None) == into


async def test_a_redirection_is_not_followed_since_the_token_is_not_for_others() -> None:
    refused = await failure(answered(302, Location="https://elsewhere.example/contacts/a1"))
    assert isinstance(refused, Refused)
    assert refused.reason == "status_302"


async def test_no_proxy_of_the_environment_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    http = client(base_url="https://api.intercom.io", token="secret")
    assert http.trust_env is False
    await http.aclose()
