"""No two rows of a fact table that have the same in columns which make one thing of them."""

from collections.abc import Iterable, Iterator

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ..declared import Unique
from ..differences import LISTED, Difference, Found, Standing, beyond
from ..messages.log import Chunk
from .comparing import is_row


def check_doubled(cursor: CursorWrapper, chunk: Chunk, unique: Unique) -> Iterator[Found]:
    """Of the rows that come from the chunk's offsets, beside all others."""
    table, columns = sql.Identifier(unique.table), [sql.Identifier(column) for column in unique.columns]
    same = sql.SQL(" AND ").join(sql.SQL("o.{0} = s.{0}").format(column) for column in columns)
    listed = sql.SQL(", ").join(sql.SQL("s.{}::text").format(column) for column in columns)
    cursor.execute(
        sql.SQL(
            "SELECT DISTINCT {} FROM {} s JOIN {} o ON {} AND o.event_id <> s.event_id"
            " WHERE s.source_partition = %s AND s.source_offset >= %s AND s.source_offset < %s LIMIT %s"
        ).format(listed, table, table, same),
        [chunk.place.partition, chunk.start, chunk.end, LISTED + 1],
    )
    rows = cursor.fetchall()
    yield from beyond(unique.check, rows)
    for values in rows:
        where = ", ".join(f"{column}={value}" for column, value in zip(unique.columns, values, strict=True))
        place = chunk.place.topic, chunk.place.partition
        yield Difference(unique.check, unique.says, *place, where=where, key=tuple(values))


def check_still_doubled(cursor: CursorWrapper, unique: Unique, standing: Iterable[Standing]) -> Iterator[Difference]:
    """What stands open and is so still: its log may not be read any more, but the rows tell by themselves."""
    for found in standing:
        if found["check"] != unique.check or not found.get("key"):
            continue
        query = sql.SQL("SELECT 1 FROM {} WHERE {} HAVING count(DISTINCT event_id) > 1")
        cursor.execute(query.format(sql.Identifier(unique.table), is_row(unique.table, unique.columns)), found["key"])
        if cursor.fetchone():
            yield Difference.from_json(dict(found))
