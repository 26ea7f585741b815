"""Rows into tables: plain COPY for new rows, COPY into a stage and one merge for those that may be there already."""

from collections.abc import Iterable
from zlib import crc32

from psycopg import sql

from .database import Connection, copy_in
from .projection import Effect
from .rows import Rows


def store(connection: Connection, rows: Rows, table: str = "") -> None:
    """Write the rows into their table (or into ``table`` in its stead) within the transaction that is open."""
    target = table or rows.table
    if not rows.data.num_rows:
        return
    if rows.effect is Effect.APPEND:
        copy_in(connection, target, rows.data.column_names, rows.sent)
        return
    stage = f"stage_{target}_{crc32(repr((rows.effect, rows.by, rows.data.column_names)).encode()):08x}"
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA"
        ).format(sql.Identifier(stage), _names(rows.data.column_names), sql.Identifier(target))
    )
    copy_in(connection, stage, rows.data.column_names, rows.sent)
    connection.execute(_merge(rows, stage, target))
    # A rebuild's last transaction stores several batches; none may find the rows of the one before.
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(stage)))


def _merge(rows: Rows, stage: str, target: str) -> sql.Composed:
    """INSERT … ON CONFLICT from the stage, as the effect of the projection wants it."""
    return sql.SQL(
        "INSERT INTO {target} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT ({key}) {action}"
    ).format(
        target=sql.Identifier(target),
        stage=sql.Identifier(stage),
        columns=_names(rows.data.column_names),
        key=_names(rows.key),
        action=_action(rows, target),
    )


def _action(rows: Rows, target: str) -> sql.Composable:
    if rows.effect is Effect.ONCE:
        return sql.SQL("DO NOTHING")
    if rows.effect is Effect.ADD:
        addition = sql.SQL("{column} = {target}.{column} + excluded.{column}")
        return sql.SQL("DO UPDATE SET ") + sql.SQL(", ").join(
            addition.format(column=sql.Identifier(name), target=sql.Identifier(target)) for name in rows.by
        )
    changed = [name for name in rows.data.column_names if name not in rows.key]
    return sql.SQL("DO UPDATE SET {sets} WHERE {first} IS NULL OR ({theirs}) > ({ours})").format(
        sets=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
        first=sql.Identifier(target, rows.by[0]),
        theirs=_names(rows.by, "excluded"),
        ours=_names(rows.by, target),
    )


def _names(columns: Iterable[str], table: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(table, name) if table else sql.Identifier(name) for name in columns)
