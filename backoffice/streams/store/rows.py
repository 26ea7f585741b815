"""What a batch of events becomes in the tables: one set of rows for each way of storing into each table."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.digests import digests

from ..consume.tombstones import Tombstones
from ..deletions import Deletion
from .copying import copy_bytes
from .folding import added, distinct, newest
from .projection import Effect, Projection, Stream, constant

Shapes = Mapping[str, pa.Schema]
_Names = tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Rows of one table that are stored in the same way, columns in the types of the table.

    With a ``deletion`` they are stored as far as no tombstone of it stands after them in the log. There may be several
    of one key then.
    """

    table: str
    effect: Effect
    key: tuple[str, ...]
    by: tuple[str, ...]
    data: pa.Table
    deletion: Deletion | None = None

    @cached_property
    def sent(self) -> list[bytes]:
        """What COPY is sent for them; made once, and before there is a transaction that would wait for it."""
        return copy_bytes(self.data)


def project(
    events: Mapping[str, pa.Table], stream: Stream, shapes: Shapes, only: str = "", gone: Tombstones | None = None
) -> list[Rows]:
    """The rows of all the stream's projections (of the table ``only``, if given) for these events.

    What the tombstones delete stands first; events that stood before them make no rows in those tables.
    """
    parts: dict[tuple[str, Effect, _Names, _Names, _Names], list[pa.Table]] = defaultdict(list)
    for record, all_of_it in events.items():
        for projection in stream.of(record):
            table = _left(all_of_it, stream.deletion_from(projection.table), gone)
            if table.num_rows and only in ("", projection.table):
                data = _fitted(_columns(projection, table, stream, shapes), shapes[projection.table])
                names = () if projection.effect is Effect.APPEND else tuple(data.column_names)
                parts[(projection.table, projection.effect, projection.key, projection.by, names)].append(data)
    return _deleted(stream.deletions, gone, only) + [
        _rows(table, effect, key, by, pa.concat_tables(data, promote_options="default"), stream.deletion_from(table))
        for (table, effect, key, by, _), data in parts.items()
    ]


def _rows(table: str, effect: Effect, key: _Names, by: _Names, data: pa.Table, deletion: Deletion | None) -> Rows:
    folded = _folded(data, effect, key, by)
    if deletion is not None and not folded.equals(_folded(data, effect, key, deletion.standing)):
        # A tombstone that came before may take back the row that wins, and not the one that it wins over.
        folded = data
    return Rows(table, effect, key, by, folded, deletion)


def _left(events: pa.Table, deletion: Deletion | None, gone: Tombstones | None) -> pa.Table:
    """The events without those that a tombstone of the batch takes back."""
    if deletion is None or gone is None or not gone.last or gone.topic != deletion.topic:
        return events
    logged = pc.divide(events["logged_at"].cast(pa.int64()), 1_000).to_pylist()
    places = zip(events[deletion.by].to_pylist(), logged, events["logged_offset"].to_pylist(), strict=True)
    return events.filter(pa.array([gone.is_alive(key, (at, offset)) for key, at, offset in places], pa.bool_()))


def _deleted(deletions: Sequence[Deletion], gone: Tombstones | None, only: str) -> list[Rows]:
    """For each table the keys whose rows go, each with the place of its tombstone."""
    if gone is None or not gone.last:
        return []
    keys, places = zip(*sorted(gone.last.items()), strict=True)
    logged = pa.array([at * 1_000 for at, _ in places], pa.timestamp("us", "UTC"))
    data = pa.table({"key": keys, "logged_at": logged, "offset": pa.array([o for _, o in places], pa.int64())})
    return [
        Rows(table, Effect.DELETE, (deletion.by,), (), data, deletion)
        for deletion in deletions
        for table in deletion.tables
        if deletion.topic == gone.topic and only in ("", table)
    ]


def with_digests(events: Mapping[str, pa.Table], values: Sequence[bytes | None], stream: Stream) -> dict[str, pa.Table]:
    """The events with the digest of the message (one of ``values``) that each came from, where they have facts."""
    digested = dict(events)
    for record, table in events.items():
        if stream.fact_of(record) is not None:
            found = digests(record, [values[row] or b"" for row in table["row"].to_pylist()])
            digested[record] = table.append_column("digest", pa.array(found))
    return digested


def fact_rows(events: Mapping[str, pa.Table], stream: Stream, shapes: Shapes) -> list[tuple[Projection, pa.Table]]:
    """For each record type the rows of its facts, with the column ``row`` of the messages they came from."""
    found = []
    for record, table in events.items():
        fact = stream.fact_of(record)
        if fact is None:
            continue
        rows = _columns(fact, table, stream, shapes)
        for name in ("event_id", "digest"):
            if name not in rows.column_names:
                rows = rows.append_column(name, table[name])
        found.append((fact, _fitted(rows, shapes[fact.table]).append_column("row", table["row"])))
    return found


def _columns(projection: Projection, events: pa.Table, stream: Stream, shapes: Shapes) -> pa.Table:
    rows = projection.columns(events)
    if not projection.fact:
        return rows
    shape = shapes[projection.table]
    named = ("event_id", "occurred_at", "source_generation", "source_partition", "source_offset", "digest")
    origin = {name: events[name] for name in named if name in events.column_names}
    origin |= {"record": constant(events, projection.record), "stream": constant(events, stream.name)}
    for name, column in origin.items():
        if name in shape.names and name not in rows.column_names:
            rows = rows.append_column(name, column)
    return rows


def _fitted(rows: pa.Table, shape: pa.Schema) -> pa.Table:
    wanted = pa.schema([shape.field(name) for name in rows.column_names])
    return rows if rows.schema.equals(wanted) else rows.cast(wanted)


def _folded(rows: pa.Table, effect: Effect, key: tuple[str, ...], by: tuple[str, ...]) -> pa.Table:
    if effect is Effect.NEWEST:
        return newest(rows, key, by)
    if effect is Effect.ADD:
        return added(rows, key, by)
    return distinct(rows, key) if effect is Effect.ONCE else rows
