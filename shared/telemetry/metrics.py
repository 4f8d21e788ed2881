"""Every metric there is: a closed set of names, whose labels never carry a brand or an id."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

MESSAGES = Counter(
    "keyturn_messages",
    "Messages that the consumer has dealt with, by what came of them.",
    ["topic", "kind", "outcome"],
)
"""`kind`: command, news, other. `outcome`: applied, unchanged, refused, later, repeated, held,
saved, failed, ignored, unreadable."""

UNREADABLE = Counter(
    "keyturn_unreadable",
    "Records that could not be read or verified, by reason.",
    ["topic", "reason"],
)
HELD = Gauge("keyturn_held", "Commands that are held back now, by state.", ["state"])
BATCH_SECONDS = Histogram(
    "keyturn_batch_seconds",
    "How long one batch took, from its poll to its commit.",
    buckets=_SECONDS,
)
BATCH_RECORDS = Histogram(
    "keyturn_batch_records",
    "How many records a batch had.",
    buckets=(1, 2, 5, 10, 50, 100, 250, 500),
)
BATCH_RETRIES = Counter(
    "keyturn_batch_retries", "Batches tried again as a whole, by what failed.", ["cause"]
)
"""`cause`: database, fenced, unexpected."""
LAG = Gauge("keyturn_position_lag", "Records that are in the log and not applied yet.", ["topic"])
OFFSET_HINTS_FAILED = Counter(
    "keyturn_offset_hints_failed", "Offsets that Kafka would not take; they are hints alone."
)
BRAKE = Gauge("keyturn_brake", "1 while the consumer stands still because our own code fails.")

OUTBOX_DEPTH = Gauge("keyturn_outbox_depth", "Messages that are committed and not sent yet.")
OUTBOX_AGE = Gauge("keyturn_outbox_age_seconds", "Age of the oldest message that is not sent yet.")
RELAY_SENDS = Counter("keyturn_relay_sends", "Messages that the relay sent, by topic.", ["topic"])
RELAY_FAILURES = Counter(
    "keyturn_relay_failures", "Times the relay began again, by what failed.", ["cause"]
)
"""`cause`: kafka, database, unexpected."""

JOB_RUNS = Counter("keyturn_job_runs", "Runs of a job.", ["job", "outcome"])
"""`outcome`: done, failed."""
JOB_SECONDS = Histogram("keyturn_job_seconds", "How long a run took.", ["job"], buckets=_SECONDS)

REQUESTS = Counter("keyturn_http_requests", "HTTP requests.", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "keyturn_http_request_seconds", "How long a request took.", ["route"], buckets=_SECONDS
)
OUTCOMES_AWAITED = Gauge("keyturn_outcomes_awaited", "Commands whose senders wait for an outcome.")
