"""Columns into Postgres: the types of a table, and binary COPY."""

from collections.abc import Iterable
from functools import cache
from uuid import UUID

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from backoffice.contracts.columns import ID

from ..database import Connection

_TYPES = {
    "uuid": ID,
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "bytea": pa.binary(),
    "bigint[]": pa.list_(pa.int64()),
    "text[]": pa.list_(pa.string()),
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def table_shape(connection: Connection, table: str) -> pa.Schema:
    """The columns of a table with the Arrow types that COPY takes for them; identity columns fill themselves."""
    rows = connection.execute(
        "SELECT attname, regexp_replace(format_type(atttypid, atttypmod), '^character varying.*', 'text')"
        " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''"
        " ORDER BY attnum",
        [table],
    ).fetchall()
    return pa.schema([(str(name), _TYPES[str(kind)]) for name, kind in rows if str(kind) in _TYPES])


def copy_bytes(rows: pa.Table) -> list[bytes]:
    """The rows as binary COPY takes them."""
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    return [encoder.write_header(), *map(encoder.write_batch, rows.to_batches()), encoder.finish()]


def copy_in(connection: Connection, table: str, columns: tuple[str, ...], sent: Iterable[bytes]) -> None:
    """COPY what ``copy_bytes`` made into the table, all or (with the transaction) none."""
    with connection.cursor() as cursor, cursor.copy(_copying(table, columns)) as copy:
        for part in sent:
            copy.write(part)


@cache
def _copying(table: str, columns: tuple[str, ...]) -> bytes:
    return (
        sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
        .format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)))
        .as_bytes()
    )


def type_names(schema: pa.Schema) -> list[str]:
    """What Postgres calls the types of columns that ``table_shape`` gave."""
    return [_NAMES[kind] for kind in schema.types]


def has_lists(rows: pa.Table) -> bool:
    return any(pa.types.is_list(kind) for kind in rows.schema.types)


def parameters_of(rows: pa.Table) -> list[list[object]]:
    """A parameter for each column: its values as a list."""
    return [_values(column) for column in rows.columns]


def _values(column: pa.ChunkedArray) -> list[object]:
    values: list[object] = column.to_pylist()
    return [value and UUID(bytes=value) for value in values] if column.type == ID else values  # type: ignore[arg-type]
