"""Differences that stand open between two places which ought to say the same; whoever looks for them registers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Differences:
    """How many of a kind stand open, and since when the oldest of them does."""

    kind: str
    count: int
    since: datetime | None


Read = Callable[[], Differences]
_READERS: dict[str, Read] = {}


def register(kind: str, read: Read) -> None:
    _READERS[kind] = read


def read_differences() -> list[Differences]:
    return [_READERS[kind]() for kind in sorted(_READERS)]
