"""The months of tables that are partitioned by a time: made ahead by beat, without anybody waiting for it.

What is older than the first month lies in the partition "past"; the default one takes what comes for a month that is
not made yet, and is emptied into it when it is. So it holds next to nothing, and to look through it takes no time.
Tables of facts have ids of any kind for their key; they are partitioned by hash (``operations.py``), once and for all.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

log = logging.getLogger(__name__)

MONTHS_BACK = 13
MONTHS_AHEAD = 3
# Beat has so long to make a month before its absence is told.
MONTHS_NEEDED = 2
DEFAULT, PAST = "default", "past"
# Whoever reads the table for long must not make the streams wait behind this.
PATIENCE = "1s"
TRIES = 5


class NotMade(Exception):  # noqa: N818 - said in words to a person
    """Partitions that could not be made; the others were."""


@dataclass(frozen=True)
class Partition:
    """A partition that a table ought to have; with no ``start`` it takes all that is older."""

    table: str
    by: str
    name: str
    start: datetime | None
    end: datetime

    @property
    def bounds(self) -> sql.Composed:
        start = sql.SQL("MINVALUE") if self.start is None else sql.Literal(self.start.isoformat())
        return sql.SQL("FOR VALUES FROM ({}) TO ({})").format(start, sql.Literal(self.end.isoformat()))

    @property
    def holds(self) -> sql.Composed:
        """The condition on a row that it belongs there."""
        by, end = sql.Identifier(self.by), sql.Literal(self.end.isoformat())
        if self.start is None:
            return sql.SQL("{} < {}").format(by, end)
        return sql.SQL("{0} >= {1} AND {0} < {2}").format(by, sql.Literal(self.start.isoformat()), end)


def ensure_partitions(now: datetime, back: int = MONTHS_BACK, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the monthly partitions round ``now`` that are missing; returns the names of those made.

    Raises:
        NotMade: some could not be made, with the reason of each; whatever belongs there lies in the default partition.
    """
    made, failed = [], []
    with connection.cursor() as cursor:
        for table, by in _tables_by_time(cursor):
            for partition in [*_missing(cursor, table, by, now, back, ahead), *_past(cursor, table, by, now, back)]:
                try:
                    _make(partition)
                except DatabaseError as error:
                    failed.append(f"{partition.name}: {_first_line(error)}")
                else:
                    made.append(partition.name)
    if failed:
        raise NotMade("; ".join(failed))
    return made


def missing_partitions(now: datetime) -> list[str]:
    """Months that are due and were not made; none of them keeps a row from being stored."""
    with connection.cursor() as cursor:
        return [
            partition.name
            for table, by in _tables_by_time(cursor)
            for partition in _missing(cursor, table, by, now, 0, MONTHS_NEEDED)
        ]


def months_before(cursor: CursorWrapper, table: str, before: datetime) -> list[str]:
    """The partitions of a table that end at or before a moment, the oldest first."""
    return [name for name, _, end in _bounds(cursor, table) if end is not None and end <= before]


def _make(partition: Partition) -> None:
    """Beside the table, checked, and then attached to it: others read and write it all the while."""
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                _attach(cursor, partition)
        except DatabaseError as error:
            if not tries_left or "lock timeout" not in str(error):
                raise
            log.info("%s waits for a long read to end: %s", partition.name, _first_line(error))
        else:
            return


def _attach(cursor: CursorWrapper, partition: Partition) -> None:
    table, name = sql.Identifier(partition.table), sql.Identifier(partition.name)
    default, check = sql.Identifier(f"{partition.table}_{DEFAULT}"), sql.Identifier(f"{partition.name}_bounds")
    for statement in (
        sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(PATIENCE)),
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL, CONSTRAINT {} CHECK ({}))").format(
            name, table, check, partition.holds
        ),
        sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(default),
        sql.SQL("WITH early AS (DELETE FROM {} WHERE {} RETURNING *) INSERT INTO {} SELECT * FROM early").format(
            default, partition.holds, name
        ),
        # The check spares it looking through the rows again.
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} ").format(table, name) + partition.bounds,
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(name, check),
    ):
        cursor.execute(statement)


def _missing(cursor: CursorWrapper, table: str, by: str, now: datetime, back: int, ahead: int) -> Iterator[Partition]:
    """Months round ``now`` whose beginning lies in no partition."""
    there = [(start, end) for _, start, end in _bounds(cursor, table)]
    for offset in range(-back, ahead + 1):
        start, end = _month(now, offset), _month(now, offset + 1)
        if not any((first is None or first <= start) and (last is None or start < last) for first, last in there):
            yield Partition(table, by, f"{table}_{start:%Y%m}", start, end)


def _past(cursor: CursorWrapper, table: str, by: str, now: datetime, back: int) -> Iterator[Partition]:
    starts = [start for _, start, _ in _bounds(cursor, table)]
    if None not in starts:
        first = min([_month(now, -back), *(start for start in starts if start is not None)])
        yield Partition(table, by, f"{table}_{PAST}", None, first)


def _tables_by_time(cursor: CursorWrapper) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT c.relname, a.attname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]"
        " WHERE p.partstrat = 'r' AND a.atttypid = 'timestamptz'::regtype AND NOT c.relname LIKE '%\\_\\_%'"
        " ORDER BY c.relname"
    )
    return [(str(table), str(by)) for table, by in cursor.fetchall()]


def _bounds(cursor: CursorWrapper, table: str) -> list[tuple[str, datetime | None, datetime | None]]:
    """Name, start and end of each partition but the default one, the oldest first; None for no bound."""
    cursor.execute(
        "SELECT relname, substring(bounds from 'FROM \\(''([^'']+)''\\)')::timestamptz AS start,"
        " substring(bounds from 'TO \\(''([^'']+)''\\)')::timestamptz"
        " FROM (SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass) parts"
        " WHERE bounds <> 'DEFAULT' ORDER BY start NULLS FIRST",
        [f'"{table}"'],
    )
    return [(str(name), start, end) for name, start, end in cursor.fetchall()]


def _month(now: datetime, offset: int) -> datetime:
    months = now.year * 12 + now.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
