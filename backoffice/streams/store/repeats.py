"""A message whose key is stored already: the same event told again, or another one under its id.

A repeat has the event id, the record and the body of what is there; it is noted and changes nothing. Anything else is a
clash: taking it for a repeat would lose what it says, so it becomes a dead letter. A fact that was stored before there
were digests has no body to compare; what its row says of the event stands for it, the record among it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
from psycopg import sql

from ..consume.batch import DeadLetter
from ..database import Connection
from .copying import copy_bytes, copy_in
from .projection import Stream
from .rows import Shapes, fact_rows

Key = tuple[str, ...]
# Of the row and not of the event.
_NOT_SAID = frozenset({"row", "digest", "source_generation", "source_partition", "source_offset"})


def known(
    connection: Connection, events: Mapping[str, pa.Table], stream: Stream, shapes: Shapes
) -> tuple[dict[int, str], dict[int, DeadLetter]]:
    """Of the messages that the events came from the repeats, with their record, and the clashes; within a transaction.

    The first of several in the batch counts as stored.
    """
    records = {row: record for record, table in events.items() for row in table["row"].to_pylist()}
    repeats: dict[int, str] = {}
    clashes: dict[int, DeadLetter] = {}
    for table, key, rows in _facts(events, stream, shapes):
        for row, is_event, is_same in _stored_already(connection, table, key, rows):
            record = records[row]
            if is_same:
                repeats[row] = record
            else:
                clashes[row] = DeadLetter(
                    _clash(key, record, is_event=is_event), None, record, late=True, is_clash=True
                )
    return repeats, clashes


def _facts(events: Mapping[str, pa.Table], stream: Stream, shapes: Shapes) -> Iterator[tuple[str, Key, pa.Table]]:
    """For each table of facts its key, and the batch's rows for it with their messages."""
    rows: dict[tuple[str, Key], list[pa.Table]] = defaultdict(list)
    for fact, made in fact_rows(events, stream, shapes):
        rows[fact.table, fact.key].append(made)
    for (table, key), parts in rows.items():
        yield table, key, pa.concat_tables(parts, promote_options="default")


def _stored_already(connection: Connection, table: str, key: Key, rows: pa.Table) -> list[tuple[int, bool, bool]]:
    """For each of the rows whose key is there already: its message, and whether it is that event, with that body."""
    columns = [name for name in rows.column_names if name != "row"]
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE probe ON COMMIT DROP AS SELECT {}, 0::bigint AS row FROM {} WITH NO DATA"
        ).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table))
    )
    copy_in(connection, "probe", tuple(rows.column_names), copy_bytes(rows))
    # LIMIT keeps the planner from joining with all of a large table: each key is looked up.
    found = connection.execute(
        sql.SQL(
            "SELECT row, event_id = first_id, event_id = first_id AND coalesce(digest = first_digest, says_the_same)"
            " FROM (SELECT p.row, p.event_id, p.digest, t.says_the_same,"
            "  CASE WHEN t.event_id IS NULL THEN first_value(p.event_id) OVER w ELSE t.event_id END AS first_id,"
            "  CASE WHEN t.event_id IS NULL THEN first_value(p.digest) OVER w ELSE t.digest END AS first_digest,"
            "  t.event_id IS NOT NULL OR row_number() OVER w > 1 AS is_known"
            " FROM probe p LEFT JOIN LATERAL (SELECT event_id, digest, ROW({theirs}) IS NOT DISTINCT FROM ROW({mine})"
            "  AS says_the_same FROM {table} f WHERE {same} LIMIT 1) t ON true"
            " WINDOW w AS (PARTITION BY {keys} ORDER BY p.row)"
            ") AS looked WHERE is_known"
        ).format(
            table=sql.Identifier(table),
            same=sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier("f", name), sql.Identifier("p", name)) for name in key
            ),
            keys=_listed(key, "p"),
            theirs=_listed(_said(columns), "f"),
            mine=_listed(_said(columns), "p"),
        )
    ).fetchall()
    connection.execute("DROP TABLE probe")
    return [(row, bool(is_event), bool(is_same)) for row, is_event, is_same in found]


def _said(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if name not in _NOT_SAID]


def _listed(columns: Iterable[str], table: str) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, name) for name in columns)


def _clash(key: Key, record: str, *, is_event: bool) -> str:
    if is_event:
        return (
            "Its event_id belongs to an event with another body or record, which is stored already;"
            f" produce it under an event_id of its own ({record})"
        )
    names = ", ".join(name for name in key if name != "stream")
    return f"Its {names} belongs to another event already; a new one needs a new id ({record})"
