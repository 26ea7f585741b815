"""What a window counts: events folded to minutes, pure columns in and out."""

from collections.abc import Iterable
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.catalogue import topic_of
from backoffice.streams.projection import Stream, constant

WINDOW = "metrics_window"
WINDOW_KEY = ("metric", "minute", "key", "currency", "topic", "partition")
WINDOW_SUMS = ("count", "amount")
ACTIVITY = "metrics_activity"


def bucketed(
    events: pa.Table, metric: str, topic: str, *, key: str | pa.ChunkedArray, amount: pa.ChunkedArray | None = None
) -> pa.Table:
    """Rows of the window table: one for each event, to be folded by minute and key.

    ``key`` is one text for all, or a column. With ``amount`` (minor units) the events' currency goes along.
    """
    currency = constant(events, "") if amount is None else events["currency"]
    return pa.table(
        {
            "metric": constant(events, metric),
            "minute": pc.floor_temporal(events["occurred_at"], unit="minute"),
            "key": constant(events, key) if isinstance(key, str) else key,
            "currency": currency,
            "topic": constant(events, topic),
            "partition": events["source_partition"],
            "count": constant(events, 1),
            "amount": constant(events, 0) if amount is None else amount,
        }
    )


def last_seen(events: pa.Table, topic: str) -> pa.Table:
    """Rows of the activity table: for each player the latest of these events."""
    whose = ["player_id", "brand", "jurisdiction"]
    latest = events.group_by(whose, use_threads=False).aggregate([("occurred_at", "max")])
    return pa.table(
        {
            "player_id": latest["player_id"],
            "topic": constant(latest, topic),
            "brand": latest["brand"],
            "jurisdiction": latest["jurisdiction"],
            "seen_at": latest["occurred_at_max"],
        }
    )


def count_events(stream: Stream, records: Iterable[str]) -> None:
    """Count every event of these records by record type."""
    for record in records:
        topic = topic_of(record)
        stream.project(record, into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)(
            partial(bucketed, metric="events", topic=topic, key=record)
        )


def track_activity(stream: Stream, records: Iterable[str]) -> None:
    """Take these events as a sign that the player is there."""
    for record in records:
        topic = topic_of(record)
        stream.project(record, into=ACTIVITY, key=("player_id", "topic"), newest_by=("seen_at",))(
            partial(last_seen, topic=topic)
        )
