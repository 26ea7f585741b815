"""Short sessions with Postgres, which a worker uses again for a while.

A worker that starts has some hundred and fifty short questions: where each lane goes on, what is known of each schema.
A session costs Postgres a process, a sign-in and a handful of settings, some ten milliseconds each time; where several
workers start at once on a small machine that was a quarter of all they did.

psycopg's pool makes sessions in threads of its own and lets whoever comes wait for one. Here nobody waits: where none
is at hand, a new one is made.
"""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus, TransactionStatus

from .database import Connection, connect, retryable

# So many at once, for so long (seconds) after their last use.
MOST_IDLE = 4
IDLE_SECONDS = 10.0
# One that is used again answers within that, or is given up: its server may be frozen, which no signal tells.
ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class _Idle:
    connection: Connection
    since: float


_idle: list[_Idle] = []
_lock = threading.Lock()
_is_reusing = False


@contextmanager
def session(name: str = "") -> Iterator[Connection]:
    """A connection as `connect` makes them, for a moment. What Postgres refuses within is Retryable as in `retryable`.

    One that an error has ended is closed. Outside a transaction nothing may be set that the next one must not have.
    """
    with retryable():
        connection = _another_time(name) or connect(name=name)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        _put_back(connection)


def reuse() -> None:
    """Use sessions again from now on."""
    global _is_reusing  # noqa: PLW0603 - one for each process
    _is_reusing = True


def close_old() -> None:
    """Close those that nobody has used for a while."""
    now = time.monotonic()
    with _lock:
        old = [idle for idle in _idle if now - idle.since > IDLE_SECONDS]
        _idle[:] = [idle for idle in _idle if now - idle.since <= IDLE_SECONDS]
    _close(old)


def close() -> None:
    """Use none again, and close all."""
    global _is_reusing  # noqa: PLW0603 - one for each process
    _is_reusing = False
    _close(_take_all())


def _another_time(name: str) -> Connection | None:
    """One that was used a moment ago and still answers."""
    close_old()
    called = sql.SQL("SET application_name = {}").format(name) if name else sql.SQL("RESET application_name")
    with _lock:
        idle = _idle.pop() if _idle else None
    if idle is None:
        return None
    if _has_done(idle.connection, called.as_bytes(idle.connection)):
        return idle.connection
    # What has ended this one has ended the others too.
    _close([idle, *_take_all()])
    return None


def _has_done(connection: Connection, command: bytes) -> bool:
    """Whether the server has done it in time."""
    until = time.monotonic() + ANSWER_SECONDS
    try:
        connection.pgconn.send_query(command)
        while connection.pgconn.flush() or connection.pgconn.is_busy():
            ready, _, _ = select.select([connection.pgconn.socket], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return False
            connection.pgconn.consume_input()
        done = connection.pgconn.get_result()
        return done is not None and done.status == ExecStatus.COMMAND_OK and connection.pgconn.get_result() is None
    except psycopg.Error:
        return False


def _put_back(connection: Connection) -> None:
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    with _lock:
        if _is_reusing and is_idle and len(_idle) < MOST_IDLE:
            _idle.append(_Idle(connection, time.monotonic()))
            return
    connection.close()


def _take_all() -> list[_Idle]:
    with _lock:
        found = list(_idle)
        _idle.clear()
    return found


def _close(idle: list[_Idle]) -> None:
    for each in idle:
        each.connection.close()
