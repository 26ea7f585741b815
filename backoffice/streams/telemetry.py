"""What a stream tells Prometheus of itself."""

import warnings

from prometheus_client import Counter, Gauge, Histogram

_LABELS = ("stream", "topic")

MESSAGES = Counter("pitboss_stream_messages_total", "Messages stored.", _LABELS)
DEAD_LETTERS = Counter("pitboss_stream_dead_letters_total", "Messages put into the dead letters.", _LABELS)
REPEATS = Counter("pitboss_stream_repeats_total", "Messages whose event was stored already.", _LABELS)
BATCH_SIZE = Histogram(
    "pitboss_stream_batch_messages", "Messages in a transaction.", _LABELS, buckets=(1, 10, 100, 500, 2000, 5000, 20000)
)
COMMIT_SECONDS = Histogram(
    "pitboss_stream_commit_seconds",
    "Time to store one batch.",
    _LABELS,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
LAG = Gauge(
    "pitboss_stream_lag_messages", "Messages in Kafka that are not stored yet.", (*_LABELS, "partition"),
    multiprocess_mode="livemostrecent",
)  # fmt: skip
HALTED = Gauge(
    "pitboss_stream_halted",
    "1 while a partition waits for a person.",
    (*_LABELS, "partition"),
    multiprocess_mode="livemax",
)
DIVERTED = Gauge(
    "pitboss_stream_diverted", "1 while bad messages of a partition are diverted.", (*_LABELS, "partition"),
    multiprocess_mode="livemax",
)  # fmt: skip
STALLED = Gauge(
    "pitboss_stream_stalled_seconds", "For how long a lane has had work and stored nothing; 0 while it goes on.",
    _LABELS, multiprocess_mode="livemax",
)  # fmt: skip
UNBELIEVED = Counter(
    "pitboss_stream_unbelieved_places_total",
    "Messages read whose headers claim a place that is none before their own; they stand where they are.",
    ("topic",),
)
UNTOLD = Gauge(
    "pitboss_topic_untold",
    "Followers of a compacted topic that have not been told all of it: they begin, or cannot go on.",
    ("topic",), multiprocess_mode="livesum",
)  # fmt: skip
CLOCK_BEHIND = Gauge(
    "pitboss_stream_clock_behind_seconds", "How far this worker's clock is behind the brokers'; 0 while it is right.",
    multiprocess_mode="livemax",
)  # fmt: skip
CLOCK_AHEAD = Gauge(
    "pitboss_stream_clock_ahead_seconds",
    "How far this worker's clock is ahead of Postgres' or the brokers'; 0 while it is right.",
    multiprocess_mode="livemax",
)
UNANNOUNCED = Counter("pitboss_stream_unannounced_total", "Committed batches that listeners were not told of.")
RELAYED = Counter("pitboss_outbox_relayed_total", "Outbox messages acknowledged by Kafka.", ("topic",))


def forget(stream: str, topic: str, partition: int) -> None:
    """Say nothing more of a partition that is another worker's now, or nobody's."""
    for gauge in (LAG, HALTED, DIVERTED):
        # In a shared file nothing can be removed: there a flag is down, and a value without a time is not told.
        gauge.labels(stream, topic, partition)._value.set(0.0, timestamp=0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            gauge.remove(stream, topic, partition)
