import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.large_batch import split
from contracts.quarantined import PART_BYTES_MAX, decode, encode, in_parts, joined
from contracts.received import Received, frame, unframe


@given(st.binary(), st.integers(0, 10**15 - 1))
def test_a_frame_gives_back_what_it_was_made_of(body: bytes, accepted_ms: int) -> None:
    assert unframe(frame(body, accepted_ms=accepted_ms, source="customerio_webhook")) == Received(
        accepted_ms, "customerio_webhook", body
    )


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"concierge1", b"concierge1 x y\n{}", b"concierge2 1 A\n", b"concierge1 1 a"]
)
def test_bytes_without_the_frame_are_the_body(value: bytes) -> None:
    assert unframe(value) == Received(None, None, value)


@pytest.mark.parametrize("size", [0, 1, PART_BYTES_MAX, PART_BYTES_MAX + 1, 10_000_000])
def test_quarantined_bytes_come_back_whole(size: int) -> None:
    value = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    records = [encode(part) for part in in_parts(stage="receive", reason="too_large", source="s/1", value=value[:size])]
    assert max(map(len, records)) < 1_000_000
    assert joined(decode(record) for record in reversed(records)) == value[:size]


def test_a_missing_part_is_noticed() -> None:
    parts = in_parts(stage="receive", reason="too_large", source="s/1", value=b"x" * (2 * PART_BYTES_MAX))
    for wrong in (parts[:1], parts[1:], []):
        with pytest.raises(ValueError, match="missing"):
            joined(wrong)


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=3), max_size=20), st.integers(150, 400)
)
def test_a_split_batch_says_the_same_in_smaller_records(calls: list[dict[str, str]], bytes_max: int) -> None:
    body = json.dumps({"sentAt": "t", "batch": calls, "context": {"ip": "1"}}, ensure_ascii=False).encode()
    batches = split(body, bytes_max=bytes_max)
    if batches is None:
        assert max(len(json.dumps(call, ensure_ascii=False).encode()) for call in calls) > bytes_max - 100
        return
    read = [json.loads(batch) for batch in batches]
    assert [call for batch in read for call in batch["batch"]] == calls
    assert all((batch["sentAt"], batch["context"]) == ("t", {"ip": "1"}) for batch in read)
    assert all(len(batch) <= bytes_max for batch in batches)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"batch":3}', b"\xff", b"[" * 100_000, b'{"batch":["' + b"x" * 99 + b'"]}']
)
def test_what_is_no_batch_of_small_calls_is_not_split(body: bytes) -> None:
    assert split(body, bytes_max=50) is None
