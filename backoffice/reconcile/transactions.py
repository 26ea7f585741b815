"""The transaction of one step: what it sees, and how far it has checked when it ends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.streams.store.projection import EVENT_LOG, STREAMS

from .models import Checked
from .plan import Place, Position


@contextmanager
def snapshot(*, full: bool) -> Iterator[CursorWrapper]:
    """Offsets and rows as they stand at one moment, whatever is committed from here on.

    The tables are locked against a rebuild's swap before the snapshot is taken: of a table that is swapped in later the
    snapshot would not see one row.
    """
    tables = sorted({EVENT_LOG} | {p.table for stream in STREAMS.values() for p in stream.projections})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        locked = sql.SQL(", ").join(map(sql.Identifier, tables))
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(locked))
        cursor.execute("SET LOCAL enable_partitionwise_join = on")
        if not full:
            # Ranges of offsets are small beside their tables; an estimate that is off must not read all of these.
            cursor.execute("SET LOCAL enable_hashjoin = off")
            cursor.execute("SET LOCAL enable_mergejoin = off")
        yield cursor


def forget_unchecked(cursor: CursorWrapper, read: list[Position]) -> None:
    """Where nothing is known to be checked, the tallies begin anew."""
    for position in read:
        topic, partition = position.topic, position.partition
        if position.checked is None:
            cursor.execute("DELETE FROM reconcile_windowtally WHERE topic = %s AND partition = %s", [topic, partition])
            if topic == "wallet-transactions":
                cursor.execute("DELETE FROM reconcile_balancetally WHERE partition = %s", [partition])


def advance(read: list[Position], ends: Mapping[Place, int], now: datetime) -> None:
    """The partitions of ``ends`` are checked up to there."""
    Checked.objects.bulk_create(
        [
            Checked(
                stream=position.stream.name, topic=position.topic, partition=position.partition, since=position.since,
                next=ends[position.key], checked_at=now,
            )
            for position in read
            if position.key in ends
        ],
        update_conflicts=True,
        unique_fields=["stream", "topic", "partition"],
        update_fields=["since", "next", "checked_at"],
    )  # fmt: skip
