"""One batch into Postgres: its rows, its dead letters and its offsets in one transaction."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

import psycopg
import pyarrow as pa
from psycopg import sql

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.kernel.clock import Clock

from ..consume.batch import Batch, DeadLetter
from ..consume.decoding import Decoded, Writers, decode
from ..deadletters.copies import copy_of
from . import offsets
from .database import Connection, copy_bytes, copy_in, retryable, table_shape
from .projection import EVENT_LOG, Stream
from .rows import Rows, Shapes, fact_rows, project
from .storing import store


@dataclass(frozen=True)
class Prepared:
    """A batch ready to be written: decoded, checked, projected; or why its rows could not be made (a sum too great)."""

    batch: Batch
    decoded: Decoded
    rows: list[Rows] | pa.ArrowInvalid


@dataclass
class Committer:
    """Writes batches of one stream; holds its connection and the shapes of its tables.

    Raises (every method):
        Retryable: Postgres or the registry is away; nothing was written, and the same batch can be tried again.
    """

    stream: Stream
    records: frozenset[str]
    connection: Connection
    shapes: Shapes
    writers: Writers
    clock: Clock

    @classmethod
    def over(
        cls, connection: Connection, stream: Stream, records: frozenset[str], writers: Writers, clock: Clock
    ) -> "Committer":
        with retryable():
            tables = {EVENT_LOG} | {p.table for p in stream.projections}
            shapes = {table: table_shape(connection, table) for table in tables}
            connection.rollback()
        return cls(stream, records, connection, shapes, writers, clock)

    def prepare(self, batch: Batch) -> Prepared:
        """Everything that needs no database."""
        decoded = decode(batch, records=self.records, writers=self.writers, now=self.clock.now())
        batch = replace(batch, dead=batch.dead | decoded.dead, newest=decoded.newest())
        try:
            rows: list[Rows] | pa.ArrowInvalid = project(decoded.tables, self.stream, self.shapes)
            for made in rows:
                # Encoded here, while the writer's transaction runs, and not within it.
                _ = made.sent
        except pa.ArrowInvalid as error:
            rows = error
        return Prepared(batch, decoded, rows)

    def commit(self, prepared: Prepared) -> Iterator[Prepared]:
        """Write the batch; yields each part of it that was committed (one, unless a message had to be isolated).

        Raises:
            Fenced: another worker has a partition of the batch; nothing was written.
        """
        try:
            self._write(prepared)
        except (psycopg.DataError, psycopg.IntegrityError, pa.ArrowInvalid) as error:
            yield from self._commit_without_the_bad(prepared, error)
            return
        yield prepared

    def _write(self, prepared: Prepared) -> None:
        now, batch = self.clock.now(), prepared.batch
        if isinstance(prepared.rows, pa.ArrowInvalid):
            raise prepared.rows
        with retryable(), self.connection.transaction():
            offsets.advance(self.connection, self.stream.name, batch, now)
            for rows in prepared.rows:
                store(self.connection, rows)
            self._store_dead(batch, now)
            self._store_repeats(batch, now)

    def _commit_without_the_bad(self, prepared: Prepared, error: Exception) -> Iterator[Prepared]:
        """Leave out repeats if there are any; else halve until the message that Postgres refuses is alone."""
        batch = prepared.batch
        if isinstance(error, psycopg.errors.UniqueViolation):
            repeats, clashes = self._known(prepared)
            if repeats or clashes:
                known = replace(batch, repeats=batch.repeats | repeats, dead=batch.dead | clashes)
                yield from self.commit(self.prepare(known))
                return
        alive = batch.living()
        if not alive:
            raise error
        if len(alive) == 1:
            dead = {row: DeadLetter(_in_words(error), None, _records(prepared)[row], late=True) for row in alive}
            yield from self.commit(self.prepare(replace(batch, dead=batch.dead | dead)))
            return
        for half in batch.halves():
            yield from self.commit(self.prepare(half))

    def _known(self, prepared: Prepared) -> tuple[dict[int, str], dict[int, DeadLetter]]:
        """Messages whose event is stored already (or comes twice in the batch), and those whose id another has."""
        repeats: dict[int, str] = {}
        clashes: dict[int, DeadLetter] = {}
        records = _records(prepared)
        with retryable(), self.connection.transaction(force_rollback=True):
            for table, key, rows in self._facts(prepared):
                for row, same in self._stored_already(table, key, rows):
                    if same:
                        repeats[row] = records[row]
                    else:
                        clashes[row] = DeadLetter(_clash(key, records[row]), None, records[row], late=True)
        return repeats, clashes

    def _facts(self, prepared: Prepared) -> Iterator[tuple[str, tuple[str, ...], pa.Table]]:
        """For each table of facts its key, and of the batch's rows for it the key, event id and message."""
        rows: dict[tuple[str, tuple[str, ...]], list[pa.Table]] = defaultdict(list)
        for fact, made in fact_rows(prepared.decoded.tables, self.stream, self.shapes):
            rows[fact.table, fact.key].append(made.select([*dict.fromkeys([*fact.key, "event_id"]), "row"]))
        for (table, key), parts in rows.items():
            yield table, key, pa.concat_tables(parts)

    def _stored_already(self, table: str, key: tuple[str, ...], rows: pa.Table) -> list[tuple[int, bool]]:
        """For each of the rows whose key is there already: its message, and whether it is the very same event."""
        columns = rows.column_names[:-1]
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        self.connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE probe ON COMMIT DROP AS SELECT {}, 0::bigint AS row FROM {} WITH NO DATA"
            ).format(names, sql.Identifier(table))
        )
        copy_in(self.connection, "probe", tuple(rows.column_names), copy_bytes(rows))
        # LIMIT keeps the planner from joining with all of a large table: each key is looked up.
        found = self.connection.execute(
            sql.SQL(
                "SELECT row, first IS NOT DISTINCT FROM event_id FROM ("
                " SELECT p.row, p.event_id, coalesce(t.event_id, first_value(p.event_id) OVER w) AS first,"
                "  t.event_id IS NOT NULL OR row_number() OVER w > 1 AS known"
                " FROM probe p LEFT JOIN LATERAL (SELECT event_id FROM {table} f WHERE {same} LIMIT 1) t ON true"
                " WINDOW w AS (PARTITION BY {keys} ORDER BY p.row)"
                ") AS looked WHERE known"
            ).format(
                table=sql.Identifier(table),
                same=sql.SQL(" AND ").join(
                    sql.SQL("{} = {}").format(sql.Identifier("f", name), sql.Identifier("p", name)) for name in key
                ),
                keys=sql.SQL(", ").join(sql.Identifier("p", name) for name in key),
            )
        ).fetchall()
        self.connection.execute("DROP TABLE probe")
        return [(cast(int, row), bool(same)) for row, same in found]

    def _store_dead(self, batch: Batch, now: datetime) -> None:
        """The dead letters with their message, and the same for the dead-letter topic through the outbox."""
        with self.connection.cursor() as cursor:
            for row, dead in sorted(batch.dead.items()):
                position = (batch.topic, batch.partitions[row], batch.offsets[row])
                cursor.execute(
                    "INSERT INTO streams_deadletter"
                    " (stream, topic, partition, \"offset\", record, schema_id, reason, key, value, died_at, state)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'open')",
                    [self.stream.name, *position, dead.record, dead.schema_id, dead.reason,
                     batch.keys[row], batch.values[row], now],
                )  # fmt: skip
                headers = dict(zip(("topic", "partition", "offset"), map(str, position), strict=True))
                headers |= {"stream": self.stream.name, "reason": dead.reason, "schema_id": str(dead.schema_id or "")}
                copy = copy_of(batch.keys[row], batch.values[row])
                cursor.execute(
                    "INSERT INTO streams_outbox (topic, key, value, headers, created_at) VALUES (%s, %s, %s, %s, %s)",
                    [dead_letter_topic(batch.topic), copy.key, copy.value, json.dumps(headers | copy.headers), now],
                )

    def _store_repeats(self, batch: Batch, now: datetime) -> None:
        if not batch.repeats:
            return
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO streams_repeat VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (self.stream.name, batch.topic, batch.partitions[row], batch.offsets[row], record, now)
                    for row, record in sorted(batch.repeats.items())
                ],
            )


def _records(prepared: Prepared) -> dict[int, str]:
    """The record type of each message of the batch."""
    return {row: record for record, table in prepared.decoded.tables.items() for row in table["row"].to_pylist()}


def _clash(key: tuple[str, ...], record: str) -> str:
    return f"Its {', '.join(key)} belongs to another event already; a new one needs a new id ({record})"


def _in_words(error: Exception) -> str:
    """What Postgres said of a row that it refused, without the row."""
    if isinstance(error, psycopg.Error):
        said = error.diag.message_primary or str(error).strip().splitlines()[0]
        return f"Postgres refuses its row: {said} ({error.diag.table_name or 'no table named'})"
    return f"Its row cannot be folded: {error}"
