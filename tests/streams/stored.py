"""Batches stored into a real Postgres without Kafka: logs of messages in, contents of tables out."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from backoffice.contracts.catalogue import topic_of
from backoffice.kernel.clock import FixedClock
from backoffice.simulator.events.envelope import Event
from backoffice.streams.consume.batch import Batch
from backoffice.streams.database import Connection
from backoffice.streams.standing import Standing
from backoffice.streams.store import offsets
from backoffice.streams.store.projection import STREAMS, Stream
from backoffice.streams.store.sink import TableSink
from tests.streams.arriving import NOW, KnownWriters, key_of, message

PARTITIONS = 3
# Numbers that tell only in which order rows were stored.
SERIALS = {"trading_statuschange": ("id",)}
TABLES = tuple(sorted({p.table for stream in STREAMS.values() for p in stream.projections} | {"streams_event"}))

BOOKKEEPING = (
    "streams_acceptance", "streams_deadletter", "streams_diversion", "streams_gap", "streams_halt", "streams_offset",
    "streams_outbox", "streams_reading", "streams_repeat", "streams_stall", "streams_tombstone",
    "trading_providersuspension",
)  # fmt: skip


# In place of a key: the one that its contract asks for.
OWN_KEY = b"its own"


@dataclass(frozen=True)
class Logged:
    """A message where it stands in its topic; ``stood`` where it was at first, if it was a dead letter."""

    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = OWN_KEY
    logged: int = 0
    stood: Standing | None = None


Log = dict[str, list[Logged]]


def log_of(events: Iterable[Event]) -> Log:
    """The messages of each topic in order of arrival, all of one key in one partition."""
    values = ((topic_of(event.record), event.key, message(event.record, event.body)) for event in events)
    return log_of_values((topic, crc32(key.encode()) % PARTITIONS, value) for topic, key, value in values)


def log_of_values(values: Iterable[tuple[str, int, bytes | None]]) -> Log:
    """The same for values as they are, each with its topic and partition."""
    log: Log = defaultdict(list)
    ends: Counter[tuple[str, int]] = Counter()
    for topic, partition, value in values:
        log[topic].append(Logged(partition, ends[topic, partition], value))
        ends[topic, partition] += 1
    return log


@dataclass
class Store:
    """Every stream over one database."""

    connection: Connection
    writers: KnownWriters = field(default_factory=KnownWriters)

    def sink(self, stream: Stream, topic: str) -> TableSink:
        sink = TableSink(stream, topic, self.writers, FixedClock(NOW))
        sink.use(self.connection)
        return sink

    def take(self, log: Log, rng: random.Random | None = None) -> None:
        """Every stream stores the log from where it stands: each topic as one batch, or in batches of random sizes."""
        for topic, messages in log.items():
            for stream in streams_of(topic):
                sink = self.sink(stream, topic)
                offsets.begin(self.connection, stream.name, topic, dict.fromkeys(range(PARTITIONS), 0), NOW)
                for part in _cut(messages, rng):
                    for _ in sink.commit(sink.prepare(self._batch(stream, topic, part))):
                        pass

    def _batch(self, stream: Stream, topic: str, part: Sequence[Logged]) -> Batch:
        starts = offsets.stored(self.connection, stream.name, topic)
        batch = Batch(topic)
        for one in part:
            start = starts[one.partition]
            key = key_of(topic, one.value, self.writers) if one.key is OWN_KEY else one.key
            batch.add(
                partition=one.partition, offset=one.offset, key=key, value=one.value, start=start, logged=one.logged
            )
            if one.stood is not None:
                batch.replayed[one.partition, one.offset] = one.stood
        return batch

    def contents(self, *tables: str, without: Sequence[str] = ()) -> dict[str, list[str]]:
        """Every row of the tables (all that projections fill, unless named), leaving out some columns."""
        return {
            table: [
                str(text)
                for (text,) in self.connection.execute(
                    f"SELECT (to_jsonb(t) - %s::text[])::text FROM {table} t ORDER BY 1".encode(),
                    [[*without, *SERIALS.get(table, ())]],
                )
            ]
            for table in tables or TABLES
        }

    def count(self, table: str) -> int:
        return len(self.contents(table)[table])

    def forget_offsets(self) -> None:
        self.connection.execute("DELETE FROM streams_offset")

    def empty(self) -> None:
        """As it was new; the triggers that refuse it are left out for this once."""
        with self.connection.transaction():
            self.connection.execute("SET LOCAL session_replication_role = replica")
            for table in (*TABLES, *BOOKKEEPING):
                self.connection.execute(f"DELETE FROM {table}".encode())


def streams_of(topic: str) -> list[Stream]:
    """The streams that read a topic."""
    return [stream for stream in STREAMS.values() if stream.records_of(topic)]


def _cut(messages: Sequence[Logged], rng: random.Random | None) -> Iterator[Sequence[Logged]]:
    at = 0
    while at < len(messages):
        size = len(messages) if rng is None else rng.choice((1, 7, 40, 250))
        yield messages[at : at + size]
        at += size
