"""The streams' own connections to Postgres, and what the driver's errors mean for a batch."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import psycopg
from django.db import InterfaceError, OperationalError, connections
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.kernel.errors import Retryable

from .clocks import ASK, POSTGRES
from .collation import must_be_fit

Connection = psycopg.Connection[tuple[Any, ...]]

# A machine that loses its power says no goodbye: each side asks the other, and gives it up after some ten seconds.
_APPLICATION = "pitboss-stream"
# The sessions of relays, of which one is at work.
OUTBOX_SESSION = f"{_APPLICATION} outbox"
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
_BRIEF_LOCK_SECONDS = 1
_BRIEF_STATEMENT_SECONDS = 4

# Classes of SQLSTATE that a row can cause: one key twice in one merge, data, constraints, a view's check, a limit of
# what Postgres can hold, and what triggers and functions raise. All others tell of the server, of who else is at work,
# or of our own statements and rights (read-only after a fail-over, damaged files, a table that is not there), and so
# of every row alike.
_OF_ROWS = ("21", "22", "23", "44", "54", "P0")
# Those of what is refused for now in a session that goes on: others are at work, room, memory or time are short.
_REFUSING = ("40", "53", "55", "57014", "58")
# And those of what passes by itself: the connection is lost, Postgres took the session back (silent for too long, ended
# by a person, shut down), the server that answers takes no writes yet, others are at work, room or memory are short.
_PASSING = (*_REFUSING, "08", "25006", "25P03", "25P04", "57")


def session_name(stream: str, topic: str) -> str:
    """What the sessions are called in which a stream stores a topic, so that Postgres can say who waits for whom."""
    return f"{_APPLICATION} {stream}.{topic}"


def connect(*, silent_for: int = SILENT_SECONDS, name: str = "") -> Connection:
    """A connection with the settings of Django's default database, outside its own connection handling.

    The server takes a transaction back when nothing is heard of it for ``silent_for`` (seconds). With a ``name`` the
    session is called that, whatever the settings say.

    Raises Retryable where Postgres is away, or the database sorts text otherwise than we do (`Unfit`).
    """
    parameters = connections["default"].get_connection_params()
    known = {k: v for k, v in parameters.items() if k not in ("context", "cursor_factory")}
    with retryable():
        connection = psycopg.connect(**(_DEFAULTS | known), autocommit=True)
        try:
            connection.execute(f"{_SESSION}; SET idle_in_transaction_session_timeout = '{silent_for:d}s'")
            if name:
                connection.execute(sql.SQL("SET application_name = {}").format(name))
            must_be_fit(connection)
            _hear_the_time(connection)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def brief() -> Iterator[Connection]:
    """A connection for what is done again soon: it waits for no lock and no statement for long.

    What Postgres refuses within is Retryable as in `retryable`.
    """
    with retryable(), connect() as connection:
        connection.execute(
            f"SET lock_timeout = '{_BRIEF_LOCK_SECONDS:d}s'; SET statement_timeout = '{_BRIEF_STATEMENT_SECONDS:d}s'"
        )
        yield connection


def now_there(connection: Connection) -> datetime:
    """What time it is by Postgres' clock, whatever transaction is open."""
    ((now,),) = connection.execute(ASK).fetchall()
    return cast(datetime, now)


def _hear_the_time(connection: Connection) -> None:
    asked = time.monotonic()
    POSTGRES.hear(now_there(connection), asked)


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


@contextmanager
def patient(cursor: CursorWrapper, seconds: float) -> Iterator[None]:
    """Within, outside a transaction, each lock is waited for so long, whatever holds for the session else."""
    cursor.execute("SHOW lock_timeout")
    (before,) = cursor.fetchone()
    cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{1_000 * seconds:.0f}"])
    try:
        yield
    finally:
        # A session that broke is made anew, with the bounds that hold for it.
        if cursor.connection is not None and not cursor.connection.closed:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])


def passes(error: BaseException) -> bool:
    """Whether the same can be done a while later, though nothing is changed: it tells of the server or of the session.

    Of Django's errors it is their cause, the driver's, that says so by its code. Which of its classes a code has in
    Python says nothing: a session that was taken back is an internal error there. What has no code is not from the
    server: the driver then tells of the connection, in two classes.
    """
    told = error if isinstance(error, psycopg.Error) else error.__cause__
    if isinstance(told, psycopg.Error) and told.sqlstate is not None:
        return told.sqlstate.startswith(_PASSING)
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError))


def is_refusal(error: BaseException | None) -> bool:
    """Whether Postgres cannot do now what was asked, which says nothing against the session or the question."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(_REFUSING)


def _is_ours(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return error.sqlstate[:2] not in _OF_ROWS
