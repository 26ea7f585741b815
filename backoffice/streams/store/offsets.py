"""The stored offsets: the one truth about how far a stream is. What Kafka is told is only a copy for lag tools."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg

from ..consume.batch import Batch
from ..consume.sink import Fenced, Position
from ..database import Connection

_GENERATION = "SELECT generation FROM streams_reading WHERE stream = %s AND topic = %s"
_ADVANCE = (
    "UPDATE streams_offset o SET next = span.following, updated_at = %s,"
    " newest_at = greatest(newest_at, span.newest), logged = greatest(o.logged, span.logged),"
    " ahead = o.ahead + span.ahead, ahead_most = greatest(o.ahead_most, span.ahead_most),"
    " ahead_at = CASE WHEN span.ahead > 0 THEN %s ELSE ahead_at END"
    " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[],"
    "  %s::bigint[], %s::bigint[]) AS span (partition, start, following, newest, logged, ahead, ahead_most)"
    " WHERE stream = %s AND topic = %s AND o.partition = span.partition AND next = span.start"
    " RETURNING span.partition"
)


def stored(connection: Connection, stream: str, topic: str) -> dict[int, int]:
    """The next offset to store of each partition that was ever begun."""
    rows = connection.execute(
        "SELECT partition, next FROM streams_offset WHERE stream = %s AND topic = %s", [stream, topic]
    ).fetchall()
    return dict(rows)


def positions(connection: Connection, stream: str, topic: str) -> dict[int, Position]:
    """Where each partition that was ever begun goes on."""
    rows = connection.execute(
        "SELECT partition, next, coalesce(logged, 0) FROM streams_offset WHERE stream = %s AND topic = %s",
        [stream, topic],
    ).fetchall()
    return {partition: Position(n, logged) for partition, n, logged in rows}


def held_generation(connection: Connection, stream: str, topic: str) -> int:
    """How often the stream has gone over to a topic made anew; the offsets that are stored are of the last one.

    Whoever wants to go over to another waits until the transaction ends.
    """
    return _only(connection.execute(f"{_GENERATION} FOR SHARE".encode(), [stream, topic]))


def begin(connection: Connection, stream: str, topic: str, starts: Mapping[int, int], now: datetime) -> None:
    """Enter partitions that are new to the stream at the offset at which they start."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO streams_offset (stream, topic, partition, next, updated_at) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [(stream, topic, partition, start, now) for partition, start in sorted(starts.items())],
        )


def advance(connection: Connection, stream: str, batch: Batch, now: datetime) -> None:
    """Move each partition of the batch from the start to the end of its span, within the open transaction.

    This comes before the rows: it locks the partition against a rebuild's swap, and it is the cheapest way to learn
    that another worker was quicker. The newest event goes along: a late one does not set it back, and one ahead of the
    clock counts as of now, or else a single wrong clock would make its topic look fresh for hours.

    Raises:
        Fenced: a partition is not at the start of its span, or the batch is of a former topic of that name.
    """
    wanted = sorted(batch.spans.items())
    # Both in one round trip. The generation is asked behind the lock on the offsets: whoever goes over to another topic
    # either was quicker, or waits for it.
    with connection.pipeline():
        moved = connection.execute(_ADVANCE, _advances(stream, batch, now))
        stands = connection.execute(_GENERATION, [stream, batch.topic])
    reached = {partition for (partition,) in moved.fetchall()}
    for partition, (start, _) in wanted:
        if partition not in reached:
            raise Fenced(f"{batch.topic}[{partition}] is no longer at offset {start}; another worker has stored it.")
    if _only(stands) != batch.generation:
        raise Fenced(f"{stream} has gone over to another {batch.topic}; what was read of the former one is dropped.")


def _advances(stream: str, batch: Batch, now: datetime) -> list[object]:
    """What ``_ADVANCE`` is told."""
    wanted = sorted(batch.spans.items())
    return [
        now,
        now,
        [partition for partition, _ in wanted],
        [start for _, (start, _) in wanted],
        [end for _, (_, end) in wanted],
        [min(batch.newest[partition], now) if partition in batch.newest else None for partition, _ in wanted],
        [batch.reached.get(partition) for partition, _ in wanted],
        *map(list, zip(*(batch.ahead.get(partition, (0, 0)) for partition, _ in wanted), strict=True)),
        stream,
        batch.topic,
    ]


def _only(answer: psycopg.Cursor[tuple[Any, ...]]) -> int:
    row = answer.fetchone()
    return row[0] if row else 0
