"""A slice of simulated time: what happened in it, record type by record type, and the messages that tell of it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.columns import framed
from backoffice.contracts.definitions import canonical, schema
from backoffice.simulator.operator.arrays import Array, Flags, Ids, Ints, Keys
from backoffice.simulator.operator.chance import Chance
from backoffice.simulator.operator.columns import Column, Words, arrow, id_column
from backoffice.simulator.operator.identifiers import ids


class Messages(NamedTuple):
    """A topic's, in the order of time."""

    topic: str
    keys: list[bytes]
    values: list[bytes]


class Owners(NamedTuple):
    """Whom events are about: an id, a key of randomness, brand and currency, each for every event."""

    id: Ids
    key: Keys
    brand: Words
    jurisdiction: Words
    currency: Words


class _Part(NamedTuple):
    owners: Owners
    at: Ints
    columns: dict[str, Column]


@dataclass
class Slice:
    """From ``start`` up to ``end``, microseconds since 1970."""

    start: int
    end: int
    chance: Chance
    _parts: dict[str, list[_Part]] = field(default_factory=lambda: defaultdict(list))

    def emit(self, record: str, owners: Owners, at: Ints, **columns: Column) -> None:
        """Say that something happened to each of the owners; no two of one record to one owner at one moment.

        ``columns`` are named as the fields of the record. Event id, time, brand, jurisdiction and, where the record
        has them, player and currency come from ``owners`` and ``at``.
        """
        if len(at):
            self._parts[record].append(_Part(owners, at, columns))

    @property
    def events(self) -> int:
        return sum(len(part.at) for parts in self._parts.values() for part in parts)

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch, pa.Array, Ints]]:
        """For each record type that occurred: its columns as the schema has them, keys, and times."""
        for record in sorted(self._parts):
            parts = self._parts[record]
            at = np.concatenate([part.at for part in parts])
            batch = pa.RecordBatch.from_arrays(
                [self._column(record, field, parts, at) for field in schema(record)["fields"]],
                names=[field["name"] for field in schema(record)["fields"]],
            )
            yield record, batch, _keys(record, batch), at

    def messages(self, schema_ids: Mapping[str, int]) -> Iterator[Messages]:
        """All that is to be sent, topic by topic."""
        found = {record: (batch, keys, at) for record, batch, keys, at in self.batches()}
        for topic in TOPICS.values():
            records = [record for record in topic.records if record in found]
            if records:
                values = pa.concat_arrays([encoded(record, found[record][0], schema_ids[record]) for record in records])
                keys = pa.concat_arrays([found[record][1] for record in records])
                order = pa.array(np.argsort(np.concatenate([found[record][2] for record in records]), kind="stable"))
                keys = keys.take(order).cast(pa.binary())
                yield Messages(topic.name, keys.to_pylist(), values.take(order).to_pylist())

    def _column(self, record: str, field: dict[str, Any], parts: list[_Part], at: Ints) -> pa.Array:
        name = field["name"]
        if name == "event_id":
            keys = np.concatenate([part.owners.key for part in parts])
            return id_column(ids(self.chance, record, keys, at))
        if name == "occurred_at":
            return pa.array(at, pa.timestamp("us"))
        return arrow([(_given(part, name), len(part.at)) for part in parts], field["type"])


def encoded(record: str, batch: pa.RecordBatch, schema_id: int) -> pa.Array:
    """The messages' values: Avro with its frame in front, written in Rust.

    The frame is written as two more fields at the front, as ``contracts.columns.framed`` reads it.
    """
    mark = np.frombuffer(schema_id.to_bytes(4, "big"), "<f4")
    frame = [pa.repeat(False, batch.num_rows), pa.array(np.repeat(mark, batch.num_rows))]
    whole = pa.RecordBatch.from_arrays([*frame, *batch.columns], names=["_frame", "_frame_schema", *batch.schema.names])
    return pa.concat_arrays(pyruhvro.serialize_record_batch(whole, _framed_schema(record), 1))


@cache
def _framed_schema(record: str) -> str:
    return canonical(framed(schema(record)))


def _given(part: _Part, name: str) -> Column:
    if name in part.columns:
        return part.columns[name]
    if name == "player_id":
        return part.owners.id
    if name in ("brand", "jurisdiction", "currency"):
        given: Column = getattr(part.owners, name)
        return given
    return None


def _keys(record: str, batch: pa.RecordBatch) -> pa.Array:
    """The keys of the messages: what the catalogue names for the topic; the brand where there is no player."""
    topic = next(topic for topic in TOPICS.values() if record in topic.records)
    return pc.coalesce(batch.column(topic.key), batch.column("brand"))


def chosen(flags: Flags, yes: str, no: str) -> Words:
    """One of two texts for each row."""
    return Words(np.where(flags, 0, 1), (yes, no))


def of(owners: Owners, where: Array) -> Owners:
    """The owners of these places."""
    return Owners(
        owners.id[where],
        owners.key[where],
        *(Words(words.codes[where], words.words) for words in (owners.brand, owners.jurisdiction, owners.currency)),
    )
