"""What dashboard, alerts and documents name exists in the code, each alert has an entry in the runbook, and each can fire."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from agents import measures
from tests.architecture.rooms import ROOT, sources
from tests.operations.alert_cases import CASES, written
from tests.operations.promtool import PromtoolMissing, promtool, run

DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/concierge.json").read_text())
ALERTS_FILE = ROOT / "deploy/prometheus/alerts.yml"
ALERTS = [rule for group in yaml.safe_load(ALERTS_FILE.read_text())["groups"] for rule in group["rules"]]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
FROM_OUTSIDE = {"up": {"job", "instance"}}  # by Prometheus
OF_THE_PROCESS = {"process_start_time_seconds": set[str](), "process_resident_memory_bytes": set[str]()}
BY_PROMETHEUS = {"job", "instance", "le"}
MAKING = re.compile(r"\b(?:Counter|Gauge|Histogram|Summary|Info|Enum)\(\s*\"concierge")
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
WORDS_OF_PROMQL = {
    "sum", "rate", "increase", "max", "min", "count", "by", "on", "and", "or", "absent", "changes", "histogram_quantile",
    "max_over_time", "unless",
}  # fmt: skip


def samples() -> dict[str, set[str]]:
    """Every name that a scrape of ours can hold, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in measures.ALL:
        (family,) = metric.describe()
        endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[family.type]
        found |= {family.name + ending: set(metric._labelnames) for ending in endings}
    return found


def problems(expression: str) -> list[str]:
    """Names of metrics and labels in a PromQL expression that nobody writes."""
    known = samples() | FROM_OUTSIDE | OF_THE_PROCESS
    found = []
    labels_allowed = set(BY_PROMETHEUS)
    bare = re.sub(r"\[[^]]*\]", "", expression)
    without = re.sub(r'"[^"]*"', "", bare)
    names = WORD.findall(re.sub(r"\{[^}]*\}|\b(?:by|on) \([^)]*\)", "", without))
    for name in names:
        if name not in known and name not in WORDS_OF_PROMQL:
            found.append(f"no metric {name}")
        labels_allowed |= known.get(name, set())
    named = re.findall(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*\"", bare)
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", without):
        named += WORD.findall(group)
    found += [f"no label {label}" for label in named if label not in labels_allowed]
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_shows_what_exists_and_says_what_it_means(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".") and panel["targets"]
    for target in panel["targets"]:
        assert problems(target["expr"]) == []
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert shown <= set().union(*samples().values()) | BY_PROMETHEUS
        assert target["datasource"]["uid"] == "prometheus"


def test_dashboard_is_provisioned_with_the_data_source_that_it_names() -> None:
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ][0]
    assert source["uid"] == "prometheus" and source["url"] == "http://prometheus:9090"
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/concierge.yml").read_text())["providers"][
        0
    ]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in compose["volumes"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_of_what_exists_and_has_its_entry_in_the_runbook(alert: dict[str, Any]) -> None:
    assert problems(alert["expr"]) == []
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"].endswith((".", ")."))
    entry = RUNBOOK.partition(f"## {alert['alert']}\n")[2].partition("\n## ")[0]
    assert f"**{alert['labels']['severity'].capitalize()}.**" in entry, "the entry says how urgent it is"
    assert "**Means**" in entry and "**Look**" in entry and "**Do**" in entry


def test_the_runbook_has_no_entry_without_an_alert_and_names_what_exists() -> None:
    assert re.findall(r"^## (Concierge\w+)$", RUNBOOK, re.MULTILINE) == [alert["alert"] for alert in ALERTS]
    for document in (RUNBOOK, OPERATIONS):
        named = set(re.findall(r"\bconcierge_\w+", document))
        bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in samples()}
        assert named and named <= samples().keys() | bases


def test_operations_lists_every_metric_with_its_sentence_and_labels() -> None:
    rows = re.findall(r"^\| `(concierge_\w+)` \| ([^|]*) \| (.*) \|$", OPERATIONS, re.MULTILINE)
    expected = []
    for metric in measures.ALL:
        (family,) = metric.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        expected.append((name, ", ".join(f"`{label}`" for label in metric._labelnames), family.documentation))
    assert rows == expected


def test_every_metric_is_used_by_the_code_and_shown_or_watched() -> None:
    written = "\n".join(path.read_text() for path in sources("agents") if path.name != "measures.py")
    watched = json.dumps(DASHBOARD) + ALERTS_FILE.read_text()
    for constant, metric in vars(measures).items():
        if metric in measures.ALL:
            (family,) = metric.describe()
            assert re.search(rf"\b{constant}\b[\n ]*[.,\])]", written), f"nobody writes {constant}"
            assert family.name in watched or family.name == "concierge_intercom_rate_left", (
                f"nobody looks at {family.name}"
            )


def test_no_metric_is_made_anywhere_else() -> None:
    """Else it would have no line in the documents, and no test would miss it."""
    listed = {family.name for metric in measures.ALL for family in metric.describe()}
    made = {family.name for family in REGISTRY.collect() if family.name.startswith("concierge")}
    assert made == listed
    written = {path.name for path in sources("agents", "streams", "contracts") if MAKING.search(path.read_text())}
    assert written == {"measures.py"}


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("sum(concierge_recieved_total)", "no metric concierge_recieved_total"),
        ("concierge_signals", "no metric concierge_signals"),
        ('rate(concierge_received_total{status="503"}[5m])', "no label status"),
        ("sum by (person) (concierge_decisions_total)", "no label person"),
        ("summ(concierge_live)", "no metric summ"),
    ],
)
def test_what_does_not_exist_is_noticed(planted: str, said: str) -> None:
    assert problems(planted) == [said]


def test_labels_hold_nobody_s_data() -> None:
    assert set().union(*samples().values()) == {
        "part", "version", "policy", "door", "answer", "found", "kind", "stage", "reason", "audience", "outcome", "partition",
        "topic",
    }  # fmt: skip


@pytest.fixture(scope="session")
def tool() -> Path:
    try:
        return promtool()
    except PromtoolMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def test_prometheus_itself_accepts_rules_and_configuration(tool: Path) -> None:
    assert run(tool, "check", "config", str(ROOT / "deploy/prometheus/prometheus.yml")) == ""
    assert run(tool, "check", "rules", str(ALERTS_FILE)) == ""


def test_every_alert_fires_when_it_should_and_all_are_silent_when_all_is_well(tool: Path, tmp_path: Path) -> None:
    assert list(CASES) == [alert["alert"] for alert in ALERTS], "each has a world in which it fires"
    cases = tmp_path / "cases.yml"
    cases.write_text(written(ALERTS, str(ALERTS_FILE)))
    assert run(tool, "test", "rules", str(cases)) == ""
    cases.write_text(written(ALERTS, str(ALERTS_FILE)).replace("concierge_live{", "concierge_alive{"))
    assert "ConciergeNotLive" in run(tool, "test", "rules", str(cases)), "a rule that stays silent is noticed"
