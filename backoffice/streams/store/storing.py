"""Rows into tables: plain COPY for new rows, one merge for those that may be there already.

What is merged comes as parameters of the merge itself where it is little, and over a stage that COPY fills where it is
much.
"""

from functools import cache
from zlib import crc32

import pyarrow as pa
from psycopg import sql

from ..database import Connection
from ..deletions import Deletion
from .copying import copy_in, has_lists, parameters_of, type_names
from .projection import Effect
from .rows import Rows

# Up to so many rows a stage costs more than the values as parameters.
FEW = 300

Names = tuple[str, ...]


def store(connection: Connection, rows: Rows, table: str = "") -> None:
    """Write the rows into their table (or into ``table`` in its stead) within the transaction that is open."""
    target = table or rows.table
    if not rows.data.num_rows:
        return
    if rows.effect is Effect.DELETE:
        _delete(connection, rows, target)
    elif rows.effect is Effect.APPEND:
        copy_in(connection, target, tuple(rows.data.column_names), rows.sent)
    elif rows.data.num_rows <= FEW and not has_lists(rows.data):
        _merge_few(connection, rows, target)
    else:
        _merge_staged(connection, rows, target)


def _delete(connection: Connection, rows: Rows, target: str) -> None:
    """Note the tombstones, and delete what stands before them; a rebuild notes what is noted already."""
    deletion = rows.deletion
    if deletion is None:
        raise ValueError(f"Nothing is declared to be deleted from {rows.table}.")
    given = sql.SQL(_given(rows.data.schema))
    note = sql.SQL(
        'INSERT INTO streams_tombstone AS t (stream, topic, key, logged_at, "offset")'
        ' SELECT {}, {}, key, logged_at, "offset" FROM {} ON CONFLICT (stream, topic, key)'
        ' DO UPDATE SET logged_at = excluded.logged_at, "offset" = excluded."offset", told_at = now()'
        ' WHERE (excluded.logged_at, excluded."offset") > (t.logged_at, t."offset")'
    ).format(sql.Literal(deletion.stream), sql.Literal(deletion.topic), given)
    connection.execute(note, parameters_of(rows.data))
    query = sql.SQL(
        'DELETE FROM {} r USING {} WHERE {} = given.key AND ({}) <= (given.logged_at, given."offset")'
    ).format(sql.Identifier(target), given, sql.Identifier("r", deletion.by), _listed(deletion.standing, "r"))
    connection.execute(query, parameters_of(rows.data))


@cache
def _alive(source: str, key: Names, by: Names, deletion: Deletion | None) -> str:
    """Of the source, where tombstones delete, the newest row of each key that none of them has taken back."""
    if deletion is None:
        return source
    return (
        sql.SQL(
            "(SELECT DISTINCT ON ({key}) s.* FROM (SELECT * FROM {source}) s WHERE NOT EXISTS (SELECT FROM"
            " streams_tombstone t WHERE t.stream = {stream} AND t.topic = {topic} AND t.key = {named}"
            ' AND (t.logged_at, t."offset") >= ({standing})) ORDER BY {key}, {newest}) AS alive'
        )
        .format(
            key=_listed(key, "s"),
            source=sql.SQL(source),  # made of identifiers and type names, below
            stream=sql.Literal(deletion.stream),
            topic=sql.Literal(deletion.topic),
            named=sql.Identifier("s", deletion.by),
            standing=_listed(deletion.standing, "s"),
            newest=sql.SQL(", ").join(sql.SQL("{} DESC").format(sql.Identifier("s", name)) for name in by),
        )
        .as_string()
    )


def _merge_few(connection: Connection, rows: Rows, target: str) -> None:
    names = tuple(rows.data.column_names)
    source = _alive(_given(rows.data.schema), rows.key, rows.by, rows.deletion)
    merge = _merge(rows.effect, rows.key, rows.by, names, source, target)
    connection.execute(merge, parameters_of(rows.data))


def _merge_staged(connection: Connection, rows: Rows, target: str) -> None:
    names = tuple(rows.data.column_names)
    stage = f"stage_{target}_{crc32(repr((rows.effect, rows.by, names)).encode()):08x}"
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA"
        ).format(sql.Identifier(stage), _listed(names), sql.Identifier(target))
    )
    copy_in(connection, stage, names, rows.sent)
    source = _alive(sql.Identifier(stage).as_string(), rows.key, rows.by, rows.deletion)
    connection.execute(_merge(rows.effect, rows.key, rows.by, names, source, target))
    # A rebuild's last transaction stores several batches; none may find the rows of the one before.
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(stage)))


@cache
def _given(schema: pa.Schema) -> str:
    """One array for each column, as a table."""
    arrays = sql.SQL(", ").join(sql.SQL(f"%s::{name}[]") for name in type_names(schema))
    return sql.SQL("unnest({}) AS given ({})").format(arrays, _listed(tuple(schema.names))).as_string()


@cache
def _merge(effect: Effect, key: Names, by: Names, columns: Names, source: str, target: str) -> bytes:
    """INSERT … ON CONFLICT from the source, as the effect of the projection wants it."""
    return (
        sql.SQL("INSERT INTO {target} ({columns}) SELECT {columns} FROM {source} ON CONFLICT ({key}) {action}")
        .format(
            target=sql.Identifier(target),
            source=sql.SQL(source),  # made of identifiers and type names, above
            columns=_listed(columns),
            key=_listed(key),
            action=_action(effect, key, by, columns, target),
        )
        .as_bytes()
    )


def _action(effect: Effect, key: Names, by: Names, columns: Names, target: str) -> sql.Composable:
    if effect is Effect.ONCE:
        return sql.SQL("DO NOTHING")
    if effect is Effect.ADD:
        addition = sql.SQL("{column} = {target}.{column} + excluded.{column}")
        return sql.SQL("DO UPDATE SET ") + sql.SQL(", ").join(
            addition.format(column=sql.Identifier(name), target=sql.Identifier(target)) for name in by
        )
    changed = [name for name in columns if name not in key]
    return sql.SQL("DO UPDATE SET {sets} WHERE {first} IS NULL OR ({theirs}) > ({ours})").format(
        sets=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
        first=sql.Identifier(target, by[0]),
        theirs=_listed(by, "excluded"),
        ours=_listed(by, target),
    )


def _listed(columns: Names, table: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, name) if table else sql.Identifier(name) for name in columns)
