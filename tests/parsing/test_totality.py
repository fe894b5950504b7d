"""Any bytes and any JSON have a defined end, and what comes out can always be written to the log."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import signals
from contracts.calls import parse
from contracts.envelope import CALL_TYPES
from contracts.parsed import Parsed
from tests.parsing.calls import ACCEPTED, call, notification, report

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["", "u1", "A@B.c", "2026-03-02T09:00:00Z", "1,299.00", "[]", "{}", '[{"sku":1}]', "\ud800", "true"]),
)  # fmt: skip
keys = st.sampled_from([
    "type", "event", "userId", "anonymousId", "messageId", "timestamp", "originalTimestamp", "receivedAt", "sentAt",
    "traits", "properties", "context", "page", "path", "url", "email", "cio_id", "products", "price", "quantity", "total",
    "metric", "object_type", "data", "identifiers", "id", "topic", "item", "contacts", "external_id", "batch", "message",
    "httpPayload", "message_raw", "previousId", "unsubscribed", "source", "author", "contact", "order_id", "currency",
])  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=12,
)
types = st.sampled_from([*CALL_TYPES, "notification_event", "nonsense"])
objects = st.dictionaries(keys, values, max_size=7)
typed = st.builds(lambda kind, rest: {**rest, "type": kind}, types, objects)
mutated = st.builds(
    lambda base, key, value: {**base, key: value},
    st.sampled_from([call(), call("identify"), call("alias"), call("page"), report(), notification()]),
    keys,
    values,
)


def ends(parsed: Parsed) -> None:
    assert parsed.signals or parsed.rejected or parsed.ignored
    seen = set()
    for signal in parsed.signals:
        assert signals.decode(signals.encode(signal)) == signal
        assert signal.occurred_ms <= signal.accepted_ms
        assert signal.person.partition(":")[2] and len(signal.person) <= 206
        assert (signal.person, signal.id) not in seen
        seen.add((signal.person, signal.id))


@given(st.binary(max_size=200))
def test_any_bytes_have_a_defined_end(value: bytes) -> None:
    parsed = parse(value, accepted_ms=ACCEPTED)
    ends(parsed)
    assert all(rejected.value in value for rejected in parsed.rejected)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(values, typed, mutated))
def test_any_json_has_a_defined_end(message: Any) -> None:
    ends(parse(json.dumps(message).encode(), accepted_ms=ACCEPTED))


@given(st.lists(st.one_of(typed, mutated, scalars), max_size=5, unique_by=lambda message: json.dumps(message)))
def test_any_batch_has_a_defined_end_for_every_call(messages: list[Any]) -> None:
    body = json.dumps({"batch": messages, "sentAt": "2026-03-02T09:00:00Z"}).encode()
    parsed = parse(body, accepted_ms=ACCEPTED)
    alone = [parse(json.dumps({"batch": [message]}).encode(), accepted_ms=ACCEPTED) for message in messages]
    assert len(parsed.rejected) == sum(len(each.rejected) for each in alone)
    assert len(parsed.signals) == sum(len(each.signals) for each in alone)


@given(st.one_of(typed, mutated))
def test_reading_twice_gives_the_same(message: Any) -> None:
    body = json.dumps(message).encode()
    assert parse(body, accepted_ms=ACCEPTED) == parse(body, accepted_ms=ACCEPTED)
