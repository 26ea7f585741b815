"""A batch of Kafka messages in, one Arrow table for each record type out, and the messages that cannot be read."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import unframe
from backoffice.contracts.columns import FRAME, align, decode_bodies
from backoffice.contracts.definitions import schema
from backoffice.contracts.registry import Writer
from backoffice.contracts.rules import checked
from backoffice.kernel.errors import Poison

from .batch import Batch, DeadLetter

# The message of the batch that each row of a table came from.
Places = npt.NDArray[np.int64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = np.iinfo(np.int64).min


class Writers(Protocol):
    """Where the schema of a schema id is looked up."""

    def writer(self, schema_id: int) -> Writer:
        """Raises Poison for an unknown id, Retryable while the registry is away."""


@dataclass
class Decoded:
    """For each record type its events in order of arrival, with ``source_partition``, ``source_offset`` and ``row``.

    ``passed`` are messages of other records of the topic, which other streams take.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    dead: dict[int, DeadLetter] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)

    def newest(self) -> dict[int, datetime]:
        """For each partition when the latest of its events happened, in whatever order they came."""
        latest: dict[int, int] = {}
        for table in self.tables.values():
            if table.num_rows:
                partitions = table["source_partition"].to_numpy()
                found = np.full(int(partitions.max()) + 1, _NEVER)
                np.maximum.at(found, partitions, table["occurred_at"].cast(pa.int64()).to_numpy())
                for partition in np.flatnonzero(found > _NEVER).tolist():
                    latest[partition] = max(latest.get(partition, _NEVER), int(found[partition]))
        return {partition: _EPOCH + timedelta(microseconds=at) for partition, at in latest.items()}


def decode(batch: Batch, *, records: Collection[str], writers: Writers, now: datetime) -> Decoded:
    """Read all messages of the batch that are not dead or repeats already, and are one of the ``records``.

    Raises:
        Retryable: a schema has to be looked up and the registry is away.
    """
    decoded = Decoded()
    pieces: dict[str, list[tuple[pa.RecordBatch, Places]]] = defaultdict(list)
    for schema_id, rows in _by_schema(batch, decoded.dead):
        try:
            writer = _writer(writers, schema_id, batch.topic)
        except Poison as poison:
            decoded.dead |= dict.fromkeys(rows.tolist(), DeadLetter(str(poison), schema_id))
            continue
        if writer.record not in records:
            decoded.passed.update(rows.tolist())
            continue
        values = batch.values if len(rows) == len(batch) else [batch.values[row] for row in rows.tolist()]
        for piece, kept in _read(cast("list[bytes]", values), rows, writer, schema_id, decoded.dead):
            pieces[writer.record].append((piece, kept))
    partitions = np.array(batch.partitions, np.int16)
    offsets = np.array(batch.offsets, np.int64)
    for record, read in pieces.items():
        table = _held_to_rules(*_together(read), record, now, decoded.dead)
        places = table["row"].to_numpy()
        decoded.tables[record] = table.append_column("source_partition", pa.array(partitions[places])).append_column(
            "source_offset", pa.array(offsets[places])
        )
    return decoded


def _by_schema(batch: Batch, dead: dict[int, DeadLetter]) -> Iterator[tuple[int, Places]]:
    """The messages of each schema id; those without one are dead. All values are looked at in one piece of memory."""
    column = pa.array(batch.values, pa.large_binary())
    _, places, data = column.buffers()
    ends = np.frombuffer(places, np.int64, len(batch) + 1)
    starts, octets = ends[:-1], np.frombuffer(data or b"", np.uint8)
    wanted = np.ones(len(batch), bool)
    wanted[[*batch.dead, *batch.repeats]] = False
    framed = wanted & (np.diff(ends) >= FRAME)
    framed[framed] = octets[starts[framed]] == 0
    for row in np.flatnonzero(wanted & ~framed).tolist():
        try:
            unframe(batch.values[row] or b"")
        except Poison as poison:
            dead[row] = DeadLetter(str(poison))
    rows = np.flatnonzero(framed)
    ids = np.zeros(len(rows), np.int64)
    for place in range(1, FRAME):
        ids = ids << 8 | octets[starts[rows] + place]
    for schema_id in np.unique(ids).tolist():
        yield schema_id, rows[ids == schema_id]


def _writer(writers: Writers, schema_id: int, topic: str) -> Writer:
    writer = writers.writer(schema_id)
    if writer.record not in TOPICS[topic].records:
        raise Poison(
            f"{writer.record} is no record of the topic {topic}; produce it to the topic that its contract names."
        )
    return writer


def _read(
    values: list[bytes], rows: Places, writer: Writer, schema_id: int, dead: dict[int, DeadLetter]
) -> list[tuple[pa.RecordBatch, Places]]:
    """Decoded pieces in order; where one fails to decode it is halved until the bad message is alone."""
    try:
        batch = decode_bodies(values, writer.framed)
        return [(align(batch, schema(writer.record)), rows)]
    except Poison as poison:
        if len(rows) == 1:
            dead[int(rows[0])] = DeadLetter(str(poison), schema_id, writer.record)
            return []
    middle = len(rows) // 2
    return _read(values[:middle], rows[:middle], writer, schema_id, dead) + _read(
        values[middle:], rows[middle:], writer, schema_id, dead
    )


def _together(read: list[tuple[pa.RecordBatch, Places]]) -> tuple[Places, pa.Table]:
    """The pieces of one record type as one table in order of arrival, and the message each row came from."""
    rows = np.concatenate([kept for _, kept in read])
    table = pa.Table.from_batches([piece for piece, _ in read])
    if (np.diff(rows) < 0).any():
        order = np.argsort(rows, kind="stable")
        rows, table = rows[order], table.take(pa.array(order))
    return rows, table.combine_chunks()


def _held_to_rules(rows: Places, table: pa.Table, record: str, now: datetime, dead: dict[int, DeadLetter]) -> pa.Table:
    batch = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)
    result, faults = checked(batch, schema(record), now)
    result = result.append_column("row", pa.array(rows))
    if not faults:
        return result
    dead |= {int(rows[row]): DeadLetter(reason, None, record) for row, reason in faults.items()}
    return result.filter(pa.array(~np.isin(np.arange(len(rows)), list(faults))))
