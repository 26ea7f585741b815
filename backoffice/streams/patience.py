"""Trying again, with longer and longer waits, until told to stop."""

import threading
from collections.abc import Iterator

BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


def back_off(stopping: threading.Event) -> Iterator[None]:
    """Go on at once, then after longer and longer waits, until told to stop."""
    yield
    failures = 1
    while not stopping.wait(pause(failures)):
        failures += 1
        yield


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return BACK_OFF_SECONDS[min(max(failures, 1), len(BACK_OFF_SECONDS)) - 1]
