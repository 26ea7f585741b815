"""Ends of a run that is asked to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Signal
from types import FrameType


@contextmanager
def stopping() -> Iterator[Signal]:
    """A signal that SIGINT, SIGTERM and SIGHUP set, in place of what they did before.

    A hang-up that is ignored (nohup) stays ignored.
    """
    stop = Signal()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
