"""What a lane is doing, written by its two threads and read by whoever watches them."""

import time
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
    """Of one lane in this process. ``owned`` are the partitions that Kafka has given it, ``held`` those it pauses."""

    reading: Doing = field(default_factory=Doing)
    writing: Doing = field(default_factory=Doing)
    owned: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    stored: dict[int, int] = field(default_factory=dict)

    @property
    def is_reading(self) -> bool:
        """Whether it has begun and takes messages as they come."""
        return self.reading.what == WAITING

    def reads(self, what: str) -> None:
        self.reading = _still(self.reading, what)

    def writes(self, what: str) -> None:
        self.writing = _still(self.writing, what)

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
