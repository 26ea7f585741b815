"""A call that hangs in Postgres costs itself, and neither the thread nor those who come after it."""

import asyncio

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection

from backoffice.live.threads import Threads


def asked(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def test_a_statement_that_takes_too_long_leaves_the_thread_free(database: str) -> None:
    async def both() -> object:
        threads = Threads(f"test-{database}", 1, 2.0)
        with pytest.raises((TimeoutError, OperationalError)):
            await threads.run(lambda: asked("SELECT pg_sleep(60)"))
        return await threads.run(lambda: asked("SELECT 7"))

    assert asyncio.run(both()) == 7


def test_a_table_that_is_locked_is_waited_for_briefly(database: str) -> None:
    async def both() -> object:
        threads = Threads(f"test-{database}", 1, 30.0)
        with pytest.raises(OperationalError, match="lock timeout"):
            await threads.run(lambda: asked("SELECT count(*) FROM trading_market"))
        return await threads.run(lambda: asked("SELECT count(*) FROM players_player"))

    url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{database}"
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE trading_market IN ACCESS EXCLUSIVE MODE")
        assert asyncio.run(both()) == 0
