"""The transaction of one step: what it sees, and how far it has checked when it ends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.kernel.locks import RECONCILE_STEP
from backoffice.streams.store.projection import STREAMS

from ..books import Books
from ..declared import described
from ..known import Place
from .plan import Position


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


@contextmanager
def _in_turn(is_beside: bool) -> Iterator[None]:
    """Held outside the transaction: its snapshot must follow the commit of the step before."""
    shared = "_shared" if is_beside else ""
    with connection.cursor() as cursor:
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
