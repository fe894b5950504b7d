"""The real shop's morning: what the product decides equals what an independent computation says, person by person."""

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from backtests import backtest, importing
from backtests.mapping import PRESETS
from contracts import policy
from contracts.instant import from_rfc3339
from tests.backtests.rees46_oracle import Expected, expected

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "policies" / "skincare.yaml"
UNTIL = "2019-10-02T00:00:00Z"

pytestmark = pytest.mark.shared


@pytest.fixture
def morning(shared_data: Path) -> Path:
    return shared_data / "rees46-2019-10-01.csv.gz"


def _decided(directory: Path, source: Path, rules: policy.Policy) -> list[Expected]:
    backtest.run(source, rules, out=directory, until_ms=from_rfc3339(UNTIL))
    found = []
    for line in (directory / "decisions.jsonl").read_bytes().splitlines():
        told = msgspec.json.decode(line)
        assert told["audience"] == "high_aov_abandoner"
        anchor, at = (datetime.fromisoformat(text) for text in (told["episode"].partition("@")[2], told["at"]))
        found.append(Expected(told["person"], anchor, at, told["outcome"], told["reason"], told["arm"]))
    return sorted(found)


def test_every_customer_who_left_a_large_cart_is_decided_as_computed_independently(
    morning: Path, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    told = importing.write(morning, PRESETS["rees46"], out=events, rejects=tmp_path / "rejects.jsonl")
    assert (told.rows, told.calls, told.rejected) == (17_435, 17_434, 1)

    found = _decided(tmp_path / "out", events, policy.load(SHIPPED))
    wanted = expected(morning, datetime.fromisoformat(UNTIL))

    assert found == wanted
    outcomes = {(one.outcome, one.reason) for one in wanted}
    assert {("activated", "qualified"), ("withheld", "holdout"), ("withdrawn", "expired")} <= outcomes, "a void run"


def test_the_row_that_is_cut_in_the_user_id_is_rejected_with_its_line(morning: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    importing.write(morning, PRESETS["rees46"], out=tmp_path / "events.jsonl", rejects=rejects)
    (reject,) = (msgspec.json.decode(line) for line in rejects.read_bytes().splitlines())
    assert reject["line"] == 17_436
    assert reject["reason"] == "8 fields where the header has 9"


def test_a_policy_that_is_a_second_late_is_seen(morning: Path, tmp_path: Path) -> None:
    events, rejects = tmp_path / "events.jsonl", tmp_path / "rejects.jsonl"
    importing.write(morning, PRESETS["rees46"], out=events, rejects=rejects)
    text = SHIPPED.read_text(encoding="utf-8")
    late = policy.parse(text.replace("enter_after: 2h\n", "enter_after: 2h1s\n"), name="late")
    assert _decided(tmp_path / "out", events, late) != expected(morning, datetime.fromisoformat(UNTIL))
