"""Rows that some events leave and most do not: each is what the event at its place in the log says."""

from collections.abc import Iterator, Mapping
from functools import cache

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ..declared import Trace
from ..differences import LISTED, Difference, Found, Unjudged, beyond
from ..messages.log import Chunk
from ..messages.reading import Event
from .accounting import FROM_THE_MIDDLE, Accounted
from .comparing import Stretch, within
from .facts import as_text
from .rows import FROM_NOWHERE
from .wants import field_of

ALTERED = "The row is not what the event at its place says; it was changed after it was stored."

Texts = Mapping[str, str | None]


def check_traces(cursor: CursorWrapper, chunk: Chunk, trace: Trace, found: Accounted) -> Iterator[Found]:
    """The rows that come from the chunk's offsets, in this generation of the topic.

    What a message made that cannot be compared is not known; nor is it of rows of an end that the log has lost, where
    they are not evidently those of what came in its place.
    """
    told: dict[int, Event] = {}
    for record in trace.records:
        if record in found.events:
            told |= zip(found.events[record].offsets, found.events[record].bodies, strict=True)
    place = chunk.place
    cursor.execute(_query(trace), [place.generation, place.partition, chunk.start, chunk.end])
    for offset, *texts in cursor.fetchall():
        row, event = dict(zip(trace.columns, texts, strict=True)), told.get(offset)
        is_unknown = offset in chunk.withheld or (offset < place.cut_until and not _is_of(trace, event, row))
        if not is_unknown and (event is None or _differing(chunk, trace, event, row)):
            yield _difference(chunk, trace, offset, row, event)
        elif event is not None and _is_later(chunk, trace, event, row):
            yield Unjudged.of(_difference(chunk, trace, offset, row, event), FROM_THE_MIDDLE)


def check_places(
    cursor: CursorWrapper, trace: Trace, stretch: Stretch, generation: int, ends: Mapping[int, int]
) -> Iterator[Found]:
    """No row, of a stretch along the key, may name a place at which nothing can have been stored.

    ``ends`` say for each partition of the topic, which is of this ``generation``, up to where rows may come from it.
    Those of former generations are of logs that are gone.
    """
    condition, bounds = within(trace.table, (trace.key,), stretch)
    query = sql.SQL(
        "SELECT {key}::text, source_generation, source_partition, source_offset FROM {table} LEFT JOIN"
        ' unnest(%s::int[], %s::bigint[]) AS known (partition, "end") ON partition = source_partition'
        " WHERE {condition} AND (source_generation NOT BETWEEN 0 AND %s OR source_offset < 0"
        '  OR source_generation = %s AND source_offset >= coalesce("end", 0)) LIMIT %s'
    ).format(key=sql.Identifier(trace.key), table=sql.Identifier(trace.table), condition=condition)
    cursor.execute(query, [list(ends), list(ends.values()), *bounds, generation, generation, LISTED + 1])
    rows = cursor.fetchall()
    yield from beyond(trace.check, rows)
    for key, of, partition, offset in rows:
        where, stands = f"{trace.table} {trace.key}={key}", {"generation": of}
        yield Difference(trace.check, FROM_NOWHERE, trace.topic, partition, "", (offset, offset), where,
                         postgres=stands, key=(key,))  # fmt: skip


def _is_of(trace: Trace, event: Event | None, row: Texts) -> bool:
    """Whether a row tells of the same thing at the same moment as the event."""
    told = (trace.columns[trace.key], "logged_at")
    return event is not None and all(
        str(event[field]) == row[column] for column, field in trace.columns.items() if field in told
    )


def _differing(chunk: Chunk, trace: Trace, event: Event, row: Texts) -> list[str]:
    """The columns in which a row is not what its event says."""
    if _is_later(chunk, trace, event, row):
        logged_at = _logged_at(trace, row)
        event = event | {"logged_at": logged_at, "at": min(event["occurred_at"], logged_at)}
    return [column for column, field in trace.columns.items() if row[column] != str(event[field])]


def _is_later(chunk: Chunk, trace: Trace, event: Event, row: Texts) -> bool:
    """Whether the row's time is later than the event's, which who reads again from the middle of a log may know only
    the least of.
    """
    return chunk.place.may_be_later and _logged_at(trace, row) > int(event["logged_at"])


def _logged_at(trace: Trace, row: Texts) -> int:
    return next((int(row[column] or 0) for column, field in trace.columns.items() if field == "logged_at"), 0)


@cache
def _query(trace: Trace) -> sql.Composed:
    return sql.SQL(
        "SELECT source_offset, {columns} FROM {table} WHERE source_generation = %s AND source_partition = %s"
        " AND source_offset >= %s AND source_offset < %s"
    ).format(
        columns=sql.SQL(", ").join(as_text(field_of(trace.table, column), column) for column in trace.columns),
        table=sql.Identifier(trace.table),
    )


def _difference(chunk: Chunk, trace: Trace, offset: int, row: Texts, event: Event | None) -> Difference:
    """Of a row, and of what the event says, if there is one."""
    differing = list(trace.columns) if event is None else _differing(chunk, trace, event, row)
    return Difference(
        trace.check, FROM_NOWHERE if event is None else ALTERED, chunk.place.topic, chunk.place.partition, "",
        (offset, offset), f"{trace.table} {trace.key}={row[trace.key]}",
        None if event is None else {column: str(event[trace.columns[column]]) for column in differing},
        {column: row[column] for column in differing},
    )  # fmt: skip
