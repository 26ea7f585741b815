"""The streams' own connections to Postgres, and what the driver's errors mean for a batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connections

from backoffice.kernel.errors import Retryable

Connection = psycopg.Connection[tuple[object, ...]]

# A machine that loses its power says no goodbye: each side asks the other, and gives it up after some ten seconds.
_DEFAULTS: dict[str, Any] = {
    "application_name": "pitboss-stream",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SESSION = (
    "SET client_min_messages = warning; SET timezone = 'UTC'; SET tcp_keepalives_idle = 5;"
    " SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '10s'"
)

# Classes of SQLSTATE that tell of the server and of who else is at work, whatever was sent: connection, rolled back in
# favour of others, no room or memory, locked, stopped by an operator, its files.
_OWN_STATES = ("08", "40", "53", "55", "57", "58")


def connect(*, silent_for: int = 0) -> Connection:
    """A connection with the settings of Django's default database, outside its own connection handling.

    With ``silent_for`` (seconds) the server takes a transaction back when nothing is heard of it for so long.
    """
    parameters = connections["default"].get_connection_params()
    known = {k: v for k, v in parameters.items() if k not in ("context", "cursor_factory")}
    with retryable():
        connection = psycopg.connect(**(_DEFAULTS | known), autocommit=True)
        connection.execute(f"{_SESSION}; SET idle_in_transaction_session_timeout = '{silent_for:d}s'")
        return connection


@contextmanager
def retryable() -> Iterator[None]:
    """The database being away, or its refusing for a reason that passes, is Retryable.

    What the driver alone says (no code from the server) is about the connection. What the server says of a statement,
    a row too long for an index among it, is about what was sent.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if error.sqlstate is None or error.sqlstate[:2] in _OWN_STATES:
            raise Retryable(str(error).strip()) from error
        raise
