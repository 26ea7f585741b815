"""Exactly one fact row for each event, as it was sent: sums of a range first, then event by event where they differ."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.digests import digests
from backoffice.streams.store.projection import Stream

from ..differences import LISTED, Difference, Found, beyond
from ..messages.log import LAST, Chunk, Slice
from ..messages.reading import Event, Events
from .comparing import Stretch, within
from .facts import NOTHING, Form, Sums, form, table

LOST = "The event has neither a row nor a dead letter nor a repeat to account for it; rebuild the projection."
ALTERED = "The row is not what the event says; it was changed after it was stored."
DOUBLED = "The event stands in more than one row."
OTHER_DIGEST = "The row does not have the digest of its message, by which a repeat of it would be told from a clash."
# What is asked of the offsets behind the end of a log.
OF_BEYOND = ("rows",)
FROM_NOWHERE = "The row names an offset at which no such event is stored."


# So many offsets before a chunk are looked at for rows with digests.
_NEIGHBOURS = 2_000

# For each stream and record the partitions in which it is stored.
Places = Mapping[tuple[str, str], set[int]]


@dataclass(frozen=True)
class Row:
    offset: int
    event_id: str
    digest: int | None
    values: list[str | None]


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
        lacks_digests = any(sums.undigested for sums in stored.values())
        digested_from = _digested_from(cursor, chunk, name, records) if lacks_digests else LAST
        for record in records:
            found = events.get(record) or Events()
            held = form(chunk.place.stream.name, record, name)
            digested = digests(record, [chunk.messages[offset][1] or b"" for offset in found.offsets])
            sent = held.sums(found, digested) if found.bodies else NOTHING
            there = stored.get(record, NOTHING)
            if not sent.agree(there) or (there.undigested and digested_from < LAST):
                yield from _narrowed(cursor, chunk, held, found, digested, digested_from)


def check_nothing_beyond(cursor: CursorWrapper, place: Slice, tables: Mapping[str, list[str]]) -> Iterator[Difference]:
    """No row may claim an offset that is not stored yet."""
    beyond = Chunk(place, place.start, place.end)
    for name, records in tables.items():
        for record in _stored(cursor, beyond, name, records):
            held = form(place.stream.name, record, name)
            for row in _rows(cursor, beyond, held):
                yield _difference(beyond, held, row.offset, None, row, FROM_NOWHERE)


def check_strangers(
    cursor: CursorWrapper, name: str, places: Places, stretch: Stretch, key: tuple[str, ...]
) -> Iterator[Found]:
    """No row, of a stretch along the key, may name a partition in which none of its record can be stored."""
    facts = table(name)
    condition, bounds = within(name, key, stretch)
    known = zip(*((*of, partition) for of, partitions in places.items() for partition in partitions), strict=True)
    only_stream, only_record = next(iter(places))
    record = sql.Identifier("record") if facts.has_record else sql.Literal(only_record)
    query = sql.SQL(
        "SELECT event_id::text, {record}, source_partition, source_offset FROM {table} WHERE {condition}"
        " AND (source_offset < 0 OR ({stream}, {record}, source_partition) NOT IN"
        "  (SELECT * FROM unnest(%s::text[], %s::text[], %s::int[]))) LIMIT %s"
    ).format(
        record=record, table=sql.Identifier(name), condition=condition,
        stream=sql.Identifier("stream") if facts.has_stream else sql.Literal(only_stream),
    )  # fmt: skip
    cursor.execute(query, [*bounds, *(map(list, known)), LISTED + 1])
    found = cursor.fetchall()
    yield from beyond("rows", found)
    for event_id, of, partition, offset in found:
        stands = {"table": name, "event_id": event_id}
        yield Difference("rows", FROM_NOWHERE, "", partition, of, (offset, offset), event_id, postgres=stands)


def _stored(cursor: CursorWrapper, chunk: Chunk, name: str, records: list[str]) -> dict[str, Sums]:
    cursor.execute(_sums_query(name, tuple(records)), range_of(chunk, name, records))
    return {
        record: Sums(count, int(checks), int(total), nulls) for record, count, checks, total, nulls in cursor.fetchall()
    }


@cache
def _sums_query(name: str, records: tuple[str, ...]) -> sql.Composed:
    facts = table(name)
    columns = [_record(name, records), sql.SQL("count(*)"), sql.SQL("sum({})").format(facts.checksum())]
    columns += [sql.SQL("coalesce(sum(digest), 0)"), sql.SQL("count(*) - count(digest)")]
    query = sql.SQL("SELECT {} FROM {} WHERE ").format(sql.SQL(", ").join(columns), sql.Identifier(name))
    return query + sql.SQL(in_range(name)) + sql.SQL(" GROUP BY 1")


def in_range(name: str, alias: str = "") -> str:
    """The condition for the rows of a range of offsets; parameters as ``range_of`` gives them."""
    condition = f"{alias}source_partition = %s AND {alias}source_offset >= %s AND {alias}source_offset < %s"
    condition += f" AND {alias}record = ANY(%s)" if table(name).has_record else ""
    return condition + (f" AND {alias}stream = %s" if table(name).has_stream else "")


def range_of(chunk: Chunk, name: str, records: Sequence[str]) -> list[Any]:
    place, facts = chunk.place, table(name)
    bounds: list[Any] = [place.partition, chunk.start, chunk.end]
    return bounds + [list(records)] * facts.has_record + [place.stream.name] * facts.has_stream


def _record(name: str, records: tuple[str, ...]) -> sql.Composable:
    return sql.Identifier("record") if table(name).has_record else sql.Literal(records[0])


def _rows(cursor: CursorWrapper, chunk: Chunk, held: Form) -> list[Row]:
    name = held.table.name
    query = sql.SQL("SELECT source_offset, event_id::text, digest, ARRAY[{}] FROM {} WHERE ").format(
        sql.SQL(", ").join(held.table.texts), sql.Identifier(name)
    )
    cursor.execute(query + sql.SQL(in_range(name)) + sql.SQL(" LIMIT 100000"), range_of(chunk, name, [held.record]))
    return [Row(*row) for row in cursor.fetchall()]


def _digested_from(cursor: CursorWrapper, chunk: Chunk, name: str, records: list[str]) -> int:
    """The first offset, of the chunk and of some before it, whose row has a digest: what comes later has one, too."""
    near = replace(chunk, start=max(0, chunk.start - _NEIGHBOURS))
    query = sql.SQL("SELECT min(source_offset) FROM {} WHERE digest IS NOT NULL AND ").format(sql.Identifier(name))
    cursor.execute(query + sql.SQL(in_range(name)), range_of(near, name, records))
    (first,) = cursor.fetchone()
    return LAST if first is None else int(first)


def _narrowed(
    cursor: CursorWrapper, chunk: Chunk, held: Form, events: Events, digested: Iterable[int], digested_from: int
) -> Iterator[Difference]:
    """Which events of the record, in this range, differ, and how; rows have digests from an offset on."""
    rows: dict[int, list[Row]] = defaultdict(list)
    mine = {offset: event["event_id"].lower() for offset, event in zip(events.offsets, events.bodies, strict=True)}
    for row in _rows(cursor, chunk, held):
        # What a former log left at these offsets is of other events, and can be compared with nothing any more; nor can
        # what a message made that is withheld.
        is_mine = row.offset >= chunk.place.former_until or row.event_id == mine.get(row.offset)
        if is_mine and row.offset not in chunk.withheld:
            rows[row.offset].append(row)
    for offset, event, digest in zip(events.offsets, events.bodies, digested, strict=True):
        here = rows.pop(offset, [])
        wanted = held.values(event)
        if here and here[0].digest != digest and (here[0].digest is not None or offset > digested_from):
            yield _of_digest(chunk, held, offset, event, int(digest), here[0])
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
    taken = TOPICS[chunk.place.topic].compacted
    for offset, here in rows.items():
        for row in here if offset in chunk.messages or not taken else ():
            yield _difference(chunk, held, offset, None, row, FROM_NOWHERE)


def _difference(chunk: Chunk, held: Form, offset: int, event: Event | None, row: Row | None, says: str) -> Difference:
    wanted = held.values(event) if event else None
    # At one place each is another finding: a row that was lost, and one that was put back and is not right.
    named = row.event_id if row else event["event_id"] if event else ""
    where = "" if says == ALTERED else named
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
        where=where,
        kafka=_shown(held, event["event_id"], wanted, differing) if event and wanted else None,
        postgres=_shown(held, row.event_id, row.values, differing) if row else None,
    )


def _of_digest(chunk: Chunk, held: Form, offset: int, event: Event, digest: int, row: Row) -> Difference:
    told = {"table": held.table.name, "event_id": event["event_id"], "digest": digest}
    stands = told | {"event_id": row.event_id, "digest": row.digest}
    place = (chunk.place.topic, chunk.place.partition)
    return Difference("digests", OTHER_DIGEST, *place, held.record, (offset, offset), kafka=told, postgres=stands)


def _shown(held: Form, event_id: str, values: list[str | None], differing: set[str]) -> dict[str, Any]:
    """The id of the event and the columns that differ, or its money where all do; never a personal value."""
    shown: dict[str, Any] = {"table": held.table.name, "event_id": event_id}
    everything = len(differing) == len(held.table.columns)
    for field, column, value in zip(held.fields, held.table.columns, values, strict=True):
        if field in held.money if everything else column in differing:
            shown[column] = "personal, not shown" if field in held.personal else _number(value)
    return shown


def _number(text: str | None) -> int | str | None:
    return int(text) if text and text.removeprefix("-").isdecimal() else text
