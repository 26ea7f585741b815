"""How many messages may go out now, so that over time they go out at a rate."""

import time
from collections.abc import Callable, Iterator
from threading import Event as Signal
from typing import Protocol

CATCHING_UP = 5
_TICK = 0.01
_LONGEST_WAIT = 1.0
_CHUNK = 1_000


class Pace(Protocol):
    def grants(self, stop: Signal) -> Iterator[int]:
        """Numbers of messages, each given out when these may be sent, 0 now and then; ends when ``stop`` is set."""


class AtRate:
    """``rate`` messages a second. What a stall held up follows later, at ``CATCHING_UP`` times the rate at most."""

    def __init__(
        self,
        rate: float,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[Signal, float], object] = Signal.wait,
    ) -> None:
        if rate <= 0:
            raise ValueError(f"a rate of {rate} a second; it is above 0")
        self._rate = rate
        self._now = now
        self._wait = wait

    def grants(self, stop: Signal) -> Iterator[int]:
        began = last = self._now()
        granted = 0
        while not stop.is_set():
            now = self._now()
            due = (now - began) * self._rate - granted
            most = (now - last) * self._rate * CATCHING_UP
            count = int(min(due, most))
            if count > 0:
                granted += count
                yield count
                # Time spent on sending is not time in which messages could have been sent.
                last = self._now()
            else:
                yield 0
                missing = max(1 - due, (1 - most) / CATCHING_UP) / self._rate
                self._wait(stop, min(max(missing, _TICK), _LONGEST_WAIT))


class AsFastAsPossible:
    def grants(self, stop: Signal) -> Iterator[int]:
        while not stop.is_set():
            yield _CHUNK
