"""Work in a process beside this one, for what one processor alone would take too long over."""

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from traceback import format_exception_only
from typing import TypeVar

import django
from django.db import connection

from backoffice.kernel.errors import ENDINGS, Retryable, origin

T = TypeVar("T")


class Failed(Exception):  # noqa: N818 - named for what happened
    """What failed in the process beside this one, in words: the error itself cannot be handed over."""


@contextmanager
def beside(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Start the work; what is yielded waits for its result, or raises what the work raised, with a note of where; a
    ``Failed`` (a ``Retryable`` where it is one) of an error or a result that cannot be pickled.

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
            is_done, outcome = pickle.loads(here.recv_bytes())  # noqa: S301 - made by the process begun here
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
    try:
        # Before the work is read, which may name models.
        django.setup()
        with closing(connection):
            told = _as_result(pickle.loads(pickled)())  # noqa: S301 - made by the process that began this one
    except ENDINGS:
        raise
    except BaseException as error:  # noqa: BLE001 - whoever waits for the result raises it
        told = _as_failure(error)
    there.send_bytes(told)


def _as_result(outcome: object) -> bytes:
    try:
        return pickle.dumps((True, outcome))
    except Exception as error:
        raise Failed(f"What it has found cannot be handed over: {_in_a_line(error)}") from error


def _as_failure(error: BaseException) -> bytes:
    """The error as the other process can read it, with a note of where it was raised, which does not come along."""
    where = origin(error)
    try:
        error.add_note(where)
        told = pickle.dumps((False, error))
        # Some are made of more than what they are written by.
        pickle.loads(told)  # noqa: S301 - made above
    except Exception:  # noqa: BLE001 - whichever it is, the error does not come through
        kind = Retryable if isinstance(error, Retryable) else Failed
        in_words = kind(f"The process beside this one has failed: {_in_a_line(error)}")
        in_words.add_note(where)
        return pickle.dumps((False, in_words))
    return told


def _in_a_line(error: BaseException) -> str:
    """Its class and what it says, though it may not be able to say anything."""
    return format_exception_only(error)[0].strip()


def _end_with_the_first() -> None:
    first = multiprocessing.parent_process()
    assert first is not None
    first.join()
    os._exit(1)
