"""A history in, decisions out: the raw history's own time, bad lines in quarantine, nothing sent."""

import base64
import gzip
import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from backtests import backtest, history
from backtests.history import HistoryError
from contracts import policy
from contracts.instant import from_rfc3339

RULES = policy.load(Path(__file__).resolve().parents[2] / "policies" / "skincare.yaml")
ASSISTED = "u-1"  # SHA-256 puts it at 0.27, above the holdout share of 0.10


def _call(at: str, event: str, *, user: str = ASSISTED, **properties: Any) -> str:
    told = {
        "type": "track",
        "userId": user,
        "event": event,
        "timestamp": f"2026-03-02T{at}:00Z",
        "properties": properties,
    }
    return json.dumps(told)


CART = _call("09:00", "Product Added", product_id="serum", price=200)
ORDER = _call("12:00", "Order Completed", order_id="o-1", total=200)
LAST = _call("20:00", "Product Viewed", product_id="serum")


def _run(folder: Path, *lines: str | bytes, until: str | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    source = folder / "events.jsonl"
    source.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n")
    until_ms = from_rfc3339(until) if until is not None else None
    told = backtest.run(source, RULES, out=folder / "out", until_ms=until_ms)
    decisions = (folder / "out" / "decisions.jsonl").read_bytes().splitlines()
    assert json.loads((folder / "out" / "summary.json").read_bytes()) == told
    return told, [json.loads(line) for line in decisions]


def _short(decisions: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["at"][11:16], one["outcome"], one["reason"]) for one in decisions]


def test_a_cart_and_a_later_order_give_the_moment_and_its_end(tmp_path: Path) -> None:
    told, decisions = _run(tmp_path, CART, ORDER)
    assert _short(decisions) == [("11:00", "activated", "qualified"), ("12:00", "withdrawn", "purchased")]
    assert told["audiences"] == {
        "high_aov_abandoner": {"people": 1, "activated": {"qualified": 1}, "withdrawn": {"purchased": 1}}
    }
    assert (told["policy"], told["people"], told["calls"], told["decisions"]) == (RULES.hash, 1, 2, 2)
    assert (told["first"], told["last"]) == ("2026-03-02T09:00:00.000Z", "2026-03-02T12:00:00.000Z")


def test_time_stops_at_the_last_call_which_is_included(tmp_path: Path) -> None:
    _, decisions = _run(tmp_path, CART, _call("11:00", "Product Viewed", user="somebody else"))
    assert _short(decisions) == [("11:00", "activated", "qualified")]
    _, decisions = _run(tmp_path, CART, _call("10:59", "Product Viewed", user="somebody else"))
    assert decisions == []


def test_decisions_stand_in_order_of_time_even_where_one_mark_brings_many(tmp_path: Path) -> None:
    carts = [
        _call(f"09:0{minute}", "Product Added", user=f"buyer-{minute}", product_id="serum", price=200)
        for minute in range(8)
    ]
    _, decisions = _run(tmp_path, *carts, until="2026-03-03T09:00:00Z")
    assert [one["at"] for one in decisions] == sorted(one["at"] for one in decisions)
    assert len({one["person"] for one in decisions}) == 8


def test_until_runs_time_on_and_is_included(tmp_path: Path) -> None:
    _, decisions = _run(tmp_path, CART, until="2026-03-02T11:00:00Z")
    assert _short(decisions) == [("11:00", "activated", "qualified")]
    _, decisions = _run(tmp_path, CART, until="2026-03-02T10:59:59.999Z")
    assert decisions == []


def test_calls_after_until_are_left_out_and_counted(tmp_path: Path) -> None:
    told, decisions = _run(tmp_path, CART, ORDER, LAST, until="2026-03-02T11:30:00Z")
    assert _short(decisions) == [("11:00", "activated", "qualified")]
    assert (told["after_until"], told["last"]) == (2, "2026-03-02T09:00:00.000Z")


def test_an_order_at_the_instant_of_the_nudge_comes_first(tmp_path: Path) -> None:
    _, decisions = _run(tmp_path, CART, _call("11:00", "Order Completed", order_id="o-1", total=200), LAST)
    assert decisions == []


def test_calls_out_of_order_give_the_same_decisions(tmp_path: Path) -> None:
    told, decisions = _run(tmp_path, CART, ORDER, LAST)
    shuffled, again = _run(tmp_path, LAST, ORDER, CART)
    assert again == decisions != []
    assert (told["sorted"], shuffled["sorted"]) == (False, True)


def test_calls_of_one_instant_keep_the_order_of_the_file(tmp_path: Path) -> None:
    empty = _call("09:00", "Cart Viewed", products=[])
    _, decisions = _run(tmp_path, LAST, CART, empty)
    assert decisions == [], "put in, then emptied"
    _, decisions = _run(tmp_path, LAST, empty, CART)
    assert _short(decisions) == [("11:00", "activated", "qualified")]


def test_an_identified_visitor_brings_the_cart_along(tmp_path: Path) -> None:
    anonymous = json.loads(CART) | {"anonymousId": "a-1"}
    del anonymous["userId"]
    identify = {"type": "identify", "userId": ASSISTED, "anonymousId": "a-1", "timestamp": "2026-03-02T10:00:00Z"}
    told, decisions = _run(tmp_path, json.dumps(anonymous), json.dumps(identify), ORDER)
    assert _short(decisions) == [("11:00", "activated", "qualified"), ("12:00", "withdrawn", "purchased")]
    assert {one["person"] for one in decisions} == {f"id:{ASSISTED}"}
    assert (told["people"], told["anonymous"]) == (1, 0)


def test_a_batch_and_a_bridge_are_read_like_bare_calls(tmp_path: Path) -> None:
    batch = json.dumps({"batch": [json.loads(CART), json.loads(ORDER)]})
    told, decisions = _run(tmp_path, batch, json.dumps({"message_raw": LAST}))
    assert _short(decisions) == [("11:00", "activated", "qualified"), ("12:00", "withdrawn", "purchased")]
    assert (told["lines"], told["calls"]) == (2, 3)


def test_bad_lines_go_to_quarantine_byte_for_byte_and_stop_nobody(tmp_path: Path) -> None:
    timeless = json.dumps({"type": "track", "userId": ASSISTED, "event": "Product Viewed"}).encode()
    bad = [b"{broken", b"\xff\xfe", b"[" * 5000, b'{"type": "track"}', timeless]
    told, decisions = _run(tmp_path, CART, *bad, b"", ORDER)
    assert _short(decisions) == [("11:00", "activated", "qualified"), ("12:00", "withdrawn", "purchased")]
    lines = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_bytes().splitlines()]
    assert [(line["line"], base64.b64decode(line["bytes"])) for line in lines] == list(enumerate(bad, start=2))
    assert lines[-1]["reason"] == "no_time"
    assert sum(told["rejected"].values()) == len(bad)


def test_no_quarantine_file_where_nothing_was_bad(tmp_path: Path) -> None:
    _run(tmp_path, CART, b"{broken")
    _run(tmp_path, CART)
    assert not (tmp_path / "out" / "quarantine.jsonl").exists()


def test_a_line_without_end_is_cut_and_its_neighbours_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LINE_BYTES_MAX", 1_000)
    told, decisions = _run(tmp_path, CART, b"x" * 10_000, ORDER)
    assert len(decisions) == 2
    (line,) = (json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_bytes().splitlines())
    assert (line["line"], line["cut"], len(base64.b64decode(line["bytes"]))) == (2, True, 1_000)
    assert told["lines"] == 3


def test_gzip_is_read_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(f"{CART}\n{ORDER}\n".encode())
    source = tmp_path / "events.jsonl.gz"
    source.write_bytes(whole)
    assert backtest.run(source, RULES, out=tmp_path / "out")["decisions"] == 2
    source.write_bytes(whole[:-12])
    with pytest.raises(HistoryError, match="damaged or cut"):
        backtest.run(source, RULES, out=tmp_path / "out")
    assert not (tmp_path / "out" / "summary.json").exists(), "no summary of half a history"


def test_a_history_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be read"):
        backtest.run(tmp_path / "nowhere.jsonl", RULES, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class _NoSockets:
    """Takes the network away: a socket is an error."""

    def __init__(self, *arguments: object, **named: object) -> None:
        raise AssertionError("somebody opened a socket")


def test_a_backtest_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", _NoSockets)
    monkeypatch.setattr(socket, "create_connection", _NoSockets)
    with pytest.raises(AssertionError, match="opened a socket"):
        socket.socket()
    _, decisions = _run(tmp_path, CART, ORDER)
    assert decisions, "a void run shows nothing"


def test_the_spool_gives_signals_back_in_order_of_occurrence(tmp_path: Path) -> None:
    source = tmp_path / "events.jsonl"
    source.write_text("\n".join((LAST, ORDER, CART)), encoding="utf-8")
    read = history.read(source, spool=io.BytesIO(), quarantine=io.BytesIO())
    assert [signal.accepted_ms for signal in read.signals()] == [
        from_rfc3339(f"2026-03-02T{hour}:00:00Z") for hour in ("09", "12", "20")
    ]
