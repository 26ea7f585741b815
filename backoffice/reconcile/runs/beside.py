"""Work in a process beside this one, for what one processor alone would take too long over."""

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

import django
from django.db import connection

from backoffice.kernel.errors import Retryable

T = TypeVar("T")


@contextmanager
def beside(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Start the work; what is yielded waits for its result, or raises what the work raised.

    The process begins from nothing and reads its settings from the environment: a fork of this one could wait for ever
    for a lock that one of Kafka's threads had at that moment. So the work is something that can be pickled. Left early,
    the process is killed, and what it did in its open transaction is undone; it ends too when this one dies.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_carry_out, args=(pickle.dumps(work), there), daemon=True)
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
        # Asked to end it might not: whoever waits in a library hears no signal.
        process.kill()
        process.join()
        here.close()


def _carry_out(pickled: bytes, there: Connection) -> None:
    threading.Thread(target=_end_with_the_first, name="end-with-the-first", daemon=True).start()
    # Before the work is read, which may name models.
    django.setup()
    try:
        with closing(connection):
            there.send((True, pickle.loads(pickled)()))  # noqa: S301 - made by the process that began this one
    except Exception as error:  # noqa: BLE001 - whoever waits for the result raises it
        there.send((False, error))


def _end_with_the_first() -> None:
    first = multiprocessing.parent_process()
    assert first is not None
    first.join()
    os._exit(1)
