"""Short sessions with Postgres, which a worker uses again for a while.

A worker that starts has some hundred and fifty short questions: where each lane goes on, what is known of each schema.
A session costs Postgres a process, a sign-in and a handful of settings, some ten milliseconds each time; where several
workers start at once on a small machine that was a quarter of all they did.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from .database import Connection, connect, retryable

# So many at once, for so long (seconds) after their last use.
KEPT = 4
KEPT_SECONDS = 10.0


@dataclass(frozen=True)
class _Kept:
    connection: Connection
    since: float


_kept: list[_Kept] = []
_lock = threading.Lock()
_keeps = False


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
        _keep(connection)


def keep() -> None:
    """Use sessions again from now on."""
    global _keeps  # noqa: PLW0603 - one for each process
    _keeps = True


def close() -> None:
    """Use none again, and close what is kept."""
    global _keeps  # noqa: PLW0603 - one for each process
    _keeps = False
    _close(_all())


def _another_time(name: str) -> Connection | None:
    """One that was used a moment ago and still answers."""
    while (kept := _take()) is not None:
        called = sql.SQL("SET application_name = {}").format(name) if name else sql.SQL("RESET application_name")
        try:
            kept.connection.execute(called)
        except psycopg.Error:
            # What has ended this one has ended the others too.
            _close([kept, *_all()])
        else:
            return kept.connection
    return None


def _take() -> _Kept | None:
    """The one that was used last; those of long ago are closed."""
    now = time.monotonic()
    with _lock:
        old = [kept for kept in _kept if now - kept.since > KEPT_SECONDS]
        _kept[:] = [kept for kept in _kept if now - kept.since <= KEPT_SECONDS]
        taken = _kept.pop() if _kept else None
    _close(old)
    return taken


def _keep(connection: Connection) -> None:
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    with _lock:
        if _keeps and is_idle and len(_kept) < KEPT:
            _kept.append(_Kept(connection, time.monotonic()))
            return
    connection.close()


def _all() -> list[_Kept]:
    with _lock:
        found = list(_kept)
        _kept.clear()
    return found


def _close(kept: list[_Kept]) -> None:
    for each in kept:
        each.connection.close()
