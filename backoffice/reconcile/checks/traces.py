"""Rows that some events leave and most do not: each is what the event at its place in the log says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache

from django.apps import apps
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ..declared import Trace
from ..differences import Difference
from ..messages.log import Chunk
from ..messages.reading import Event
from .accounting import Accounted
from .facts import as_text
from .rows import FROM_NOWHERE

ALTERED = "The row is not what the event at its place says; it was changed after it was stored."

Texts = dict[str, str]
Span = tuple[int, int]


def check_traces(cursor: CursorWrapper, chunk: Chunk, trace: Trace, found: Accounted) -> Iterator[Difference]:
    """The rows of the chunk's keys that name a place in it, or a time."""
    events = [event for record in trace.records if record in found.events for event in found.events[record].bodies]
    rows = _rows(cursor, chunk, trace, events) if events else []
    if not rows:
        return
    key, logged_at, offset = (trace.columns[column] for column in (trace.key, *trace.by))
    at_place = {(event[key], event[offset]): event for event in events}
    at_time: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in events:
        at_time[event[key], event[logged_at]].append(event)
    spans = _spans(chunk, events, key)
    for row in rows:
        whose, at, place = row[trace.key], int(row[trace.by[0]]), int(row[trace.by[1]])
        if told := at_place.get((whose, place)):
            if _is_altered(chunk, trace, told, row):
                yield _difference(chunk, trace, place, row, told)
        elif moved := [event for event in at_time[whose, at] if _differing(trace, event, row) == [trace.by[1]]]:
            yield _difference(chunk, trace, place, row, moved[0])
        elif _lies_in(chunk, spans, whose, at, place) and place not in found.letters:
            yield _difference(chunk, trace, place, row, None)


def _spans(chunk: Chunk, events: list[Event], key: str) -> dict[str, Span]:
    """From when to when each key has events in the chunk."""
    spans: dict[str, Span] = {}
    for event in events:
        if chunk.start <= event["logged_offset"] < chunk.end:
            at = event["logged_at"]
            first, last = spans.get(event[key], (at, at))
            spans[event[key]] = min(first, at), max(last, at)
    return spans


def _lies_in(chunk: Chunk, spans: Mapping[str, Span], key: str, at: int, place: int) -> bool:
    """Whether a row is of this part of the log. What has one of its offsets and another time is of another partition,
    from which the key has moved, or of a former topic."""
    first, last = spans.get(key, (at + 1, at))
    return chunk.start <= place < chunk.end and first <= at <= last


def _is_altered(chunk: Chunk, trace: Trace, event: Event, row: Texts) -> bool:
    """Whether a row is that of the event with its key and offset, and not what this says.

    Another time as well as another content is that of another partition or a former topic. Who reads again from the
    middle of a log knows only the least that a time can be.
    """
    differing, logged_at = _differing(trace, event, row), trace.by[0]
    if logged_at not in differing:
        return bool(differing)
    is_later = int(row[logged_at]) > event["logged_at"]
    return differing == [logged_at] and (chunk.place.is_new or not is_later)


def _differing(trace: Trace, event: Event, row: Texts) -> list[str]:
    return [column for column, field in trace.columns.items() if str(event[field]) != row[column]]


def _rows(cursor: CursorWrapper, chunk: Chunk, trace: Trace, events: list[Event]) -> list[Texts]:
    times = [event["logged_at"] for event in events]
    keys = sorted({event[trace.columns[trace.key]] for event in events})
    cursor.execute(_query(trace), [keys, chunk.start, chunk.end, min(times), max(times)])
    return [dict(zip(trace.columns, texts, strict=True)) for (texts,) in cursor.fetchall()]


@cache
def _query(trace: Trace) -> sql.Composed:
    model = next(model for model in apps.get_models() if model._meta.db_table == trace.table)
    fields = {field.column: field for field in model._meta.concrete_fields}
    return sql.SQL(
        "SELECT ARRAY[{columns}] FROM {table} WHERE {key} = ANY(%s) AND ({offset} >= %s AND {offset} < %s"
        " OR {logged_at} BETWEEN timestamptz 'epoch' + %s * interval '1 microsecond'"
        " AND timestamptz 'epoch' + %s * interval '1 microsecond')"
    ).format(
        columns=sql.SQL(", ").join(as_text(fields[column], column) for column in trace.columns),
        table=sql.Identifier(trace.table), key=sql.Identifier(trace.key), logged_at=sql.Identifier(trace.by[0]),
        offset=sql.Identifier(trace.by[1]),
    )  # fmt: skip


def _difference(chunk: Chunk, trace: Trace, offset: int, row: Texts, event: Event | None) -> Difference:
    """Of a row, and of what the event says, if there is one."""
    differing = list(trace.columns) if event is None else _differing(trace, event, row)
    return Difference(
        trace.check, FROM_NOWHERE if event is None else ALTERED, chunk.place.topic, chunk.place.partition, "",
        (offset, offset), f"{trace.table} {trace.key}={row[trace.key]}",
        None if event is None else {column: str(event[trace.columns[column]]) for column in differing},
        {column: row[column] for column in differing},
    )  # fmt: skip
