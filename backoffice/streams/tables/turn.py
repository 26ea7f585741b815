"""One rebuild of a table at a time: whoever comes second is told who is at it, and since when."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from backoffice.kernel.errors import Rejected
from backoffice.kernel.locks import REBUILD

from ..database import Connection

# What Postgres keeps of it.
_NAME_LENGTH = 63

_HOLDER = """
    SELECT format('%%s (process %%s%%s) since %%s UTC', a.application_name, a.pid, ' on ' || host(a.client_addr),
        to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = %s
        AND l.objid = (hashtext(%s)::bigint & 4294967295)::oid
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def held(connection: Connection, table: str) -> Iterator[None]:
    """The turn at the table, for as long as the connection lives: with it the right to swap is gone too.

    Raises:
        Rejected: another rebuild of it is at work.
    """
    name = sql.Literal(f"pitboss-rebuild {table}"[:_NAME_LENGTH])
    connection.execute(sql.SQL("SET application_name = {}").format(name))
    # A rebuild whose machine is gone is noticed while one of its statements runs, too.
    connection.execute("SET client_connection_check_interval = '5s'")
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [REBUILD, table]).fetchone()
    if not row or not row[0]:
        holder = connection.execute(_HOLDER, [REBUILD, table]).fetchone()
        who = holder[0] if holder else "one that has just ended"
        raise Rejected(f"{table} is being rebuilt by {who}. Wait for it, or end it, and start again; nothing was done.")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [REBUILD, table])
