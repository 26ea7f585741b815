"""Operators for tests: some slices of life, and their events as a consumer decodes them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import microseconds
from backoffice.simulator.durations import HOUR
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.operator.engine import advance
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.slices import Slice
from backoffice.simulator.operator.world import World

# A Monday.
START = microseconds(datetime(2026, 1, 5, tzinfo=UTC))
RECORDS = [record for topic in TOPICS.values() for record in topic.records]
SCHEMA_IDS = {record: number for number, record in enumerate(RECORDS, 1)}


def world(players: int = 300, level: float = 3.0, seed: int = 7, faults: Sequence[Fault] = ()) -> World:
    return World(seed=seed, now=START, wanted=players, level=level, faults=tuple(faults))


def slices(alive: World, count: int, length: int = HOUR) -> Iterator[Slice]:
    for _ in range(count):
        yield advance(alive, alive.now + length)


class Message(NamedTuple):
    topic: str
    key: bytes
    value: bytes


def messages(spans: Iterator[Slice]) -> list[Message]:
    return [
        Message(topic, key, value)
        for span in spans
        for topic, keys, values in span.messages(SCHEMA_IDS)
        for key, value in zip(keys, values, strict=True)
    ]


def events(spans: Iterable[Slice]) -> list[Event]:
    """What happened, in the order of time; times are microseconds since 1970, as the oracles of the tests want them.

    Taken from the columns: that the messages say the same is tested for itself.
    """
    told = [event for span in spans for record, batch, keys, _ in span.batches() for event in _of(record, batch, keys)]
    return sorted(told, key=lambda event: event.body["occurred_at"])


def decoded(message: Message) -> Event:
    schema_id, body = unframe(message.value)
    record = RECORDS[schema_id - 1]
    fields = decode(body, schema(record))
    times = {name: microseconds(value) for name, value in fields.items() if isinstance(value, datetime)}
    return Event(record, message.key.decode(), fields | times)


def _of(record: str, batch: pa.RecordBatch, keys: pa.Array) -> Iterator[Event]:
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in batch.columns]
    rows = pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
    return (Event(record, key, body) for key, body in zip(keys.to_pylist(), rows, strict=True))
