"""How often somebody may ask: so many times at once, and so many a second from then on (a token bucket). Pure."""


class Allowance:
    """Times are seconds of a clock that never goes back."""

    def __init__(self, at_once: int, a_second: float, now: float) -> None:
        self._most = at_once
        self._a_second = a_second
        self._left = float(at_once)
        self._at = now

    def take(self, count: int, now: float) -> float:
        """Take ``count`` and return 0; where that is too many, take none and return the seconds until it is not."""
        self._left = min(self._most, self._left + (now - self._at) * self._a_second)
        self._at = now
        if count <= self._left:
            self._left -= count
            return 0.0
        return (count - self._left) / self._a_second
