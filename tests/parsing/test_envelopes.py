import json

import pytest

from contracts.calls import parse
from contracts.envelope import BODY_BYTES_MAX, CALLS_MAX
from contracts.signals import Conversed, Messaged, Paged, Tracked
from tests.parsing.calls import ACCEPTED, NINE, call, notification, one, read, report, why


def test_a_bare_call_is_read() -> None:
    assert isinstance(one(call()), Tracked)


def test_a_line_of_jsonl_and_a_byte_order_mark_are_read() -> None:
    line = b"\xef\xbb\xbf" + json.dumps(call()).encode() + b"\r\n"
    assert len(parse(line, accepted_ms=ACCEPTED).signals) == 1


def test_a_batch_gives_its_context_and_sent_time_to_its_calls() -> None:
    late = {"originalTimestamp": "2026-03-02T09:00:10Z", "receivedAt": "2026-03-02T09:00:05Z", "timestamp": None}
    calls = [call("page", messageId="m1"), call("page", messageId="m2", context={"page": {"path": "/own"}}, **late)]
    parsed = read({"batch": calls, "sentAt": "2026-03-02T09:00:15Z", "context": {"page": {"path": "/shared"}}})
    paths = [signal.path for signal in parsed.signals if isinstance(signal, Paged)]
    assert paths == ["/shared", "/own"]
    assert parsed.signals[1].occurred_ms == NINE


def test_a_bare_array_is_a_batch() -> None:
    assert len(read([call(messageId="m1"), call(messageId="m2")]).signals) == 2


def test_an_empty_batch_is_passed_over_and_counted() -> None:
    assert read({"batch": []}).ignored == ("empty_batch",)


def test_one_bad_call_of_a_batch_is_refused_alone_with_its_own_bytes() -> None:
    good, bad = json.dumps(call()), '{ "type":"track",  "event":"X" }'
    parsed = parse(f'{{"sentAt":null,"batch": [{good}, {bad} ,17, {{}}]}}'.encode(), accepted_ms=ACCEPTED)
    assert len(parsed.signals) == 1
    assert [(each.reason, each.value) for each in parsed.rejected] == [
        ("no_person", bad.encode()), ("wrong_type", b"17"), ("no_type", b"{}"),
    ]  # fmt: skip


def test_a_bad_single_call_is_refused_with_the_whole_message() -> None:
    body = b' {"type":"track","event":"X"}\n'
    assert parse(body, accepted_ms=ACCEPTED).rejected[0].value == body


@pytest.mark.parametrize("key", ["httpPayload", "message_raw", "message", "payload", "value", "data", "body", "record"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_bridge_wrapper_is_opened(key: str, as_text: bool) -> None:
    for message, count in ((call(), 1), (report(), 1), ({"batch": [call(), call()]}, 2)):
        held = json.dumps(message) if as_text else message
        assert len(read({"workspace_id": "w", key: held}).signals) == count


def test_a_wrapper_with_a_type_of_its_own_gives_way_to_what_it_holds() -> None:
    wrapped = {"type": "page", "messageId": "outer", "userId": "outer", "httpPayload": call()}
    assert one(wrapped).person == "id:u1"


def test_a_wrapper_in_a_wrapper_is_not_opened() -> None:
    assert why({"message": {"message": call()}}) == "unknown_envelope"


def test_a_refused_call_in_a_wrapped_batch_keeps_its_bytes() -> None:
    text = '{"batch": [{"type": "track",   "event": "X"}]}'
    parsed = read({"message_raw": text})
    assert parsed.rejected[0].value == b'{"type": "track",   "event": "X"}'


def test_reports_and_notifications_are_told_apart_from_calls() -> None:
    assert isinstance(one(report()), Messaged)
    assert isinstance(read(notification()).signals[0], Conversed)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"), (b"{", "not_json"), (b"hello", "not_json"), (b"{} {}", "not_json"), (b"\xff\xfe", "not_utf8"),
        (b'{"type":"track","event":"\xff"}', "not_utf8"), (b"null", "wrong_type"), (b"17", "wrong_type"),
        (b'"track"', "wrong_type"), (b"{}", "unknown_envelope"), (b'{"batch":3}', "wrong_type"),
        (b'{"userId":"u"}', "no_type"), (b'{"type":"dance","userId":"u"}', "no_type"),
        (b"[" * 100_000, "too_deep"), (b'{"a":' * 100_000, "too_deep"), (b"[" * 50_000 + b"]" * 50_000, "too_deep"),
        (b"1" * 5_000, "not_json"), (b" " * (BODY_BYTES_MAX + 1), "too_large"), (b'{"a":"' + b"x" * 10_000_000, "too_large"),
    ],
    ids=range(19),
)  # fmt: skip
def test_what_cannot_be_read_is_refused_whole_with_its_reason(value: bytes, reason: str) -> None:
    parsed = parse(value, accepted_ms=ACCEPTED)
    assert [(each.reason, each.value) for each in parsed.rejected] == [(reason, value)]
    assert not parsed.signals


def test_nesting_is_limited_where_the_parser_would_still_bear_it() -> None:
    for depth, refused in ((90, False), (110, True)):
        nested = json.loads("[" * depth + "]" * depth)
        parsed = read(call(properties={"deep": nested}))
        assert bool(parsed.rejected) == refused


def test_too_many_calls_are_refused_whole() -> None:
    calls = [{"type": "group"}] * (CALLS_MAX + 1)
    assert why({"batch": calls}) == "too_many_calls"
    assert len(read({"batch": calls[1:]}).ignored) == CALLS_MAX


def test_not_a_number_and_numbers_beyond_a_float_are_missing_and_nothing_else_is_lost() -> None:
    body = (
        b'{"type":"track","event":"Order Completed","userId":"u1","properties":'
        b'{"total":NaN,"revenue":1e400,"value":-Infinity,"order_id":"o"}}'
    )
    (signal,) = parse(body, accepted_ms=ACCEPTED).signals
    assert isinstance(signal, Tracked)
    assert (signal.amount, signal.order_id) == (None, "o")


def test_of_duplicate_keys_the_last_counts() -> None:
    body = b'{"type":"page","userId":"a","userId":"b","properties":{"path":"/x"}}'
    assert parse(body, accepted_ms=ACCEPTED).signals[0].person == "id:b"


def test_half_a_surrogate_pair_is_replaced_in_text_and_refused_in_a_key() -> None:
    assert one(call(event="a\ud800b")).event == "a�b"
    assert why(call(userId="a\ud800b")) == "bad_key"
