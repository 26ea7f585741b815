"""Who holds what a stream or a job waits for in Postgres, in words for whoever has to end it."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backoffice.kernel.errors import Retryable

from ...database import Connection, retryable

log = logging.getLogger(__name__)

# So much of a statement is told, and so many of those who block.
LENGTH = 80
MANY = 5

# Names, keywords and what stands between them. Whatever could be a value (quotes, digits, a comment) ends it: values
# may be of persons.
_WITHOUT_VALUES = re.compile(r'(?:[A-Za-z_][\w.]*|"[^"]*"|[\s(),;*=<>])*')

# Those who block wait for others themselves at times, who are told too. A transaction that is prepared has no session.
_BLOCKERS = """
    WITH RECURSIVE blocked (pid, by) AS (
        SELECT a.pid, unnest(pg_blocking_pids(a.pid)) FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.application_name = %(name)s AND a.wait_event_type = 'Lock'
        UNION SELECT b.by, unnest(pg_blocking_pids(b.by)) FROM blocked b WHERE b.by <> 0
    )
    SELECT DISTINCT b.by, coalesce(a.application_name, ''), coalesce(a.state, ''), a.xact_start, a.state_change,
        coalesce(a.query, ''), EXISTS (SELECT FROM blocked w WHERE w.pid = b.by),
        coalesce((SELECT string_agg(DISTINCT l.relation::regclass::text, ', ') FROM pg_locks l, blocked w
            WHERE w.by = b.by AND l.pid = w.pid AND NOT l.granted), '')
    FROM blocked b LEFT JOIN pg_stat_activity a ON a.pid = b.by
    ORDER BY 7, 4 LIMIT %(many)s
"""

# Whose transaction it is that a row says has it locked. Of those that share a lock nobody is told.
_LOCKERS = """
    SELECT coalesce(l.pid, 0), coalesce(a.application_name, ''), coalesce(a.state, ''), a.xact_start, a.state_change,
        coalesce(a.query, ''), false, ''
    FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'transactionid' AND l.granted AND l.transactionid = %(transaction)s::xid
        AND coalesce(a.application_name, '') <> %(but)s
"""


@dataclass(frozen=True)
class Blocker:
    """A session that has a lock which is waited for, on ``relation`` where it is one of a whole table.

    ``pid`` is 0 for a transaction that is prepared. ``since`` is when its transaction began, ``changed_at`` when its
    ``state`` did; ``statement`` is the beginning of what it runs or ran last, up to the first value. What its own user
    or pg_read_all_stats alone may see is empty for others.
    """

    pid: int
    application: str
    state: str
    since: datetime | None
    changed_at: datetime | None
    statement: str
    waits: bool
    relation: str

    def __str__(self) -> str:
        if not self.pid:
            return "a prepared transaction (pg_prepared_xacts)"
        said = [self.application or "no name", self.state or "state not ours to see"]
        if self.changed_at:
            said.append(f"that since {_moment(self.changed_at)}")
        if self.since:
            said.append(f"in its transaction since {_moment(self.since)}")
        if self.relation:
            said.append(f"waited for: {self.relation}")
        if self.statement:
            said.append(f"runs or ran: {self.statement}")
        if self.waits:
            said.append("waits for a lock itself")
        return f"{self.pid} ({'; '.join(said)})"


def blockers(connection: Connection, session: str) -> list[Blocker]:
    """Those who hold up the sessions that are called so, the first cause first."""
    return _found(connection, _BLOCKERS, {"name": session, "many": MANY})


def _found(connection: Connection, query: str, parameters: Mapping[str, object]) -> list[Blocker]:
    rows = connection.execute(query.encode(), parameters).fetchall()
    return [
        Blocker(pid, application, state, since, changed_at, without_values(query), waits, relation)
        for pid, application, state, since, changed_at, query, waits, relation in rows
    ]


def told(found: Sequence[Blocker]) -> str:
    """A sentence with the way on; empty where nobody is in the way."""
    if not found:
        return ""
    first = found[0]
    way = f"end it with `SELECT pg_terminate_backend({first.pid})`" if first.pid else "commit it or roll it back"
    return (
        f" In Postgres it waits for a lock of {', '.join(map(str, found))}. Have the first of these end its"
        f" transaction, or {way}: its work is undone, and what waits for it goes on by itself."
    )


def why(connection: Connection, session: str) -> str:
    """What is `told` of those who hold up such sessions; empty also where Postgres does not say it now."""
    try:
        with retryable():
            return told(blockers(connection, session))
    except Retryable as error:
        log.info("who holds up %s cannot be told now: %s", session, error)
        return ""


def why_passed_over(connection: Connection, transaction: str, but: str) -> str:
    """What is `told` of who has a row locked that says so (``xmax``), but for the sessions that are called ``but``."""
    try:
        with retryable():
            return told(_found(connection, _LOCKERS, {"transaction": transaction, "but": but}))
    except Retryable as error:
        log.info("who has a row locked cannot be told now: %s", error)
        return ""


def without_values(query: object) -> str:
    """The beginning of a statement on one line, up to the first thing in it that could be a value."""
    found = _WITHOUT_VALUES.match(str(query))
    words = " ".join((found.group() if found else "").split())
    return words if len(words) <= LENGTH else f"{words[: LENGTH - 1]}…"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
