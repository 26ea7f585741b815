"""Holding a worker inside its transaction: it waits for a lock that the test has."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.spine import Spine, until

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND starts_with(application_name, 'pitboss-stream') AND wait_event_type = 'Lock'"
)


@contextmanager
def held(spine: Spine, table: str) -> Iterator[None]:
    """Nobody writes into the table until the block ends; reading it is free."""
    with psycopg.connect(spine.database_url) as connection:
        connection.execute(f'LOCK TABLE "{table}" IN SHARE MODE')
        yield


def until_one_waits(spine: Spine) -> None:
    until(lambda: spine.value(_WAITING), "a worker waits in its transaction")


def cut_off(spine: Spine) -> None:
    """Postgres loses those who wait, as if their machine were gone: what they asked for last is not done either."""
    spine.rows(_WAITING.replace("count(*)", "count(pg_terminate_backend(pid))"))
