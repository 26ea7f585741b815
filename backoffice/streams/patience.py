"""Trying again, with longer and longer waits, until told to stop."""

import threading
from collections.abc import Iterator

BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


def back_off(stopping: threading.Event) -> Iterator[None]:
    """Go on at once, then after longer and longer waits, until told to stop."""
    yield
    attempt = 0
    while not stopping.wait(BACK_OFF_SECONDS[min(attempt, len(BACK_OFF_SECONDS) - 1)]):
        attempt += 1
        yield
