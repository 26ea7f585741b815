"""The streams' own connections to Postgres, and what the driver's errors mean for a batch."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections
from psycopg import sql

from backoffice.kernel.errors import Retryable

from .clocks import ASK, POSTGRES

Connection = psycopg.Connection[tuple[object, ...]]

# A machine that loses its power says no goodbye: each side asks the other, and gives it up after some ten seconds.
_APPLICATION = "pitboss-stream"
_DEFAULTS: dict[str, Any] = {
    "application_name": _APPLICATION,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SESSION = (
    "SET client_min_messages = warning; SET timezone = 'UTC'; SET tcp_keepalives_idle = 5;"
    " SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '10s'"
)

# Whoever is frozen in a transaction holds up all that wait for its rows: offsets, messages of the outbox. No caller is
# silent for so long when all is well; a rebuild waits for Kafka for half of it.
SILENT_SECONDS = 60

# Classes of SQLSTATE that a row can cause: one key twice in one merge, data, constraints, a view's check, a limit of
# what Postgres can hold, and what triggers and functions raise. All others tell of the server, of who else is at work,
# or of our own statements and rights (read-only after a fail-over, damaged files, a table that is not there), and so
# of every row alike.
_OF_ROWS = ("21", "22", "23", "44", "54", "P0")


def session_name(stream: str, topic: str) -> str:
    """What the sessions are called in which a stream stores a topic, so that Postgres can say who waits for whom."""
    return f"{_APPLICATION} {stream}.{topic}"


def connect(*, silent_for: int = SILENT_SECONDS, name: str = "") -> Connection:
    """A connection with the settings of Django's default database, outside its own connection handling.

    The server takes a transaction back when nothing is heard of it for ``silent_for`` (seconds). With a ``name`` the
    session is called that, whatever the settings say.
    """
    parameters = connections["default"].get_connection_params()
    known = {k: v for k, v in parameters.items() if k not in ("context", "cursor_factory")}
    with retryable():
        connection = psycopg.connect(**(_DEFAULTS | known), autocommit=True)
        connection.execute(f"{_SESSION}; SET idle_in_transaction_session_timeout = '{silent_for:d}s'")
        if name:
            connection.execute(sql.SQL("SET application_name = {}").format(name))
        _hear_the_time(connection)
        return connection


def _hear_the_time(connection: Connection) -> None:
    asked = time.monotonic()
    if told := connection.execute(ASK).fetchone():
        POSTGRES.hear(told[0], asked)  # type: ignore[arg-type]


@contextmanager
def retryable() -> Iterator[None]:
    """The database being away, or its refusing for a reason that no row can be, is Retryable.

    What the driver alone says (no code from the server) of its connection is about that; anything else it says alone,
    and what the server says in a class that rows can cause, is about what was sent, and is raised as it is.
    """
    try:
        yield
    except psycopg.Error as error:
        if _is_ours(error):
            raise Retryable(str(error).strip()) from error
        raise


def _is_ours(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return error.sqlstate[:2] not in _OF_ROWS
