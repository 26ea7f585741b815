"""Work in a process beside this one, for what one processor alone would take too long over."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

from django.db import connection

from backoffice.kernel.errors import Retryable

T = TypeVar("T")


@contextmanager
def beside(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Start the work; what is yielded waits for its result, or raises what the work raised.

    The process is a fork, so that it has the settings of this one. It connects to Postgres anew and must use nothing
    else that was connected before: neither does it know the other end's threads. Left early, it is ended, and what it
    did in its open transaction is undone.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_carry_out, args=(work, there), daemon=True)
    process.start()
    there.close()

    def result() -> T:
        try:
            is_done, outcome = here.recv()
        except EOFError as gone:
            raise Retryable("The process beside this one died; what it had not finished is done again.") from gone
        if not is_done:
            raise outcome
        finished: T = outcome
        return finished

    try:
        yield result
    finally:
        process.terminate()
        process.join()
        here.close()


def _carry_out(work: Callable[[], T], there: Connection) -> None:
    # Not closed: that would say goodbye in the name of the process to which it belongs.
    inherited, connection.connection = connection.connection, None
    try:
        there.send((True, work()))
    except Exception as error:  # noqa: BLE001 - whoever waits for the result raises it
        there.send((False, error))
    finally:
        connection.close()
        del inherited
