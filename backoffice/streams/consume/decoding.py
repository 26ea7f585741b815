"""A batch of Kafka messages in, one Arrow table for each record type out, and the messages that cannot be read."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings

from backoffice.contracts import bounds
from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import unframe
from backoffice.contracts.columns import FRAME
from backoffice.contracts.reading import Piece, held, read
from backoffice.contracts.writers import Writer, Writers
from backoffice.kernel.clock import MICROSECOND, at_microseconds, microseconds
from backoffice.kernel.errors import Poison

from .batch import Batch, DeadLetter
from .tombstones import Tombstones, take

# The message of the batch that each row of a table came from.
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
OTHER_KEY = (
    "The key of the message is not its {field}, by which its topic is compacted; produce it under that key, or replay"
    " it with its event ({record}.{field})."
)
_NEVER, _ALWAYS = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass
class Decoded:
    """For each record type its events in order of arrival, with ``source_partition``, ``source_offset`` and ``row``.

    ``logged_at`` and ``logged_offset`` order states of one key; a dead letter sent again keeps those that it had.
    ``appended_at`` is when the broker took the message itself, which orders nothing: null where the log does not tell.
    ``taken_at`` is when it was read (`Batch.read_at`), and so told at the latest: null where nobody knows that, and for
    a dead letter sent again of which the log does not tell when it was told at first.

    ``passed`` are messages of other records of the topic, which other streams take.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    dead: dict[int, DeadLetter] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    tombstones: Tombstones | None = None

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
        return {partition: at_microseconds(at) for partition, at in latest.items()}

    def ahead(self, tolerance: timedelta) -> dict[int, tuple[int, int]]:
        """For each partition how many events happened after they were logged, and by how many ms at the most."""
        found: dict[int, tuple[int, int]] = {}
        for table in self.tables.values():
            logged = table["logged_at"].cast(pa.int64()).to_numpy()
            leads = table["occurred_at"].cast(pa.int64()).to_numpy() - logged
            wrong = (leads > tolerance // MICROSECOND) & (logged > 0)
            if wrong.any():
                partitions, by = table["source_partition"].to_numpy()[wrong], leads[wrong] // 1_000
                for partition in np.unique(partitions).tolist():
                    own = by[partitions == partition]
                    count, most = found.get(partition, (0, 0))
                    found[partition] = (count + len(own), max(most, int(own.max())))
        return found


def decode(batch: Batch, *, records: Collection[str], writers: Writers, now: datetime | None) -> Decoded:
    """Read all messages of the batch that are not dead or repeats already, and are one of the ``records``.

    When an event happened is held against when its message was logged, and only where the log does not tell against
    ``now``, our own clock; None where that was judged when the messages came.

    Raises:
        Retryable: a schema has to be looked up and the registry is away.
    """
    decoded = Decoded()
    decoded.tombstones, without_value = take(batch, decoded.dead)
    pieces: dict[str, list[Piece]] = defaultdict(list)
    lengths, schemas = _by_schema(batch, decoded.dead, without_value)
    for schema_id, rows in schemas:
        record = ""
        try:
            writer = _writer(writers, schema_id, batch.topic)
            record = writer.record
            if record not in records:
                decoded.passed.update(rows.tolist())
                continue
            found, faults = read(batch.values, lengths, rows, writer)
        except Poison as poison:
            decoded.dead |= dict.fromkeys(rows.tolist(), DeadLetter(str(poison), schema_id, record))
            continue
        decoded.dead |= {row: DeadLetter(told, schema_id, record) for row, told in faults.items()}
        pieces[record] += found
    origins = _origins(batch)
    latest: datetime | Places = bounds.LATEST
    if now is not None:
        latest = _latest(origins["logged_at"].astype(np.int64), _untold(batch), now + batch.behind)
    for record, parts in pieces.items():
        kept = held(parts, record, latest)
        for row, told in kept.faults.items():
            decoded.dead[row] = DeadLetter(told, unframe(batch.values[row] or b"")[0], record)
        table = kept.events.append_column("row", pa.array(kept.rows))
        for name, column in origins.items():
            table = table.append_column(name, pa.array(column[kept.rows]))
        decoded.tables[record] = _under_their_keys(table, batch, record, decoded.dead)
    return decoded


def _under_their_keys(events: pa.Table, batch: Batch, record: str, dead: dict[int, DeadLetter]) -> pa.Table:
    """The events without those of a compacted topic that come under another key than the catalogue names.

    By the key Kafka forgets what is older, and a tombstone deletes: under another one an event is never taken back.
    """
    topic = TOPICS[batch.topic]
    if not topic.compacted or not events.num_rows:
        return events
    keys = pa.array(batch.keys, pa.large_binary()).take(pa.array(events["row"]))
    is_own = pc.fill_null(pc.equal(pa.chunked_array([keys]), events[topic.key].cast(pa.large_binary())), False)
    if pc.all(is_own).as_py() is False:
        for row in events["row"].filter(pc.invert(is_own)).to_pylist():
            schema_id = unframe(batch.values[row] or b"")[0]
            dead[row] = DeadLetter(OTHER_KEY.format(record=record, field=topic.key), schema_id, record)
    return events.filter(is_own)


def _origins(batch: Batch) -> dict[str, npt.NDArray[np.generic]]:
    """Of each message of the batch where it came from, and where it stands in the log."""
    logged, standing = batch.standings()
    appended = _appended(batch)
    return {
        "source_partition": np.array(batch.partitions, np.int16),
        "source_offset": np.array(batch.offsets, np.int64),
        "source_generation": np.full(len(batch), batch.generation, np.int16),
        "logged_at": np.array(logged, "datetime64[ms]").astype("datetime64[us]"),
        "logged_offset": np.array(standing, np.int64),
        "appended_at": appended,
        "taken_at": _taken(batch, np.isnat(appended)),
    }


def _untold(batch: Batch) -> Mask:
    """Of which messages the log does not tell when it took them, nor where they stood at first."""
    untold: Mask = np.array(batch.standings()[0], np.int64) == 0
    undated = {place for place, at in batch.appended.items() if not at} - batch.replayed.keys()
    if undated:
        untold |= [place in undated for place in zip(batch.partitions, batch.offsets, strict=True)]
    return untold


def _appended(batch: Batch) -> npt.NDArray[np.datetime64]:
    told = np.array(batch.told(), np.int64)
    appended = told.astype("datetime64[ms]").astype("datetime64[us]")
    appended[told == 0] = np.datetime64("NaT")
    return appended


def _taken(batch: Batch, is_untold: Mask) -> npt.NDArray[np.datetime64]:
    if batch.read_at is None:
        return np.full(len(batch), "NaT", "datetime64[us]")
    taken = np.full(len(batch), microseconds(batch.read_at), "datetime64[us]")
    if batch.replayed:
        places = zip(batch.partitions, batch.offsets, strict=True)
        taken[[place in batch.replayed for place in places] & is_untold] = np.datetime64("NaT")
    return taken


def _latest(logged: Places, untold: Mask, now: datetime) -> Places:
    """Of each message the time (microseconds since 1970) after which its event cannot have happened."""
    at = np.where(untold, microseconds(now), logged)
    since, allowed = np.array([(microseconds(s), a // MICROSECOND) for s, a in settings.CLOCK_AHEAD]).T
    ahead = allowed[np.searchsorted(since, at, side="right") - 1]
    found: Places = np.minimum(at, _ALWAYS - ahead) + ahead
    return found


def _by_schema(
    batch: Batch, dead: dict[int, DeadLetter], without_value: list[int]
) -> tuple[Places, list[tuple[int, Places]]]:
    """The length of each message, and those of each schema id; the others are dead.

    All values are looked at in one piece of memory.
    """
    column = pa.array(batch.values, pa.large_binary())
    _, places, data = column.buffers()
    ends = np.frombuffer(places, np.int64, len(batch) + 1)
    starts, octets = ends[:-1], np.frombuffer(data or b"", np.uint8)
    lengths = np.diff(ends)
    wanted = np.ones(len(batch), bool)
    wanted[[*batch.dead, *batch.repeats, *without_value]] = False
    framed = wanted & (lengths >= FRAME)
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
    return lengths, [(schema_id, rows[ids == schema_id]) for schema_id in np.unique(ids).tolist()]


def _writer(writers: Writers, schema_id: int, topic: str) -> Writer:
    writer = writers.writer(schema_id)
    if writer.record not in TOPICS[topic].records:
        raise Poison(
            f"{writer.record} is no record of the topic {topic}; produce it to the topic that its contract names."
        )
    return writer
