"""For each alert a world in which it must fire, as Prometheus's own unit tests of rules; and one in which none may."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

MINUTES = 40  # of each world; `AxN` in a series is N further samples, one a minute
R, W1, W2 = (
    'job="concierge-receiver", instance="r:1"',
    'job="concierge-worker", instance="w:1"',
    'job="concierge-worker", instance="w:2"',
)
HEALTHY = {
    f"up{{{R}}}": "1x60", f"up{{{W1}}}": "1x60", f"up{{{W2}}}": "1x60",
    f"concierge_live{{{W1}}}": "1x60", f"concierge_ready{{{W1}}}": "1x60",
    f"process_start_time_seconds{{{W1}}}": "1000x60",
    f'concierge_partitions{{{W1}, topic="signals"}}': "4x60", f'concierge_partitions{{{W2}, topic="signals"}}': "4x60",
    f'concierge_received_total{{{R}, door="customerio_webhook", answer="200"}}': "0+600x60",
    f'concierge_received_total{{{R}, door="customerio_webhook", answer="401"}}': "0x60",
    f'concierge_received_total{{{R}, door="customerio_webhook", answer="503"}}': "0x60",
    f'concierge_receive_seconds_bucket{{{R}, door="customerio_webhook", le="0.1"}}': "0+600x60",
    f'concierge_receive_seconds_bucket{{{R}, door="customerio_webhook", le="5.0"}}': "0+600x60",
    f'concierge_receive_seconds_bucket{{{R}, door="customerio_webhook", le="+Inf"}}': "0+600x60",
    f'concierge_log_time_lag_seconds{{{W1}, partition="0"}}': "1x60",
    f'concierge_lag_records{{{W1}, topic="signals", partition="0"}}': "10x60",
    f"concierge_commits_total{{{W1}}}": "0+60x60", f"concierge_commits_total{{{W2}}}": "0+60x60",
    f'concierge_flush_seconds_bucket{{{W1}, le="0.1"}}': "0+60x60",
    f'concierge_flush_seconds_bucket{{{W1}, le="10.0"}}': "0+60x60",
    f'concierge_flush_seconds_bucket{{{W1}, le="+Inf"}}': "0+60x60",
    f"concierge_rebalances_total{{{W1}}}": "2x60",
    f'concierge_quarantined_total{{{W1}, stage="ingest", reason="not_json"}}': "0+1x60",
    f'concierge_quarantined_total{{{W1}, stage="judge", reason="not_a_signal"}}': "0x60",
    f'concierge_inputs_in_trouble{{{W1}, partition="0"}}': "0x60",
    f'concierge_decisions_total{{{W1}, audience="a", outcome="activated", reason="qualified"}}': "0+3x60",
    f'concierge_signals_total{{{W1}, kind="tracked"}}': "0+600x60",
    f'concierge_intercom_requests_total{{{W1}, answer="200"}}': "0+60x60",
    f'concierge_intercom_requests_total{{{W1}, answer="401"}}': "0x60",
    f'concierge_intercom_requests_total{{{W1}, answer="429"}}': "0x60",
    f'concierge_intercom_requests_total{{{W1}, answer="lost"}}': "0x60",
    f'concierge_deliveries_total{{{W1}, outcome="shown"}}': "0+60x60",
    f'concierge_deliveries_total{{{W1}, outcome="refused"}}': "0x60",
    f"concierge_commands_pending{{{W1}}}": "5x60",
    f'concierge_reconciled_total{{{W1}, found="agrees"}}': "0+6x60",
    f'concierge_reconciled_total{{{W1}, found="edited"}}': "0x60",
    f'concierge_reconciled_total{{{W1}, found="later"}}': "0+6x60",
    f'concierge_told_back_total{{{W1}, outcome="told"}}': "0+60x60",
    f'concierge_told_back_total{{{W1}, outcome="later"}}': "0+1x60",
    f'concierge_told_back_total{{{W1}, outcome="refused"}}': "0x60",
    f'concierge_running{{{W1}, part="worker", version="0.1.0"}}': "1x60",
    f'concierge_running{{{W2}, part="worker", version="0.1.0"}}': "1x60",
}  # fmt: skip


class Case(NamedTuple):
    """changed: series in place of or beside the healthy ones. labels: of the alert that fires. value: in its summary."""

    changed: Mapping[str, str]
    labels: Mapping[str, str] = MappingProxyType({})
    value: str = ""


_W1 = {"job": "concierge-worker", "instance": "w:1"}
_BUCKETS = f'concierge_receive_seconds_bucket{{{R}, door="customerio_webhook", le='
CASES = {
    "ConciergeReceiverDown": Case({f"up{{{R}}}": "1x20 0x40"}, {"job": "concierge-receiver", "instance": "r:1"}),
    "ConciergeWorkerDown": Case({f"up{{{W1}}}": "1x20 0x40"}, _W1),
    "ConciergeNotLive": Case({f"concierge_live{{{W1}}}": "0x60"}, _W1),
    "ConciergeNotReady": Case({f"concierge_ready{{{W1}}}": "0x60"}, _W1),
    "ConciergeRestarts": Case({f"process_start_time_seconds{{{W1}}}": "0+60x60"}, _W1),
    "ConciergePartitionsUnowned": Case({f'concierge_partitions{{{W2}, topic="signals"}}': "4x20 0x40"}),
    "ConciergeWebhooksRefused": Case(
        {f'concierge_received_total{{{R}, door="customerio_webhook", answer="503"}}': "0+5x60"}
    ),
    "ConciergeWrongSignatures": Case(
        {f'concierge_received_total{{{R}, door="customerio_webhook", answer="401"}}': "0+5x60"},
        {"door": "customerio_webhook"},
    ),
    "ConciergeReceiverSlow": Case({f'{_BUCKETS}"0.1"}}': "0+60x60"}),
    "ConciergeLogTimeStands": Case({f'concierge_log_time_lag_seconds{{{W1}, partition="1"}}': "0+60x60"}),
    "ConciergeLag": Case(
        {f'concierge_lag_records{{{W1}, topic="signals", partition="1"}}': "60000x60"}, {"topic": "signals"}, "60010"
    ),
    "ConciergeCommitsStand": Case({f"concierge_commits_total{{{W1}}}": "900x60"}, _W1),
    "ConciergeFlushSlow": Case({f'concierge_flush_seconds_bucket{{{W1}, le="0.1"}}': "0+6x60"}, {"instance": "w:1"}),
    "ConciergeRebalancing": Case({f"concierge_rebalances_total{{{W1}}}": "0+1x60"}, _W1),
    "ConciergeQuarantineGrows": Case(
        {f'concierge_quarantined_total{{{W1}, stage="ingest", reason="not_json"}}': "0+20x60"},
        {"stage": "ingest", "reason": "not_json"}, "200",
    ),
    "ConciergeOwnRecordUnreadable": Case(
        {f'concierge_quarantined_total{{{W1}, stage="judge", reason="not_a_signal"}}': "0x35 1x20"}, {"stage": "judge"}
    ),
    "ConciergeInputInTrouble": Case({f'concierge_inputs_in_trouble{{{W1}, partition="0"}}': "1x60"}),
    "ConciergeNothingDecided": Case({
        f'concierge_decisions_total{{{W1}, audience="a", outcome="activated", reason="qualified"}}': "7x120",
        f'concierge_signals_total{{{W1}, kind="tracked"}}': "0+600x120",
    }),
    "ConciergeIntercomAway": Case({f'concierge_intercom_requests_total{{{W1}, answer="lost"}}': "0+60x60"}),
    "ConciergeIntercomUnauthorized": Case({f'concierge_intercom_requests_total{{{W1}, answer="401"}}': "0x35 1x20"}),
    "ConciergeIntercomRefuses": Case({f'concierge_deliveries_total{{{W1}, outcome="refused"}}': "0+6x60"}),
    "ConciergeRateUsedUp": Case({f'concierge_intercom_requests_total{{{W1}, answer="429"}}': "0+5x60"}),
    "ConciergeCommandsWait": Case({f"concierge_commands_pending{{{W1}}}": "20000x60"}),
    "ConciergeContactsDiffer": Case({f'concierge_reconciled_total{{{W1}, found="edited"}}': "0+1x60"}),
    "ConciergeCustomerioNotTold": Case({f'concierge_told_back_total{{{W1}, outcome="told"}}': "60x60"}),
    "ConciergeCustomerioRefuses": Case({f'concierge_told_back_total{{{W1}, outcome="refused"}}': "0x30 1x30"}),
    "ConciergeReleasesDiffer": Case(
        {f'concierge_running{{{W2}, part="worker", version="0.1.0"}}': "_x60",
         f'concierge_running{{{W2}, part="worker", version="0.2.0"}}': "1x60"}
    ),
}  # fmt: skip


def written(alerts: list[dict[str, Any]], alerts_file: str) -> str:
    """The file for `promtool test rules`: the healthy world in which nothing fires, and each alert's own."""
    by_name = {alert["alert"]: alert for alert in alerts}
    quiet = {
        "interval": "1m", "input_series": _series({}),
        "alert_rule_test": [
            {"eval_time": f"{MINUTES}m", "alertname": name, "exp_alerts": []} for name in by_name
        ],
    }  # fmt: skip
    tests = [quiet]
    for name, case in CASES.items():
        alert = by_name[name]
        summary = alert["annotations"]["summary"].replace("{{ $value }}", case.value)
        for label, value in case.labels.items():
            summary = summary.replace(f"{{{{ $labels.{label} }}}}", value)
        fires = {
            "exp_labels": {**case.labels, "severity": alert["labels"]["severity"]},
            "exp_annotations": {"summary": summary},
        }
        at = "100m" if name == "ConciergeNothingDecided" else f"{MINUTES}m"
        test = {"eval_time": at, "alertname": name, "exp_alerts": [fires]}
        tests.append({"interval": "1m", "input_series": _series(case.changed), "alert_rule_test": [test]})
    return yaml.safe_dump({"rule_files": [alerts_file], "evaluation_interval": "1m", "tests": tests})


def _series(changed: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"series": series, "values": values} for series, values in (HEALTHY | dict(changed)).items()]
