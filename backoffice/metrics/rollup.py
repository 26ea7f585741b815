"""Minutes that are long past, added up to hours and days.

A minute that is older than `settings.WINDOW_MINUTES_DAYS` is taken out of the table and added to the hour and the day
it lies in, under the same metric with ``_hour`` and ``_day`` behind it. Out and in are one statement, for a day at a
time, so all sums are the same whenever the work is broken off, and it can be done over and over. An event that comes
late for such a minute makes a minute anew; the next time it is added to the hour and the day like the others.

Metrics that the streams themselves keep by hour and day (`BY_HOUR_AND_DAY`) only lose their minutes.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.streams.database import Connection, patient
from backoffice.streams.tables.partitions import months_before

from .models import Rolled
from .windows import BY_HOUR_AND_DAY, DAILY, HOURLY, WINDOW

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
_SUMS = ("count", "amount")
# A row of windows takes some 150 bytes, indexes included; far above that the file is mostly what rows have left behind.
_MOSTLY_AIR = 1_000
_PATIENCE_SECONDS = 1.0

_TABLES: list[str] = [WINDOW]


def register(table: str) -> None:
    """Another table with the windows' columns, such as what reconciliation expects of them, is rolled up with them.

    Further columns are part of its key, or flags that an hour has when one of its minutes had them.
    """
    _TABLES.append(table)


def border(now: datetime) -> datetime:
    """Minutes before this are due to be rolled up."""
    return datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=settings.WINDOW_MINUTES_DAYS)


def rolled_before() -> datetime:
    """There are minutes from here on; before it there are hours and days, and what came late."""
    before: datetime = Rolled.objects.get().before
    return before


def roll(before: datetime) -> int:
    """Roll up all minutes before a moment (the beginning of a day) in all tables; returns how many rows went."""
    gone = 0
    while (day := _next_day(before)) is not None:
        gone += _roll_day(day)
    Rolled.objects.filter(before__lt=before).update(before=before)
    return gone


def roll_successor(connection: Connection, successor: str) -> None:
    """Roll up the minutes of a table that is to take the windows' place as far as theirs are.

    Until the open transaction ends they are rolled up no further.
    """
    with connection.transaction(), connection.cursor() as opened:
        cursor = cast(CursorWrapper, opened)
        cursor.execute(f"SELECT before FROM {Rolled._meta.db_table} FOR UPDATE")  # noqa: S608 - of a model's name
        before: datetime = cursor.fetchone()[0]
        while (day := _oldest_day(cursor, [successor], before)) is not None:
            _roll_table(cursor, successor, day)


def late_minutes(cursor: CursorWrapper, table: str, before: datetime) -> dict[str, datetime]:
    """Metrics that have minutes before a moment, and the first of each. Looked up by index: few rows are read."""
    cursor.execute(
        sql.SQL(
            "WITH RECURSIVE known (metric) AS ("
            "(SELECT min(metric) FROM {table}) UNION ALL"
            " SELECT (SELECT min(metric) FROM {table} t WHERE t.metric > known.metric) FROM known"
            " WHERE known.metric IS NOT NULL) SELECT metric, first FROM known, LATERAL"
            " (SELECT min(minute) AS first FROM {table} t WHERE t.metric = known.metric AND minute < %s) AS oldest"
            " WHERE first IS NOT NULL AND NOT right(metric, 5) = %s AND NOT right(metric, 4) = %s"
        ).format(table=sql.Identifier(table)),
        [before, HOURLY, DAILY],
    )
    return dict(cursor.fetchall())


def give_back(before: datetime) -> list[str]:
    """Make the files of months that are rolled up as small as what they hold; returns their names.

    Whoever reads such a month waits for the fraction of a second in which the few rows are written anew.
    """
    with connection.cursor() as cursor:
        return [
            month
            for month in months_before(cursor, WINDOW, before)
            if _is_air(cursor, month) and _shrunk(cursor, month)
        ]


def _next_day(before: datetime) -> datetime | None:
    with connection.cursor() as cursor:
        return _oldest_day(cursor, _TABLES, before)


def _oldest_day(cursor: CursorWrapper, tables: Sequence[str], before: datetime) -> datetime | None:
    oldest = [at for table in tables for at in late_minutes(cursor, table, before).values()]
    return min(oldest).astimezone(UTC).replace(hour=0, minute=0) if oldest else None


def _roll_day(day: datetime) -> int:
    """One day in all tables at once: nobody may ever see one rolled up and the other not."""
    with transaction.atomic(), connection.cursor() as cursor:
        Rolled.objects.select_for_update().get()
        gone = sum(_roll_table(cursor, table, day) for table in _TABLES)
        Rolled.objects.filter(before__lt=day + DAY).update(before=day + DAY)
    return gone


def _roll_table(cursor: CursorWrapper, table: str, day: datetime) -> int:
    metrics = sorted(late_minutes(cursor, table, day + DAY))
    cursor.execute(_moved(cursor, table), [metrics, day, day + DAY, sorted(BY_HOUR_AND_DAY)])
    return int(cursor.fetchone()[0])


def _moved(cursor: CursorWrapper, table: str) -> sql.Composed:
    """The statement that takes the minutes of a day out and puts its hours and the day in; says how many went."""
    cursor.execute(
        "SELECT attname, atttypid = 'bool'::regtype FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    kinds = {str(name): bool(is_flag) for name, is_flag in cursor.fetchall()}
    flags = [name for name, is_flag in kinds.items() if is_flag]
    key = [name for name in kinds if name not in (*_SUMS, *flags)]
    kept = {"metric": "metric || '_' || span", "minute": "date_trunc(span, minute, 'UTC')"}
    return sql.SQL(
        "WITH gone AS (DELETE FROM {table} WHERE metric = ANY(%s) AND minute >= %s AND minute < %s RETURNING *),"
        " kept AS (INSERT INTO {table} AS t ({key}, {rest}) SELECT {made}, {sums}"
        " FROM gone, unnest(ARRAY['hour', 'day']) span WHERE metric <> ALL(%s) GROUP BY {places}"
        " ON CONFLICT ({key}) DO UPDATE SET {added}) SELECT count(*) FROM gone"
    ).format(
        table=sql.Identifier(table),
        key=_listed("{0}", key),
        rest=_listed("{0}", [*_SUMS, *flags]),
        made=sql.SQL(", ").join(sql.SQL(kept[name]) if name in kept else sql.Identifier(name) for name in key),
        sums=sql.SQL(", ").join([*_each("sum({0})::bigint", _SUMS), *_each("bool_or({0})", flags)]),
        places=sql.SQL(", ").join(sql.SQL(str(place)) for place in range(1, len(key) + 1)),
        added=sql.SQL(", ").join(
            [*_each("{0} = t.{0} + excluded.{0}", _SUMS), *_each("{0} = t.{0} OR excluded.{0}", flags)]
        ),
    )


def _listed(form: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(_each(form, names))


def _each(form: str, names: Sequence[str]) -> list[sql.Composed]:
    return [sql.SQL(form).format(sql.Identifier(name)) for name in names]


def _is_air(cursor: CursorWrapper, partition: str) -> bool:
    cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(partition)))
    cursor.execute(
        "SELECT pg_total_relation_size(oid) > %s * greatest(reltuples, 1000) FROM pg_class WHERE oid = %s::regclass",
        [_MOSTLY_AIR, f'"{partition}"'],
    )
    return bool(cursor.fetchone()[0])


def _shrunk(cursor: CursorWrapper, partition: str) -> bool:
    try:
        with patient(cursor, _PATIENCE_SECONDS):
            # What writes a file anew keeps rows that any transaction of the whole server might see; this takes them
            # out as soon as none of this database can.
            cursor.execute(sql.SQL("VACUUM {}").format(sql.Identifier(partition)))
            cursor.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(partition)))
    except OperationalError as busy:
        log.info("%s keeps its size until tomorrow: %s", partition, busy)
        return False
    # What some transaction may still see of the rows stays until tomorrow as well.
    return not _is_air(cursor, partition)
