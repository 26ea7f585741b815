"""What a window counts: events folded to minutes, pure columns in and out."""

from collections.abc import Iterable
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.catalogue import topic_of
from backoffice.streams.store.projection import Stream, constant

WINDOW = "metrics_window"
WINDOW_KEY = ("metric", "minute", "key", "currency", "topic", "partition")
WINDOW_SUMS = ("count", "amount")
ACTIVITY = "metrics_activity"
# Of two brands in one minute it must not matter whose event is stored first.
LATEST = ("minute", "brand", "jurisdiction")

# What a metric is called when its minutes are summed up further, for series over days: a month of minutes is too much
# to read for each look at it.
HOURLY, DAILY = "_hour", "_day"

# Metrics that the streams keep by hour and day from the first event on (`with_longer_spans`); apps add theirs.
BY_HOUR_AND_DAY: set[str] = set()

FEW_CELLS = 1 << 16

# The stream that counts the events of a record; rows of a window do not tell their stream.
_COUNTING: dict[str, str] = {}

Cells = npt.NDArray[np.int64]


def bucketed(
    events: pa.Table, metric: str, topic: str, *, key: str | pa.ChunkedArray, amount: pa.ChunkedArray | None = None
) -> pa.Table:
    """Rows of the window table, one for each minute, key, currency and partition that occurs.

    ``key`` is one text for all, or a column. With ``amount`` (minor units) the events' currency goes along.

    Raises:
        pa.ArrowInvalid: a sum does not fit 64 bits.
    """
    grouped = {
        "minute": pc.floor_temporal(events["occurred_at"], unit="minute"),
        "key": key,
        "currency": "" if amount is None else events["currency"],
        "partition": events["source_partition"],
    }
    coded = {name: _coded(column) for name, column in grouped.items()}
    sizes = [len(values) for values, _ in coded.values()]
    cells = np.zeros(events.num_rows, np.int64)
    for (_, codes), size in zip(coded.values(), sizes, strict=True):
        cells = cells * size + codes
    found, places = _numbered(cells, prod(sizes))
    counts = np.bincount(places, minlength=len(found))
    used = counts > 0
    at = dict(zip(coded, np.unravel_index(found[used], sizes), strict=True))
    columns = {name: values.take(pa.array(at[name])) for name, (values, _) in coded.items()}
    columns |= {"metric": pa.repeat(metric, int(used.sum())), "topic": pa.repeat(topic, int(used.sum()))}
    return pa.table(columns | {"count": counts[used], "amount": _sums(amount, places, len(found))[used]})


def _coded(column: pa.ChunkedArray | str) -> tuple[pa.Array, Cells | int]:
    """The distinct values of a column, and for each row which of them it has; one text is the same in all rows."""
    if isinstance(column, str):
        return pa.array([column], pa.string()), 0
    coded = column.combine_chunks().dictionary_encode()
    return coded.dictionary, coded.indices.to_numpy().astype(np.int64)


def _numbered(cells: Cells, size: int) -> tuple[Cells, Cells]:
    """The cells that may occur, and for each row the place of its own among them: all there are, unless too many."""
    if size <= FEW_CELLS:
        return np.arange(size), cells
    found, places = np.unique(cells, return_inverse=True)
    return found, places


def _sums(amounts: pa.ChunkedArray | None, places: Cells, cells: int) -> Cells:
    """The sum of the amounts of each cell; exact, or refused."""
    sums = np.zeros(cells, np.int64)
    if amounts is None or not len(amounts):
        return sums
    values = amounts.to_numpy()
    if max(int(values.max()), -int(values.min())) * len(values) > np.iinfo(np.int64).max:
        raise pa.ArrowInvalid("The sum of amounts of a window does not fit 64 bits.")
    np.add.at(sums, places, values)
    return sums


def with_longer_spans(minutes: pa.Table) -> pa.Table:
    """The rows by minute, and beside them the same amounts by hour and by day (UTC) under metrics of their own."""
    return pa.concat_tables([minutes, *(_by_span(minutes, span) for span in (HOURLY, DAILY))])


def _by_span(minutes: pa.Table, span: str) -> pa.Table:
    """Minutes of one hour or day get one key here; what has one key is added up before it is stored."""
    named = pc.binary_join_element_wise(minutes["metric"], span, "")
    floored = pc.floor_temporal(minutes["minute"], unit=span.removeprefix("_"))
    columns = {name: minutes[name] for name in minutes.column_names}
    return pa.table(columns | {"metric": named, "minute": floored})


def last_seen(events: pa.Table, topic: str) -> pa.Table:
    """Rows of the activity table: for each player the minute of the latest of these events."""
    whose = ["player_id", "brand", "jurisdiction"]
    latest = events.group_by(whose, use_threads=False).aggregate([("occurred_at", "max")])
    return pa.table(
        {
            "player_id": latest["player_id"],
            "topic": constant(latest, topic),
            "brand": latest["brand"],
            "jurisdiction": latest["jurisdiction"],
            "minute": pc.floor_temporal(latest["occurred_at_max"], unit="minute"),
        }
    )


def count_events(stream: Stream, records: Iterable[str]) -> None:
    """Count every event of these records by record type.

    Raises:
        ValueError: another stream counts one of them already, and each event would count twice.
    """
    for record in records:
        if (counting := _COUNTING.setdefault(record, stream.name)) != stream.name:
            raise ValueError(f"{record} is counted by the stream {counting} already; only one may.")
        topic = topic_of(record)
        stream.project(record, into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)(
            partial(bucketed, metric="events", topic=topic, key=record)
        )


def track_activity(stream: Stream, records: Iterable[str]) -> None:
    """Take these events as a sign that the player is there."""
    for record in records:
        topic = topic_of(record)
        stream.project(record, into=ACTIVITY, key=("player_id", "topic"), newest_by=LATEST)(
            partial(last_seen, topic=topic)
        )
