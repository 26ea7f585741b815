"""Stops a partition that turns into dead letters, so that a bad deploy does not drain into them."""

from collections import deque
from collections.abc import Iterable


class Breaker:
    """Counts the dead letters among the last ``window`` messages of one partition.

    Trips with the first dead letter that makes them more than ``ratio`` of the window.
    """

    def __init__(self, *, window: int, ratio: float) -> None:
        self._window = window
        self._limit = window * ratio
        self._seen = 0
        self._dead: deque[int] = deque()

    def trips_at(self, count: int, dead: Iterable[int]) -> int | None:
        """Take in the next ``count`` messages, of which those at the places ``dead`` (ascending) are bad.

        Returns the place of the one that tripped it, or None.
        """
        for place in dead:
            at = self._seen + place
            self._dead.append(at)
            while self._dead[0] <= at - self._window:
                self._dead.popleft()
            if len(self._dead) > self._limit:
                return place
        self._seen += count
        return None
