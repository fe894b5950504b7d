"""The gift wholesaler's half year: who is in a moment, and what ends it, equals an independent SQL, customer by customer."""

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from backtests import backtest, importing
from backtests.mapping import PRESETS
from contracts import policy
from contracts.instant import from_rfc3339
from tests.backtests.retail_oracle import Expected, expected

ROOT = Path(__file__).resolve().parents[2]
WHOLESALE = policy.load(ROOT / "policies" / "wholesale.yaml")
UNTIL = "2011-07-01T00:00:00Z"
AUDIENCES = ("at_risk_repeat", "winback_vip", "ready_to_reorder")

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def retail(shared_data: Path) -> Path:
    return shared_data / "online-retail-2010-12_2011-06.parquet"


@pytest.fixture(scope="module")
def events(retail: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retail")
    importing.write(retail, PRESETS["online-retail"], out=folder / "events.jsonl", rejects=folder / "rejects.jsonl")
    return folder / "events.jsonl"


def _alone(audience: str) -> policy.Policy:
    """The policy with this audience only: one moment never waits for another then."""
    return WHOLESALE.model_copy(update={"audiences": {audience: WHOLESALE.audiences[audience]}})


def _decided(events: Path, rules: policy.Policy, out: Path) -> list[Expected]:
    backtest.run(events, rules, out=out, until_ms=from_rfc3339(UNTIL))
    found = []
    for line in (out / "decisions.jsonl").read_bytes().splitlines():
        told = msgspec.json.decode(line)
        anchor, at = (datetime.fromisoformat(text) for text in (told["episode"].partition("@")[2], told["at"]))
        found.append(Expected(told["person"], at, told["outcome"], told["reason"], anchor, told["arm"]))
    return sorted(found)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_customer_is_decided_as_computed_independently(
    audience: str, retail: Path, events: Path, tmp_path: Path
) -> None:
    found = _decided(events, _alone(audience), tmp_path)
    wanted = expected(retail, audience, datetime.fromisoformat(UNTIL))

    assert set(found) - set(wanted) == set(), "decided by the product alone"
    assert set(wanted) - set(found) == set(), "computed by the SQL alone"
    assert found == wanted
    reasons = {one.reason for one in wanted}
    assert {"qualified", "purchased", "refunded", "holdout"} <= reasons, "a void run"
    assert len({one.person for one in wanted}) >= 20, "a void run"


def test_a_threshold_that_is_off_by_one_is_seen(retail: Path, events: Path, tmp_path: Path) -> None:
    text = (ROOT / "policies" / "wholesale.yaml").read_text(encoding="utf-8")
    changed = policy.parse(text.replace("- orders: {at_least: 3}", "- orders: {at_least: 4}"), name="changed")
    rules = changed.model_copy(update={"audiences": {"at_risk_repeat": changed.audiences["at_risk_repeat"]}})
    assert _decided(events, rules, tmp_path) != expected(retail, "at_risk_repeat", datetime.fromisoformat(UNTIL))
