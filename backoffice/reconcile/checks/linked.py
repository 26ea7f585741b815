"""Rows that belong to a fact: the transfers of a transaction, the legs of a bet. All of them, and as the event says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from zlib import crc32

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ..declared import Link
from ..differences import LISTED, Difference, Found, beyond
from ..messages.log import Chunk
from ..messages.reading import Event, Events
from .comparing import Stretch, within
from .facts import as_line, as_part, as_text, checksum
from .rows import in_range, range_of
from .wants import field_of

# A row, column by column.
Texts = tuple[str | None, ...]

LOST = "The {child} of the event are not all there; rebuild the projection."
ALTERED = "The {child} of the event are not what it says; they were changed after they were stored."


def check_linked(cursor: CursorWrapper, chunk: Chunk, link: Link, events: Mapping[str, Events]) -> Iterator[Difference]:
    for record, (count, checks) in _stored(cursor, chunk, link).items():
        found = events.get(record) or Events()
        rows = [row for event in found.bodies for row in _rows(link, record, event, chunk)]
        if (len(rows), sum([crc32(as_line(row).encode()) for row in rows])) != (count, checks):
            yield from _narrowed(cursor, chunk, link, record, found)


def check_orphans(cursor: CursorWrapper, link: Link, stretch: Stretch) -> Iterator[Found]:
    """Child rows that belong to no fact, of a stretch along their key."""
    condition, bounds = within(link.child, (link.child_key,), stretch)
    query = sql.SQL(
        "SELECT DISTINCT c.{child_key}::text FROM (SELECT {child_key} FROM {child} WHERE {condition}) c"
        " WHERE NOT EXISTS (SELECT 1 FROM {fact} f WHERE f.{key} = c.{child_key}) LIMIT %s"
    ).format(**_names(link), condition=condition)
    cursor.execute(query, [*bounds, LISTED + 1])
    rows = cursor.fetchall()
    yield from beyond(link.check, rows)
    for (key,) in rows:
        says = f"This row of {link.child} belongs to no event."
        yield Difference(link.check, says, link.topic, where=key, postgres={"table": link.child, link.child_key: key})


def _stored(cursor: CursorWrapper, chunk: Chunk, link: Link) -> dict[str, tuple[int, int]]:
    cursor.execute(_sums_query(link), range_of(chunk, link.fact, link.records))
    stored = dict.fromkeys(link.records, (0, 0))
    return stored | {record: (int(count), int(checks)) for record, count, checks in cursor.fetchall()}


@cache
def _sums_query(link: Link) -> sql.Composed:
    return sql.SQL(
        "SELECT {record}, count(*), sum({checksum}) FROM {fact} f JOIN {child} c ON c.{child_key} = f.{key} WHERE "
    ).format(record=_record(link), checksum=checksum(_parts(link)), **_names(link)) + sql.SQL(
        in_range(link.fact, "f.") + " GROUP BY 1"
    )


def _narrowed(cursor: CursorWrapper, chunk: Chunk, link: Link, record: str, events: Events) -> Iterator[Difference]:
    query = sql.SQL(
        "SELECT f.source_offset, f.event_id::text, c.{child_key} IS NOT NULL, ARRAY[{texts}]"
        " FROM {fact} f LEFT JOIN {child} c ON c.{child_key} = f.{key} WHERE "
    ).format(texts=sql.SQL(", ").join(_texts(link)), **_names(link))
    cursor.execute(query + sql.SQL(in_range(link.fact, "f.")), range_of(chunk, link.fact, [record]))
    here: dict[int, list[Texts]] = defaultdict(list)
    mine = {offset: event["event_id"].lower() for offset, event in zip(events.offsets, events.bodies, strict=True)}
    for offset, event_id, is_there, values in cursor.fetchall():
        if offset < chunk.place.former_until and event_id != mine.get(offset):
            continue
        # An offset without a fact row is told of by the check of rows.
        here[offset].extend([tuple(values)] if is_there else [])
    for offset, event in zip(events.offsets, events.bodies, strict=True):
        wanted = sorted(_rows(link, record, event, chunk), key=as_line)
        if offset in here and sorted(here[offset], key=as_line) != wanted:
            yield _difference(chunk, link, record, (offset, event), wanted, here[offset])


def _difference(
    chunk: Chunk, link: Link, record: str, at: tuple[int, Event], wanted: list[Texts], here: list[Texts]
) -> Difference:
    offset, event = at
    said = LOST if len(here) < len(wanted) else ALTERED
    return Difference(
        link.check,
        said.format(child=link.child),
        chunk.place.topic,
        chunk.place.partition,
        record,
        (offset, offset),
        kafka={
            "event_id": event["event_id"],
            "rows": [dict(zip(link.columns, row, strict=True)) for row in wanted if row not in here],
        },
        postgres={
            "table": link.child,
            "rows": [dict(zip(link.columns, row, strict=True)) for row in here if row not in wanted],
        },
    )


def _rows(link: Link, record: str, event: Event, chunk: Chunk) -> list[Texts]:
    return [
        tuple(None if value is None else str(value) for value in row)
        for row in link.expected(record, event, chunk.place.partition)
    ]


@cache
def _texts(link: Link) -> list[sql.Composable]:
    return [as_text(field_of(link.child, column), "c", column) for column in link.columns]


@cache
def _parts(link: Link) -> list[sql.Composable]:
    return [as_part(field_of(link.child, column), "c", column) for column in link.columns]


def _record(link: Link) -> sql.Composable:
    return sql.Identifier("f", "record") if len(link.records) > 1 else sql.Literal(link.records[0])


def _names(link: Link) -> dict[str, sql.Composable]:
    return {name: sql.Identifier(getattr(link, name)) for name in ("fact", "key", "child", "child_key")}
