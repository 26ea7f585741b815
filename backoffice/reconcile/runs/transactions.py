"""The transaction of one step: what it sees, and how far it has checked when it ends."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.kernel.locks import RECONCILE_STEP
from backoffice.streams.database import patient
from backoffice.streams.store.projection import STREAMS

from ..books import Books
from ..declared import described
from ..known import Place
from ..models import HighWater
from ..positions import Position

# Shorter than what Postgres lets a transaction be silent for: two seconds at least (`DATABASE_SILENT_SECONDS`).
PULSE_SECONDS = 0.5
# For a turn is waited as long as so many steps may be silent.
_STEPS = 5


@contextmanager
def snapshot(*, is_beside: bool = False) -> Iterator[CursorWrapper]:
    """Offsets and rows as they stand at one moment, whatever is committed from here on.

    The tables are locked against a rebuild's swap before the snapshot is taken: of a table that is swapped in later the
    snapshot would not see one row. ``is_beside`` says that another process of the same run has steps at the same time.
    """
    tables = sorted(set().union(*(stream.tables() for stream in STREAMS.values())))
    with _in_turn(is_beside), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        locked = sql.SQL(", ").join(map(sql.Identifier, tables))
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(locked))
        cursor.execute("SET LOCAL enable_partitionwise_join = on")
        # Ranges of offsets are small beside their tables; an estimate that is off must not read all of these.
        cursor.execute("SET LOCAL enable_hashjoin = off")
        cursor.execute("SET LOCAL enable_mergejoin = off")
        yield cursor


class Pulse:
    """Lets Postgres hear of a transaction that is silent for long because it reads Kafka's log, and is not frozen."""

    def __init__(self) -> None:
        self._heard_at = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if connection.in_atomic_block and now - self._heard_at >= PULSE_SECONDS:
            self._heard_at = now
            with connection.cursor() as cursor:
                cursor.execute("SELECT")


@contextmanager
def _in_turn(is_beside: bool) -> Iterator[None]:
    """Held outside the transaction: its snapshot must follow the commit of the step before."""
    shared = "_shared" if is_beside else ""
    # Whoever is frozen in a step has lost it by then.
    with connection.cursor() as cursor, patient(cursor, _STEPS * settings.DATABASE_SILENT):
        cursor.execute(f"SELECT pg_advisory_lock{shared}(%s)", [RECONCILE_STEP])
    try:
        yield
    finally:
        # A connection that broke has given the lock back by itself.
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock{shared}(%s)", [RECONCILE_STEP])


def forget_unchecked(cursor: CursorWrapper, books: Books, read: list[Position]) -> None:
    """Where nothing is known to be checked, the sums begin anew. Newest versions may be told again at no harm."""
    for position in read:
        if position.checked is not None:
            continue
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE topic = %s AND partition = %s AND stream = %s").format(
                sql.Identifier(books.windows)
            ),
            [position.topic, position.partition, position.stream.name],
        )
        for book in described(position.stream.name).books:
            if book.topic == position.topic:
                query = sql.SQL("DELETE FROM {} WHERE book = %s AND partition = %s")
                cursor.execute(query.format(sql.Identifier(books.balances)), [book.name, position.partition])


def keep_marks(read: list[Position], marks: Mapping[Place, Mapping[int, int]]) -> None:
    """Note where the times of logs stand still, as far as that is not known: who begins to read there must know it."""
    HighWater.objects.bulk_create(
        [
            HighWater(
                stream=position.stream.name, topic=position.topic, partition=position.partition,
                generation=position.generation, offset=offset, reached=reached,
            )
            for position in read
            for offset, reached in marks.get(position.key, {}).items()
            if position.reached(offset) < reached
        ],
        update_conflicts=True,
        unique_fields=["stream", "topic", "partition", "generation", "offset"],
        update_fields=["reached"],
    )  # fmt: skip


def advance(
    books: Books, read: list[Position], ends: Mapping[Place, int], logged: Mapping[Place, int], now: datetime
) -> None:
    """The partitions of ``ends`` are checked up to there; ``logged`` is the time to which their logs had come there."""
    books.checked._default_manager.bulk_create(
        [
            books.checked(
                stream=position.stream.name, topic=position.topic, partition=position.partition, since=position.since,
                next=ends[position.key], logged=logged[position.key], generation=position.generation, checked_at=now,
                cuts=len(position.cuts),
            )
            for position in read
            if position.key in ends
        ],
        update_conflicts=True,
        unique_fields=["stream", "topic", "partition"],
        update_fields=["since", "next", "generation", "logged", "checked_at", "cuts"],
    )  # fmt: skip
