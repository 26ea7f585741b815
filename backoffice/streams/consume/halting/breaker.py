"""Notices a partition that turns into dead letters, so that a bad deploy does not drain into them."""

from collections import deque
from collections.abc import Iterable


class Breaker:
    """Counts the bad among the last ``window`` messages of one partition that were stored.

    Trips where they are ``minimum`` at least and more than ``ratio`` of the messages counted; these are fewer than
    ``window`` in the beginning, so that a quiet topic does not lose hundreds first.
    """

    def __init__(self, *, window: int, ratio: float, minimum: int) -> None:
        self._window, self._ratio, self._minimum = window, ratio, minimum
        self._seen = 0
        self._bad: deque[int] = deque()

    def trips_at(self, places: Iterable[int]) -> int | None:
        """The first of the bad ones at these places (ascending) of the next messages that is one too many, or None."""
        bad = deque(self._bad)
        for place in places:
            bad.append(self._seen + place)
            self._forget(bad, self._seen + place + 1)
            if self._is_tripped(bad, self._seen + place + 1):
                return place
        return None

    def count(self, messages: int, bad: Iterable[int] = ()) -> None:
        """Take in the next messages, of which those at the places ``bad`` (ascending) are."""
        self._bad.extend(self._seen + place for place in bad)
        self._seen += messages
        self._forget(self._bad, self._seen)

    @property
    def bad(self) -> int:
        """How many of the messages that are counted now are bad."""
        return len(self._bad)

    @property
    def is_tripped(self) -> bool:
        return self._is_tripped(self._bad, self._seen)

    @property
    def is_calm(self) -> bool:
        """Whether the bad ones are less than half of what trips it."""
        return len(self._bad) <= self._ratio * min(self._seen, self._window) / 2

    def _forget(self, bad: deque[int], seen: int) -> None:
        while bad and bad[0] < seen - self._window:
            bad.popleft()

    def _is_tripped(self, bad: deque[int], seen: int) -> bool:
        return len(bad) >= self._minimum and len(bad) > self._ratio * min(seen, self._window)
