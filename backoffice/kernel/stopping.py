"""Ends of a run that is asked to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Signal
from types import FrameType


@contextmanager
def stopping() -> Iterator[Signal]:
    """A signal that SIGINT and SIGTERM set, in place of what they did before."""
    stop = Signal()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
