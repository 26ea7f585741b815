"""When a recorded message is due: in step with the recording's clock, at any factor of it, or at once."""

import math
import time
from collections.abc import Callable
from threading import Event as Signal

# A recording may be silent for a night. Where its clock leaps further, forwards or back, the leap is a mistake and is
# not waited for.
LEAP_MILLISECONDS = 24 * 3_600_000
_LONGEST_WAIT = 1.0


class Pace:
    """``speed`` 1 is that of the recording, ``math.inf`` is as fast as it goes.

    A message that is late, because others took long, is due at once; the next is in step again.
    """

    def __init__(
        self,
        speed: float,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[Signal, float], object] = Signal.wait,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"a speed of {speed}; it is above 0")
        self._speed = speed
        self._now = now
        self._wait = wait
        self._last: int | None = None
        self._origin = 0
        self._began = 0.0

    def wait(self, at: int, stop: Signal, serve: Callable[[], object] = lambda: None) -> bool:
        """Wait until the recording's clock says ``at`` (milliseconds); whether it came to that before ``stop`` was set.

        The first call starts the clock. ``serve`` is called about every second while it waits.
        """
        if self._last is None or abs(at - self._last) > LEAP_MILLISECONDS:
            self._origin, self._began = at, self._now()
        self._last = at
        if self._speed == math.inf:
            return not stop.is_set()
        due = self._began + (at - self._origin) / 1_000 / self._speed
        while not stop.is_set() and (missing := due - self._now()) > 0:
            serve()
            self._wait(stop, min(missing, _LONGEST_WAIT))
        return not stop.is_set()
