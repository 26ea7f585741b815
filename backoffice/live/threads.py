"""Calls of the database out of the event loop: in threads of their own, each with a limit of time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, connections, transaction
from psycopg import IsolationLevel

Result = TypeVar("Result")


# Who looks again soon waits for no lock for long: a table that is locked costs its own readers, not the threads of all.
LOCK_SECONDS = 1.0


class Threads:
    """``count`` of them, and so one call that hangs keeps the others from nothing; each thread holds a connection.

    Postgres ends a statement that takes longer than the call may, so that the thread is free again.
    """

    def __init__(self, name: str, count: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._seconds = seconds

    async def run(self, act: Callable[[], Result]) -> Result:
        """Raises TimeoutError where there is no answer in time; the thread is busy until there is one."""
        limit = asyncio.timeout(self._seconds)
        try:
            # Not `wait_for`, here and elsewhere: of Python 3.11 it swallows a cancellation that comes with the result.
            async with limit:
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._on_a_sound_connection, act
                )
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"there was no answer within {self._seconds:.0f} s") from None
            raise

    def _on_a_sound_connection(self, act: Callable[[], Result]) -> Result:
        """The thread keeps its connection, but not one that something went wrong on."""
        try:
            if connection.connection is None:
                self._bound()
            return act()
        except BaseException:
            connections.close_all()
            raise

    def _bound(self) -> None:
        with connection.cursor() as cursor:
            for name, seconds in {"statement_timeout": self._seconds, "lock_timeout": LOCK_SECONDS}.items():
                cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{1_000 * seconds:.0f}"])


def at_one_moment(read: Callable[[], Result]) -> Result:
    """All that is read is as it was when the first statement began, whatever is committed meanwhile."""
    connection.ensure_connection()
    connection.connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.connection.read_only = True
    with transaction.atomic():
        return read()
