"""One at a time: whoever comes second is told who is at it, and since when."""

from typing import Any

from .database import Connection

_HOLDER = """
    SELECT format('%%s (process %%s%%s) since %%s UTC', a.application_name, a.pid, ' on ' || host(a.client_addr),
        to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND {lock}
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_OF_TWO = "l.objsubid = 2 AND l.classid = %s AND l.objid = (hashtext(%s)::bigint & 4294967295)::oid"
_OF_ONE = "l.objsubid = 1 AND l.classid = (%s::bigint >> 32)::oid AND l.objid = (%s::bigint & 4294967295)::oid"


def take(connection: Connection, kind: int, name: str) -> bool:
    """Whether the turn is ours now, for as long as the session lives or until it is given back.

    ``kind`` is the first number of the advisory lock (kernel/locks.py).
    """
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [kind, name]).fetchone()
    return bool(row and row[0])


def give_back(connection: Connection, kind: int, name: str) -> None:
    if not connection.closed:
        connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [kind, name])


def holder(connection: Connection, kind: int, name: str) -> str:
    """Who has the turn, in words; empty where nobody has."""
    return _said(connection.execute(_HOLDER.format(lock=_OF_TWO), [kind, name]).fetchone())


def holder_of(connection: Connection, lock: int) -> str:
    """The same of an advisory lock of one number."""
    return _said(connection.execute(_HOLDER.format(lock=_OF_ONE), [lock, lock]).fetchone())


def _said(row: tuple[Any, ...] | None) -> str:
    return str(row[0]) if row else ""
