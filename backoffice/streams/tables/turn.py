"""One rebuild of a table at a time: whoever comes second is told who is at it, and since when."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from backoffice.kernel.errors import Rejected
from backoffice.kernel.locks import REBUILD

from .. import turns
from ..database import Connection

# What Postgres keeps of it.
_NAME_LENGTH = 63


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
    if not turns.take(connection, REBUILD, table):
        who = turns.holder(connection, REBUILD, table) or "one that has just ended"
        raise Rejected(f"{table} is being rebuilt by {who}. Wait for it, or end it, and start again; nothing was done.")
    try:
        yield
    finally:
        turns.give_back(connection, REBUILD, table)
