"""The tables as a sink: a batch's rows, its dead letters and its offsets in one transaction."""

import logging
import math
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from django.conf import settings

from backoffice.contracts.writers import Writers
from backoffice.kernel.clock import Clock
from backoffice.kernel.errors import ENDINGS, Retryable, origin

from ..consume.batch import Batch, DeadLetter
from ..consume.deadletters import store_dead
from ..consume.decoding import Decoded, decode
from ..consume.sink import Fenced, Position, Refused, Unstorable
from ..database import Connection, connect, is_refusal, retryable, session_name
from ..outbox.alerts import raise_alert
from ..outbox.clashes import Clashes, tell_of
from ..sessions import session
from . import announcing, offsets
from .copying import table_shape
from .projection import Stream
from .repeats import known
from .rows import Rows, Shapes, project, with_digests
from .storing import store
from .tombstones import outdated

log = logging.getLogger(__name__)

# How long a worker may be silent in a transaction. One that hangs has lost its partitions to others, who wait for its
# lock on their offsets.
SILENCE_SECONDS = 10
# What nobody foresaw may pass by itself, and then was no message's: so long (seconds) after a batch failed first
# nothing of it dies of that.
AGAIN_SECONDS = 1.0
# Values of a message in what a library says of it.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class PreparedRows:
    """A batch ready to be written: decoded, checked, projected; or why its rows could not be made (a sum too great)."""

    batch: Batch
    decoded: Decoded
    rows: list[Rows] | BaseException


class TableSink:
    """Stores the batches of one stream from one topic into its tables, over a connection of its own.

    Raises (every method): as any sink; Retryable while Postgres or the registry is away.
    """

    def __init__(self, stream: Stream, topic: str, writers: Writers, clock: Clock) -> None:
        self._stream, self._topic = stream, topic
        self._records = stream.records_of(topic)
        self._writers, self._clock = writers, clock
        self._connection: Connection | None = None
        self._shapes: Shapes = {}
        # When the batch that is being stored failed first; infinitely late while it has not.
        self._failed_at = math.inf

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise Retryable("The sink is not open.")
        return self._connection

    def open(self) -> None:
        self.close()
        self.use(connect(silent_for=SILENCE_SECONDS, name=session_name(self._stream.name, self._topic)))

    def use(self, connection: Connection) -> None:
        """Store over this connection from now on."""
        with retryable():
            self._shapes = {table: table_shape(connection, table) for table in self._stream.tables()}
        self._connection = connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def positions(
        self, partitions: Collection[int], first: Callable[[int], int], generation: int
    ) -> dict[int, Position]:
        # A connection of its own: the reading thread asks, while the writing one may be in a transaction.
        name, topic = self._stream.name, self._topic
        with session(session_name(name, topic)) as connection:
            known = offsets.stored(connection, name, topic)
            starts = {partition: first(partition) for partition in set(partitions) - known.keys()}
            with connection.transaction():
                # Before anything is entered: where the former topic began means nothing in the one that is there now.
                if offsets.held_generation(connection, name, topic) != generation:
                    raise Retryable(f"{name} has gone over to another {topic} meanwhile.")
                offsets.begin(connection, name, topic, starts, self._clock.now())
                return offsets.positions(connection, name, topic)

    def prepare(self, batch: Batch) -> PreparedRows:
        decoded = Decoded()
        try:
            decoded = decode(batch, records=self._records, writers=self._writers, now=self._clock.now())
            decoded.tables = with_digests(decoded.tables, batch.values, self._stream)
            batch = replace(batch, dead=batch.dead | decoded.dead, passed=decoded.passed, newest=decoded.newest())
            batch.ahead = decoded.ahead(settings.CLOCK_TOLERANCE)
            rows = project(decoded.tables, self._stream, self._shapes, gone=decoded.tombstones)
            for made in rows:
                # Encoded here, while the writer's transaction runs, and not within it.
                _ = made.sent
        except (Retryable, *ENDINGS):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a message can cause; ``commit`` finds out which one
            return PreparedRows(batch, decoded, error)
        return PreparedRows(batch, decoded, rows)

    def commit(self, prepared: PreparedRows) -> Iterator[PreparedRows]:
        self._failed_at = math.inf
        try:
            yield from self._commit(prepared)
        except Retryable as error:
            if not is_refusal(error.__cause__) or not self._is_sound:
                raise
            raise Refused(str(error)) from error.__cause__

    @property
    def _is_sound(self) -> bool:
        """Whether the session can begin another transaction."""
        return self.connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE

    def _commit(self, prepared: PreparedRows, *, is_again: bool = False) -> Iterator[PreparedRows]:
        try:
            self._write(prepared)
        except (Retryable, Fenced, *ENDINGS):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a message can cause
            failure = error
            self._failed_at = min(self._failed_at, time.monotonic())
        else:
            announcing.announce(prepared.decoded.tables)
            yield prepared
            return
        yield from self._commit_without_the_bad(prepared, failure, is_again=is_again)
        # It knows the frames that know it and the batch: they would hold each other until somebody collects them.
        failure.__traceback__ = None

    def _write(self, prepared: PreparedRows) -> None:
        now, batch = self._clock.now(), prepared.batch
        if isinstance(prepared.rows, BaseException):
            raise prepared.rows
        # One for all: where the sink is opened anew meanwhile, the half that is here must not go over another.
        connection = self.connection
        with retryable(), connection.transaction():
            offsets.advance(connection, self._stream.name, batch, now)
            for rows in prepared.rows:
                store(connection, rows)
            self._tell_of_outdated(connection, batch, now)
            store_dead(connection, self._stream.name, batch, now)
            self._tell_of_clashes(connection, batch, now)
            self._store_repeats(connection, batch, now)

    def _commit_without_the_bad(
        self, prepared: PreparedRows, error: BaseException, *, is_again: bool
    ) -> Iterator[PreparedRows]:
        """Leave out repeats if there are any; else halve until the message that causes the error is alone.

        What the server says of its row is a verdict on it. Any other error has to come once more, when all is decoded
        and made anew: threads that meet, a memory that is short, a fault of ours may fail any message once.
        """
        batch = prepared.batch
        repeats, clashes = (
            self._known(prepared.decoded) if isinstance(error, psycopg.errors.UniqueViolation) else ({}, {})
        )
        if repeats or clashes:
            told = replace(batch, repeats=batch.repeats | repeats, dead=batch.dead | clashes)
            yield from self._commit(self.prepare(told))
        elif len(batch) > 1:
            for half in batch.halves():
                yield from self._commit(self.prepare(half))
        elif not batch.living():
            raise Unstorable(f"Not even without its messages can a batch be stored. {_in_words(error)}") from error
        elif is_again or (isinstance(error, psycopg.Error) and error.sqlstate):
            letter = DeadLetter(_in_words(error), None, _records(prepared).get(0, ""), late=True)
            yield from self._commit(self.prepare(replace(batch, dead={0: letter})))
        else:
            self._wait_a_while(batch, error)
            yield from self._commit(self.prepare(batch), is_again=True)

    def _wait_a_while(self, batch: Batch, error: BaseException) -> None:
        """Once for all messages of a batch: many may die of the same, and its lane has to go on."""
        rest = self._failed_at + AGAIN_SECONDS - time.monotonic()
        if rest > 0:
            place = f"{batch.topic}[{batch.partitions[0]}]@{batch.offsets[0]}"
            told = "%s: what nobody foresaw keeps %s from being stored: %s"
            log.warning(told, self._stream.name, place, origin(error))
            time.sleep(rest)

    def _known(self, decoded: Decoded) -> tuple[dict[int, str], dict[int, DeadLetter]]:
        with retryable(), self.connection.transaction(force_rollback=True):
            return known(self.connection, decoded.tables, self._stream, self._shapes)

    def _tell_of_clashes(self, connection: Connection, batch: Batch, now: datetime) -> None:
        rows = [row for row, dead in sorted(batch.dead.items()) if dead.is_clash]
        if rows:
            places = [(batch.partitions[row], batch.offsets[row]) for row in rows]
            record = batch.dead[rows[0]].record
            tell_of(Clashes(self._stream.name, batch.topic, batch.generation, places, record), now, connection)

    def _tell_of_outdated(self, connection: Connection, batch: Batch, now: datetime) -> None:
        """An alert where messages came behind what they are older than: compaction takes that out of the log."""
        if keys := outdated(connection, batch):
            summary = (
                f"{self._stream.name}: replays or tombstones of {batch.topic} came behind newer messages of {len(keys)}"
                f" of its keys, the first {keys[0]}. The tables keep these, but Kafka will forget them: have their"
                " producer tell them again, or a rebuild will not find them."
            )
            raise_alert("older_message_came_last", summary, now=now, evidence={"keys": keys}, over=connection)

    def _store_repeats(self, connection: Connection, batch: Batch, now: datetime) -> None:
        if not batch.repeats:
            return
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO streams_repeat VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (self._stream.name, batch.topic, batch.partitions[row], batch.offsets[row], record, now)
                    for row, record in sorted(batch.repeats.items())
                ],
            )


def _records(prepared: PreparedRows) -> dict[int, str]:
    """The record type of each message of the batch."""
    return {row: record for record, table in prepared.decoded.tables.items() for row in table["row"].to_pylist()}


def _in_words(error: BaseException) -> str:
    """What was said of a message that cannot be stored, without the message."""
    if isinstance(error, psycopg.Error):
        said = error.diag.message_primary or str(error).strip().partition("\n")[0]
        return f"Postgres refuses its row: {said} ({error.diag.table_name or 'no table named'})"
    said = _QUOTED.sub("…", str(error).strip().partition("\n")[0])[:200]
    return f"Its row cannot be made: {said or 'no reason given'} ({type(error).__name__})"
