"""A projection's table made anew from Kafka beside the live one, and swapped in while the live stream goes on.

The shadow table is filled from offset zero up to what the live stream has stored. For the last few messages the live
stream's offset rows are locked: its next transaction waits at its first statement, until the shadow has all that the
live table has and has taken its place. People see the old rows until then, and never a part. One rebuild of a table
runs at a time; what a broken-off one left stands in nobody's way.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from backoffice.contracts.writers import Writers
from backoffice.kernel.errors import Rejected, Retryable

from ..consume.batch import Batch, DeadLetter
from ..consume.decoding import decode
from ..consume.logtimes import appended
from ..database import Connection, connect, retryable
from ..kafka.clients import closing_quietly, lone_consumer
from ..kafka.headers import headers_of
from ..store.copying import table_shape
from ..store.rows import project, with_digests
from ..store.storing import store
from . import shadow
from .origins import Origin, Place, Source, incomplete, operations_on, origins_of, sources_of, stretches
from .refusing import refuse_deciding_triggers
from .tidying import tidy
from .turn import held

log = logging.getLogger(__name__)

BATCH = 20_000
# So many messages are read while the live stream waits; about a tenth of a second.
LAST_STRETCH = 5_000
# Where they come as fast as they are read it never gets so short; then the live stream waits for what there is.
PASSES = 10
SWAP_PATIENCE = "2s"
SWAP_TRIES = 20
# Kafka has so long to say something, while the live stream may be waiting.
SILENCE_SECONDS = 30.0
# A pass on the way, which may take hours, is begun again so often where Kafka went away in it.
READ_TRIES = 5

# Called with the number of messages read so far, and of those there are.
Progress = Callable[[int, int], None]
_IN_USE = (LockNotAvailable, DeadlockDetected)


@dataclass
class Rebuild:
    """One rebuild of one table.

    ``done`` is how far each partition of each source has been read, ``logged`` the time of its log there. The rows of
    the topics ``kept`` are taken over as they are.
    """

    table: str
    sources: list[Source]
    connection: Connection
    writers: Writers
    kafka: dict[str, str]
    prefix: str
    origins: list[Origin]
    kept: set[str]
    done: dict[Place, int] = field(default_factory=dict)
    logged: dict[Place, int] = field(default_factory=dict)

    def run(self, progress: Progress) -> int:
        """Build the shadow and swap it in; returns how many messages were read.

        Raises:
            Rejected: a topic no longer holds all that the table was made of, a message cannot be read any more,
                something that hangs on the table would be lost, or another rebuild of it is at work.
            Retryable: Kafka, Postgres or the registry is away; the live table is untouched.
        """
        with retryable(), held(self.connection, self.table):
            shadow.refuse(self.connection, self.table)
            self._refuse_deciding_triggers()
            try:
                shadow.create(self.connection, self.table)
                self._rehearse()
                self._approach(progress)
                tidy(self.connection, self.table, shadow.name_of(self.table))
                self._analyse(shadow.name_of(self.table))
                self._when_free(lambda: self._swap(progress))
            finally:
                # Also when a person ends it; where the connection is gone, the next rebuild does it.
                with suppress(psycopg.Error):
                    shadow.drop(self.connection, self.table)
            self._analyse(self.table)
        return sum(self.done.values())

    def _rehearse(self) -> None:
        """Swap the empty shadow in and take it back: what would fail after hours fails now."""
        try:
            self._when_free(self._swap_and_take_back)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            said = error.diag.message_primary or str(error)
            raise Rejected(f"{self.table} cannot be replaced: {said}. It is as it was.") from error

    def _approach(self, progress: Progress) -> None:
        """Read until little is left."""
        for _ in range(PASSES):
            live = self._live()
            if self._behind(live) <= LAST_STRETCH:
                return
            self._catch_up_patiently(live, progress)

    def _catch_up_patiently(self, live: dict[Place, int], progress: Progress) -> None:
        """What was read before Kafka went away is kept."""
        for tries in range(1, READ_TRIES + 1):
            try:
                with self._listening() as consumer:
                    self._catch_up(consumer, live, progress)
                return
            except Retryable as away:
                if tries == READ_TRIES:
                    raise
                log.warning("%s: %s It goes on from where it is.", self.table, away)

    @contextmanager
    def _listening(self) -> Iterator[Consumer]:
        """A consumer for one pass: one that is left alone while an index is made hoards what it has to say, and does
        not get over a cluster that named no broker."""
        # Its log would repeat every failed connection; what that means is told once.
        with closing_quietly(lone_consumer(self.kafka, f"{self.prefix}rebuild", {"log_level": "0"})) as consumer:
            try:
                for source in self.sources:
                    # By itself the client looks once a second for who leads a topic that it has not read yet.
                    consumer.list_topics(f"{self.prefix}{source.topic}", SILENCE_SECONDS)
                yield consumer
            except KafkaException as error:
                raise Retryable(f"Kafka says: {error.args[0].str()}. {self.table} is as it was.") from error

    def _analyse(self, table: str) -> None:
        """Let the planner know the rows before anybody has to wait for it, and again with what was set on the table."""
        self.connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))

    def _live(self, *, lock: bool = False) -> dict[Place, int]:
        """The live streams' stored offsets of all sources, in one fixed order."""
        query = sql.SQL(
            "SELECT stream, topic, partition, next FROM streams_offset WHERE (stream, topic) IN ({})"
            " ORDER BY stream, topic, partition {}"
        ).format(
            sql.SQL(", ").join(
                sql.SQL("({}, {})").format(sql.Literal(s.stream.name), sql.Literal(s.topic)) for s in self.sources
            ),
            sql.SQL("FOR UPDATE" if lock else ""),
        )
        rows = self.connection.execute(query).fetchall()
        return {(str(s), str(t), p): n for s, t, p, n in rows}

    def _behind(self, live: dict[Place, int]) -> int:
        return sum(end - self.done.get(place, 0) for place, end in live.items() if place[1] not in self.kept)

    def _catch_up(self, consumer: Consumer, live: dict[Place, int], progress: Progress) -> None:
        total = sum(end for place, end in live.items() if place[1] not in self.kept)
        for source in self.sources:
            for place, end in live.items():
                if place[:2] == (source.stream.name, source.topic) and source.topic not in self.kept:
                    for _ in self._fill(consumer, source, place, end):
                        progress(sum(self.done.values()), total)

    def _fill(self, consumer: Consumer, source: Source, place: Place, end: int) -> Iterator[None]:
        """Put the rows of one partition up to ``end`` into the shadow; yields after each batch."""
        for batch in self._read(consumer, place, self.done.get(place, 0), end):
            batch.dead.update(self._left_out(place, batch))
            decoded = decode(
                batch,
                records=source.stream.records_of(source.topic),
                writers=self.writers,
                now=None,
            )
            if decoded.dead:
                row, dead = min(decoded.dead.items())
                raise Rejected(
                    f"{place[1]}[{place[2]}]@{batch.offsets[row]} was stored once and now cannot be: {dead.reason}."
                    f" {self.table} is as it was; mend the contract or the rule and start again."
                )
            shapes = {self.table: table_shape(self.connection, self.table)}
            with self.connection.transaction():
                events = with_digests(decoded.tables, batch.values, source.stream)
                for rows in project(events, source.stream, shapes, only=self.table, gone=decoded.tombstones):
                    store(self.connection, rows, shadow.name_of(self.table))
            self.done[place], self.logged[place] = batch.spans[place[2]][1], batch.logged[-1]
            yield
        self.done[place] = end

    def _left_out(self, place: Place, batch: Batch) -> dict[int, DeadLetter]:
        """Messages of the batch that the live stream took for dead letters or repeats: they made no row then."""
        start, end = batch.spans[place[2]]
        found = self.connection.execute(
            'SELECT "offset" FROM streams_deadletter WHERE stream = %(s)s AND topic = %(t)s AND partition = %(p)s'
            ' AND "offset" >= %(a)s AND "offset" < %(b)s AND generation = %(g)s'
            ' UNION ALL SELECT "offset" FROM streams_repeat WHERE stream = %(s)s AND topic = %(t)s'
            ' AND partition = %(p)s AND "offset" >= %(a)s AND "offset" < %(b)s',
            {"s": place[0], "t": place[1], "p": place[2], "a": start, "b": end, "g": self._generation(place)},
        ).fetchall()
        gone = {offset for (offset,) in found}
        return {row: DeadLetter("left out") for row, offset in enumerate(batch.offsets) if offset in gone}

    def _generation(self, place: Place) -> int:
        return next(o.generation for o in self.origins if (o.stream, o.topic) == place[:2])

    def _read(self, consumer: Consumer, place: Place, start: int, end: int) -> Iterator[Batch]:
        """The messages of one partition in [start, end) that the live stream has read too, in batches.

        Raises:
            Rejected: the log does not reach to ``end``, or has lost what is at ``start``.
        """
        for begin, until in stretches(self.connection, place, start, end):
            yield from self._read_stretch(consumer, place, begin, until)

    def _read_stretch(self, consumer: Consumer, place: Place, start: int, end: int) -> Iterator[Batch]:
        consumer.assign([TopicPartition(f"{self.prefix}{place[1]}", place[2], start)])
        at, heard_at = start, time.monotonic()
        while at < end:
            batch = Batch(place[1], generation=self._generation(place))
            # The client waits for as many as it is asked for: never for more than there are.
            for message in consumer.consume(min(BATCH, end - at), 1.0):
                heard_at = time.monotonic()
                if message.error() is None and int(message.offset() or 0) < end:
                    self._take(message, batch, place, at)
                at = max(at, self._reached(message, place, end))
            if time.monotonic() - heard_at > SILENCE_SECONDS:
                raise Retryable(f"Kafka says nothing of {place[1]}[{place[2]}] from offset {at} on.")
            if len(batch):
                yield batch

    def _take(self, message: Message, batch: Batch, place: Place, start: int) -> None:
        offset = int(message.offset() or 0)
        own = int(appended([message])[0])
        logged = max(batch.logged[-1] if len(batch) else self.logged.get(place, 0), own)
        if own < logged:
            batch.appended[place[2], offset] = own
        batch.add(
            partition=place[2],
            offset=offset,
            key=message.key(),
            value=message.value(),
            start=start,
            logged=logged,
        )
        (headers,) = headers_of([message])
        batch.note_replayed(len(batch) - 1, headers)

    def _reached(self, message: Message, place: Place, end: int) -> int:
        """The offset before which nothing is missing, by a message or by what Kafka says in place of one."""
        error, offset, where = message.error(), int(message.offset() or 0), f"{place[1]}[{place[2]}]"
        if error is None:
            return offset + 1
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise Rejected(f"{where} has lost what was still to be read: {error.str()}. {self.table} is as it was.")
        if error.code() != KafkaError._PARTITION_EOF:
            raise Retryable(f"{where}: {error.str()}")
        if offset < end:
            raise Rejected(
                f"{where} ends at offset {offset}, and {place[0]} has stored it up to {end}: the topic was made anew,"
                f" or has lost its end. {self.table} has more than Kafka; it is as it was."
            )
        return offset

    def _when_free(self, act: Callable[[], bool]) -> None:
        """Do it between two long reads of the table; nobody waits behind this for longer than the patience."""
        for _ in range(SWAP_TRIES):
            if act():
                return
        raise Retryable(f"{self.table} is being read all the time; it is as it was.")

    def _swap(self, progress: Progress) -> bool:
        """False where somebody else holds the offsets or the table; what could be read meanwhile is kept."""
        done, logged = dict(self.done), dict(self.logged)
        try:
            # Made before anybody waits.
            with self._listening() as consumer, self.connection.transaction():
                self._be_patient()
                live = self._live(lock=True)
                self._catch_up(consumer, live, progress)
                self._compare_origins()
                tidy(self.connection, self.table, shadow.name_of(self.table))
                return self._put_in_place(live)
        except _IN_USE:
            self.done, self.logged = done, logged
            return False

    def _compare_origins(self) -> None:
        if origins_of(self.connection, self.sources, self.kafka, self.prefix) != self.origins:
            raise Rejected(f"A topic of {self.table} was adopted or cut off meanwhile; it is as it was. Start again.")

    def _swap_and_take_back(self) -> bool:
        with self.connection.transaction(force_rollback=True):
            self._be_patient()
            return self._put_in_place()

    def _put_in_place(self, live: dict[Place, int] | None = None) -> bool:
        """False where the table is being read for long, or more is stored by now than ``live`` has.

        That is of a partition which was added: its offset was not there to be locked with the others. Once the table is
        locked, nothing more comes into it.
        """
        is_done = False
        with suppress(*_IN_USE), self.connection.transaction():
            for topic in sorted(self.kept):
                shadow.keep_rows(self.connection, self.table, topic)
            shadow.lock(self.connection, self.table)
            if live is not None and self._live() != live:
                raise psycopg.Rollback
            self._refuse_deciding_triggers()
            shadow.swap(self.connection, self.table)
            is_done = True
        return is_done

    def _refuse_deciding_triggers(self) -> None:
        refuse_deciding_triggers(self.connection, self.table, operations_on(self.table))

    def _be_patient(self) -> None:
        self.connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(SWAP_PATIENCE)))


def rebuild(table: str, *, kafka: dict[str, str], prefix: str, writers: Writers, progress: Progress) -> int:
    """Make ``table`` anew from Kafka and swap it in; returns how many messages were read.

    Raises:
        Rejected, Retryable: as `Rebuild.run`; also when no projection writes such a table.
    """
    sources = sources_of(table)
    with retryable():
        connection = connect()
    with closing(connection):
        origins = origins_of(connection, sources, kafka, prefix)
        gone = incomplete(origins, kafka, prefix)
        if gone and "topic" not in table_shape(connection, table).names:
            why = "; ".join(f"{topic}: {reason}" for topic, reason in sorted(gone.items()))
            raise Rejected(
                f"{why}. {table} cannot be made from what is left. Restore the topic, or keep the table as it is."
            )
        return Rebuild(table, sources, connection, writers, kafka, prefix, origins, set(gone)).run(progress)
