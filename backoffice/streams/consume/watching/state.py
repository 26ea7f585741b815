"""What a lane is doing, written by its two threads and read by whoever watches them."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

WAITING = "waits for messages"


@dataclass
class Doing:
    """What a thread does, and since when (monotonic seconds)."""

    what: str = "has not begun"
    since: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.what} for {time.monotonic() - self.since:.0f} s"


@dataclass
class LaneState:
    """Of one lane in this process. ``owned`` are the partitions that Kafka has given it, ``held`` those it pauses.

    How far its partitions are ``stored`` both threads say, of different ones at the same moment too: each changes what
    the other has left.
    """

    reading: Doing = field(default_factory=Doing)
    writing: Doing = field(default_factory=Doing)
    owned: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    stored: Mapping[int, int] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_reading(self) -> bool:
        """Whether it has begun and takes messages as they come."""
        return self.reading.what == WAITING

    def reads(self, what: str) -> None:
        self.reading = _still(self.reading, what)

    def writes(self, what: str) -> None:
        self.writing = _still(self.writing, what)

    def know(self, offsets: Mapping[int, int]) -> None:
        with self._changing:
            self.stored = {**self.stored, **offsets}

    def begin(self, offsets: Mapping[int, int]) -> None:
        """So far they are stored; what was said before, of a former topic or of other partitions, counts no more."""
        with self._changing:
            self.stored = dict(offsets)

    def lose(self, partition: int) -> None:
        with self._changing:
            self.stored = {each: end for each, end in self.stored.items() if each != partition}

    def __str__(self) -> str:
        return (
            f"its reader {self.reading}, its writer {self.writing}; it has the partitions {_listed(self.owned)},"
            f" of which it holds back {_listed(self.held)}"
        )


def _still(doing: Doing, what: str) -> Doing:
    """Waiting for the same thing again and again counts from the first time."""
    return doing if doing.what == what else Doing(what)


def _listed(partitions: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(partitions))) or "none"
