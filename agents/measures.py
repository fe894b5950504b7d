"""Every metric of Concierge, each with its sentence; what is counted where is said by the one who counts.

No label holds personal data or anything else that a stranger can choose: each has a closed set of values, or one that the
operator set (audiences, topics, partitions). `docs/operations.md` lists them, and a test holds the list against this module.
"""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)  # Customer.io hangs up after 4, Intercom after 5

RUNNING = Gauge("concierge_running", "1 for the version that this process runs", ["part", "version"])
POLICIES = Gauge("concierge_policy_partitions", "Partitions of the log that this worker judges by a policy", ["policy"])

RECEIVED = Counter("concierge_received", "Webhooks by door and by the status that was answered", ["door", "answer"])
RECEIVE_SECONDS = Histogram(
    "concierge_receive_seconds", "From a webhook's arrival to its answer, Kafka's acknowledgement included", ["door"],
    buckets=SECONDS,
)  # fmt: skip

SIGNALLED = Counter("concierge_signals", "Signals that ingest appended to the log, by kind", ["kind"])
QUARANTINED = Counter(
    "concierge_quarantined", "Messages, calls and records sent to quarantine, by stage and reason", ["stage", "reason"]
)
IGNORED = Counter("concierge_ignored", "Messages and calls passed over on purpose, by reason", ["reason"])

TAKEN = Counter("concierge_taken", "Records of the log that the judge applied, marks of time included")
DECIDED = Counter(
    "concierge_decisions", "Decisions by audience, outcome and reason; repeats after a crash count again",
    ["audience", "outcome", "reason"],
)  # fmt: skip
LOG_TIME_LAG = Gauge(
    "concierge_log_time_lag_seconds", "How far log time is behind the clock: so much later moments begin", ["partition"]
)
TROUBLES = Gauge(
    "concierge_inputs_in_trouble", "Inputs of audiences that are not to be trusted now; what needs them begins nothing",
    ["partition"],
)  # fmt: skip

LAG = Gauge(
    "concierge_lag_records",
    "Records of a topic that this worker has still to read, by partition",
    ["topic", "partition"],
)
PARTITIONS = Gauge("concierge_partitions", "Partitions of a topic that this worker works on", ["topic"])
LIVE = Gauge("concierge_live", "1 while positions advance or nothing is left to read, else 0: restart it")
READY = Gauge("concierge_ready", "1 while this process does its work, 0 while it recovers, rebalances or stops")
COMMITS = Counter("concierge_commits", "Commits finished: outputs, state and offsets are durable")
FLUSH_SECONDS = Histogram(
    "concierge_flush_seconds", "How long a commit took until outputs and state were durable", buckets=SECONDS
)
FLUSHED = Counter("concierge_flushed_records", "Changed records of state that commits wrote to changelog and disk")
REBALANCES = Counter("concierge_rebalances", "Times that this worker's partitions were taken from it to be shared anew")

DELIVERED = Counter(
    "concierge_deliveries",
    "Commands by outcome: shown, refused, expired; later and unknown are attempts that are repeated", ["outcome"],
)  # fmt: skip
REQUESTS = Counter(
    "concierge_intercom_requests", "Requests to Intercom by status, or `no_connection` or `lost`", ["answer"]
)
RATE_LEFT = Gauge("concierge_intercom_rate_left", "Requests left in Intercom's present window, as it last said")
PENDING = Gauge(
    "concierge_commands_pending", "Contacts whose newest command has no outcome yet, settling ones included"
)
RECONCILED = Counter(
    "concierge_reconciled",
    "Contacts held against their record in the background: agrees, or how it differs; later: Intercom could not be asked",
    ["found"],
)
TOLD_BACK = Counter(
    "concierge_told_back",
    "Calls to Customer.io: told, refused; later: batches that are repeated; and decisions of which nothing is told, by why",
    ["outcome"],
)

ALL = (
    RUNNING, POLICIES, RECEIVED, RECEIVE_SECONDS, SIGNALLED, QUARANTINED, IGNORED, TAKEN, DECIDED, LOG_TIME_LAG, TROUBLES, LAG,
    PARTITIONS, LIVE, READY, COMMITS, FLUSH_SECONDS, FLUSHED, REBALANCES, DELIVERED, REQUESTS, RATE_LEFT, PENDING, TOLD_BACK,
    RECONCILED,
)  # fmt: skip
