"""Exactly one fact row for each event, as it was sent: sums of a range first, then event by event where they differ."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.streams.store.projection import Stream

from .differences import Difference
from .facts import NOTHING, Form, Sums, form, table
from .log import Chunk, Slice
from .reading import Event, Events

LOST = "The event has neither a row nor a dead letter nor a repeat to account for it; rebuild the projection."
ALTERED = "The row is not what the event says; it was changed after it was stored."
DOUBLED = "The event stands in more than one row."
FROM_NOWHERE = "The row names an offset at which no such event is stored."


@dataclass(frozen=True)
class Row:
    offset: int
    event_id: str
    values: list[str]


def fact_tables(stream: Stream, records: Sequence[str]) -> dict[str, list[str]]:
    """The stream's fact tables and the records of a topic that have their rows there."""
    tables: dict[str, list[str]] = defaultdict(list)
    for record in sorted(set(records) & stream.records()):
        if fact := stream.fact_of(record):
            tables[fact.table].append(record)
    return dict(tables)


def check_rows(
    cursor: CursorWrapper, chunk: Chunk, tables: Mapping[str, list[str]], events: Mapping[str, Events]
) -> Iterator[Difference]:
    for name, records in tables.items():
        stored = _stored(cursor, chunk, name, records)
        for record in records:
            found = events.get(record) or Events()
            held = form(record, name)
            sent = held.sums(found.bodies) if found.bodies else NOTHING
            here = stored.get(record, NOTHING)
            if (sent.count, sent.checksum) != (here.count, here.checksum):
                yield from _narrowed(cursor, chunk, held, found)


def check_nothing_beyond(
    cursor: CursorWrapper, place: Slice, tables: Mapping[str, list[str]], following: int
) -> Iterator[Difference]:
    """No row may claim an offset that is not stored yet."""
    for name, records in tables.items():
        for record in records:
            beyond = Chunk(place, following, 2**63 - 1)
            for row in _rows(cursor, beyond, form(record, name)):
                yield _difference(beyond, form(record, name), row.offset, None, row, FROM_NOWHERE)


def _stored(cursor: CursorWrapper, chunk: Chunk, name: str, records: list[str]) -> dict[str, Sums]:
    money = table(name).money
    cursor.execute(_sums_query(name, tuple(records)), range_of(chunk, name, records))
    return {
        row[0]: Sums(
            row[1], {column: int(total or 0) for column, total in zip(money, row[2:-1], strict=True)}, int(row[-1])
        )
        for row in cursor.fetchall()
    }


@cache
def _sums_query(name: str, records: tuple[str, ...]) -> sql.Composed:
    facts = table(name)
    totals = [sql.SQL("sum({})").format(sql.Identifier(column)) for column in facts.money]
    columns = [_record(name, records), sql.SQL("count(*)"), *totals, sql.SQL("sum({})").format(facts.checksum())]
    query = sql.SQL("SELECT {} FROM {} WHERE ").format(sql.SQL(", ").join(columns), sql.Identifier(name))
    return query + sql.SQL(in_range(name)) + sql.SQL(" GROUP BY 1")


def in_range(name: str, alias: str = "") -> str:
    """The condition for the rows of a range of offsets; parameters as ``range_of`` gives them."""
    condition = f"{alias}source_partition = %s AND {alias}source_offset >= %s AND {alias}source_offset < %s"
    return condition + (f" AND {alias}record = ANY(%s)" if table(name).has_record else "")


def range_of(chunk: Chunk, name: str, records: Sequence[str]) -> list[Any]:
    return [chunk.place.partition, chunk.start, chunk.end] + ([list(records)] if table(name).has_record else [])


def _record(name: str, records: tuple[str, ...]) -> sql.Composable:
    return sql.Identifier("record") if table(name).has_record else sql.Literal(records[0])


def _rows(cursor: CursorWrapper, chunk: Chunk, held: Form) -> list[Row]:
    name = held.table.name
    query = sql.SQL("SELECT source_offset, event_id::text, ARRAY[{}] FROM {} WHERE ").format(
        sql.SQL(", ").join(held.table.texts), sql.Identifier(name)
    )
    cursor.execute(query + sql.SQL(in_range(name)) + sql.SQL(" LIMIT 100000"), range_of(chunk, name, [held.record]))
    return [Row(*row) for row in cursor.fetchall()]


def _narrowed(cursor: CursorWrapper, chunk: Chunk, held: Form, events: Events) -> Iterator[Difference]:
    """Which events of the record, in this range, differ, and how."""
    rows: dict[int, list[Row]] = defaultdict(list)
    for row in _rows(cursor, chunk, held):
        rows[row.offset].append(row)
    for offset, event in zip(events.offsets, events.bodies, strict=True):
        here = rows.pop(offset, [])
        wanted = held.values(event)
        if len(here) == 1 and here[0].values == wanted:
            continue
        if not here:
            yield _difference(chunk, held, offset, event, None, LOST)
            continue
        kept = next((row for row in here if row.values == wanted), here[0])
        if kept.values != wanted:
            yield _difference(chunk, held, offset, event, kept, ALTERED)
        for row in here:
            if row is not kept:
                yield _difference(chunk, held, offset, event, row, DOUBLED)
    for offset, here in rows.items():
        for row in here:
            yield _difference(chunk, held, offset, None, row, FROM_NOWHERE)


def _difference(chunk: Chunk, held: Form, offset: int, event: Event | None, row: Row | None, says: str) -> Difference:
    wanted = held.values(event) if event else None
    differing = {
        column
        for index, column in enumerate(held.table.columns)
        if wanted is None or row is None or wanted[index] != row.values[index]
    }
    return Difference(
        "rows",
        says,
        chunk.place.topic,
        chunk.place.partition,
        held.record,
        (offset, offset),
        where=row.event_id if row and says != ALTERED else "",
        kafka=_shown(held, event["event_id"], wanted, differing) if event and wanted else None,
        postgres=_shown(held, row.event_id, row.values, differing) if row else None,
    )


def _shown(held: Form, event_id: str, values: list[str], differing: set[str]) -> dict[str, Any]:
    """The id of the event and the columns that differ, or its money where all do; never a personal value."""
    shown: dict[str, Any] = {"table": held.table.name, "event_id": event_id}
    everything = len(differing) == len(held.table.columns)
    for field, column, value in zip(held.fields, held.table.columns, values, strict=True):
        if column in (held.table.money if everything else differing):
            shown[column] = "personal, not shown" if field in held.personal else _number(value)
    return shown


def _number(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text
