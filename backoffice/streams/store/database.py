"""The stream's own connection to Postgres: binary COPY in, and what the driver's errors mean for a batch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from uuid import UUID

import psycopg
import pyarrow as pa
from django.db import connections
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from backoffice.contracts.columns import ID
from backoffice.kernel.errors import Retryable

Connection = psycopg.Connection[tuple[object, ...]]

# A machine that loses its power says no goodbye: each side asks the other, and gives it up after some ten seconds.
_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
_SESSION = (
    "SET client_min_messages = warning; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;"
    " SET tcp_keepalives_count = 3; SET tcp_user_timeout = '10s'"
)

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


def connect(*, silent_for: int = 0) -> Connection:
    """A connection with the settings of Django's default database, outside its own connection handling.

    With ``silent_for`` (seconds) the server takes a transaction back when nothing is heard of it for so long.
    """
    parameters = connections["default"].get_connection_params()
    known = {k: v for k, v in parameters.items() if k not in ("context", "cursor_factory")}
    with retryable():
        connection = psycopg.connect(**(_KEEPALIVE | known), autocommit=True, application_name="pitboss-stream")
        connection.execute(f"{_SESSION}; SET idle_in_transaction_session_timeout = '{silent_for:d}s'")
        return connection


@contextmanager
def retryable() -> Iterator[None]:
    """The database being away, or its refusing for a reason that passes, is Retryable."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Retryable(str(error).strip()) from error


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
