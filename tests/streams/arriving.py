"""Events as projections get them: encoded, framed and decoded like any message, without Kafka or a registry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import decode as body_of
from backoffice.contracts.codec import encode, encode_as, frame, unframe
from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import MOMENT, example
from backoffice.contracts.writers import Writer, Writers
from backoffice.kernel.errors import Poison
from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.decoding import Decoded, decode

NOW = MOMENT + timedelta(hours=1)
RECORDS = tuple(record for topic in TOPICS.values() for record in topic.records)
_IDS = {record: number for number, record in enumerate(RECORDS, 1)}


@dataclass
class KnownWriters:
    """Knows the current schema of each record, and whatever was added."""

    added: dict[int, Writer] = field(default_factory=dict)

    def writer(self, schema_id: int) -> Writer:
        if schema_id in self.added:
            return self.added[schema_id]
        if not 1 <= schema_id <= len(RECORDS):
            raise Poison(f"unknown schema id {schema_id}")
        record = RECORDS[schema_id - 1]
        return Writer(record, schema(record))

    def message(self, definition: dict[str, Any], event: Mapping[str, Any]) -> bytes:
        """A message written with another schema than the current one."""
        schema_id = 1_000 + len(self.added)
        self.added[schema_id] = Writer(definition["name"], definition)
        return frame(schema_id, encode_as(definition, event))


def event_of(record: str, **changes: Any) -> dict[str, Any]:
    """The example of a record's contract, with some fields as the test wants them."""
    return example(schema(record)) | changes


def message(record: str, event: Mapping[str, Any]) -> bytes:
    return frame(_IDS[record], encode(record, event))


def key_of(topic: str, value: bytes | None, writers: Writers | None = None) -> bytes:
    """The key that a message has on a compacted topic; any elsewhere, or of what cannot be read."""
    if not TOPICS[topic].compacted:
        return b"k"
    try:
        schema_id, body = unframe(value or b"")
        event = body_of(body, (writers or KnownWriters()).writer(schema_id).schema)
        return str(event[TOPICS[topic].key]).encode()
    except (Poison, KeyError):
        return b"k"


def batch_of(topic: str, values: Iterable[bytes | None], *, partition: int = 0, start: int = 0) -> Batch:
    batch = Batch(topic)
    for offset, value in enumerate(values, start):
        batch.add(partition=partition, offset=offset, key=key_of(topic, value), value=value, start=start)
    return batch


def decoded(batch: Batch, writers: KnownWriters | None = None, now: datetime = NOW) -> Decoded:
    return decode(batch, records=TOPICS[batch.topic].records, writers=writers or KnownWriters(), now=now)


def arrived(record: str, *changes: Mapping[str, Any], partition: int = 0) -> pa.Table:
    """One event for each of the changes to the example; without any, the example."""
    events = [event_of(record, **change) for change in changes or ({},)]
    result = decoded(batch_of(topic_of(record), [message(record, event) for event in events], partition=partition))
    assert not result.dead
    return result.tables[record]
