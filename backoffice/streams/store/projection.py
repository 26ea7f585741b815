"""How a projection is declared: which records, into which table, and what happens to a row that is there already.

    trading = Stream("trading")

    @trading.project("BetPlaced", into="trading_bet", key="id", fact=True)
    def bets(events: pa.Table) -> pa.Table:
        return events.select([...])

The function gets the columns of one record type (ids as 16 bytes, times in UTC) and returns the columns of the table's
rows. It is pure and stays callable as it is. The declaration decides how its rows are stored:

- ``append`` (the default): new rows only. With ``fact=True`` there is exactly one row for each event; the row then also
  carries where the event came from (``event_id``, ``record``, ``source_partition``, ``source_offset``, ``digest``, as
  far as the table has these columns). What has its ``key`` already is a repeat if it is the same event with the same
  body, and else a clash, which is a dead letter.
- ``newest_by=(columns…)``: one row for each key; the columns are set if these are later than what is there. With
  ``standing(name)`` that is the order of the log; in which batches the messages came does not matter.
- ``adding=(columns…)``: one row for each key; the columns are added up.
- ``once=True``: one row for each key; what is there stays as it is.

``deletes`` says which rows go when a message without a value (a tombstone) comes on a compacted topic:

    trading.deletes(
        "market-prices", by="market_id", tables=("trading_offer", "trading_price"), standing=standing("version")
    )

A tombstone is a state like any other: it takes back what stands before it in the log, whenever that is read.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.catalogue import TOPICS

from ..deletions import DELETIONS, Deletion

Columns = Callable[[pa.Table], pa.Table]


class Effect(Enum):
    APPEND = "append"
    NEWEST = "newest"
    ADD = "add"
    ONCE = "once"
    DELETE = "delete"


@dataclass(frozen=True)
class Projection:
    record: str
    table: str
    columns: Columns
    effect: Effect
    key: tuple[str, ...]
    by: tuple[str, ...] = ()
    fact: bool = False


@dataclass
class Stream:
    """The projections that one consumer group stores together; each app has one, named like the app."""

    name: str
    projections: list[Projection] = field(default_factory=list)
    unlogged: set[str] = field(default_factory=set)
    deletions: list[Deletion] = field(default_factory=list)

    def __post_init__(self) -> None:
        STREAMS[self.name] = self

    def project(
        self,
        *records: str,
        into: str,
        key: str | tuple[str, ...],
        newest_by: tuple[str, ...] = (),
        adding: tuple[str, ...] = (),
        once: bool = False,
        fact: bool = False,
    ) -> Callable[[Columns], Columns]:
        keys = (key,) if isinstance(key, str) else key
        effect = _effect(newest_by, adding, once)
        if fact and effect is not Effect.APPEND:
            raise ValueError(f"A fact of {into} is appended; it cannot be merged into a row that is there.")

        def register(columns: Columns) -> Columns:
            for record in records:
                self.projections.append(Projection(record, into, columns, effect, keys, newest_by or adding, fact))
            return columns

        return register

    def deletes(self, topic: str, *, by: str, tables: tuple[str, ...], standing: tuple[str, str]) -> None:
        """Delete the rows that the key of a tombstone of the topic names, in order with the messages of that key."""
        if not TOPICS[topic].compacted:
            raise ValueError(f"{topic} keeps every message; it has no tombstones.")
        deletion = Deletion(self.name, topic, by, tables, standing)
        self.deletions.append(deletion)
        DELETIONS.setdefault(topic, []).append(deletion)

    def deletion_from(self, table: str) -> Deletion | None:
        """What tombstones do to the table, if they do anything."""
        return next((deletion for deletion in self.deletions if table in deletion.tables), None)

    def records(self) -> set[str]:
        return {projection.record for projection in self.projections}

    def records_of(self, topic: str) -> frozenset[str]:
        """Those of the topic's records that the stream takes."""
        return frozenset(TOPICS[topic].records) & self.records()

    def topics(self) -> list[str]:
        """The topics that the stream reads, in the order of the catalogue."""
        return [topic for topic in TOPICS if self.records_of(topic)]

    def tables(self) -> set[str]:
        return {EVENT_LOG} | {projection.table for projection in self.projections}

    def without_log(self, *records: str) -> None:
        """Keep no row for each event of these: all that they change is the newest version of something."""
        self.unlogged.update(records)

    def fact_of(self, record: str) -> Projection | None:
        """The projection with one row for each event of ``record``: its own, or else that of the event log."""
        facts = [p for p in self.projections if p.record == record and p.fact]
        if facts or record in self.unlogged:
            return facts[0] if facts else None
        return Projection(record, EVENT_LOG, _logged, Effect.APPEND, ("stream", "event_id"), (), True)

    def of(self, record: str) -> list[Projection]:
        """All projections of a record, its fact first: a repeated event is noticed before anything else is sent."""
        fact = self.fact_of(record)
        others = [p for p in self.projections if p.record == record and not p.fact]
        return others if fact is None else [fact, *others]


# What stands for the time of a log that does not keep the broker's.
_NO_TIME = pa.scalar(0, pa.timestamp("us"))

STREAMS: dict[str, Stream] = {}
EVENT_LOG = "streams_event"


def _effect(newest_by: tuple[str, ...], adding: tuple[str, ...], once: bool) -> Effect:
    wanted = [(Effect.NEWEST, newest_by), (Effect.ADD, adding), (Effect.ONCE, once)]
    chosen = [effect for effect, asked in wanted if asked]
    if len(chosen) > 1:
        raise ValueError("newest_by, adding and once exclude one another.")
    return chosen[0] if chosen else Effect.APPEND


def _logged(events: pa.Table) -> pa.Table:
    return events.select(["event_id", "occurred_at"])


def renamed(events: pa.Table, **columns: str) -> pa.Table:
    """A table of ``new=old`` columns of the events."""
    return pa.table({new: events[old] for new, old in columns.items()})


def constant(events: pa.Table, value: str | int | bool) -> pa.ChunkedArray:
    """A column as long as the events with one value."""
    return pa.chunked_array([pa.repeat(pa.scalar(value), events.num_rows)])


def stamped(rows: pa.Table, events: pa.Table, name: str) -> pa.Table:
    """The rows with when it happened, ``<name>_at``, and where it stands in the log, which is what ``standing`` reads.

    A producer's clock that is ahead is not believed: nothing happened after it was told, where the log says when.
    """
    occurred, logged = events["occurred_at"], events["logged_at"]
    at = pc.if_else(pc.and_(pc.greater(logged, _NO_TIME), pc.less(logged, occurred)), logged, occurred)
    for column, values in (("at", at), ("logged_at", events["logged_at"]), ("offset", events["logged_offset"])):
        rows = rows.append_column(f"{name}_{column}", values)
    return rows


def standing(name: str) -> tuple[str, str]:
    """The columns that decide between two states of one key: the later in the log wins, whatever the clocks say."""
    return f"{name}_logged_at", f"{name}_offset"


def where(events: pa.Table, mask: pa.ChunkedArray) -> pa.Table:
    return events.filter(pc.fill_null(mask, False))
