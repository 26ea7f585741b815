"""Ctrl-C, SIGTERM and a closed terminal all mean the same, once: end, in order."""

import signal
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The signal that asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


def catch() -> None:
    """Raise `Interrupted` at the first signal, ignore all later ones: ending is bounded and must not be cut short."""
    for number in ENDING:
        signal.signal(number, _interrupt)


def ignore() -> None:
    for number in ENDING:
        # Not SIG_IGN, which a program started from now on would inherit.
        signal.signal(number, _overhear)


def _overhear(_number: int, _frame: FrameType | None) -> None:
    return None


def _interrupt(number: int, _frame: FrameType | None) -> None:
    ignore()
    raise Interrupted(number)
