"""Differences that stand open between two places which ought to say the same; whoever looks for them registers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Open:
    """How many stand open, and since when the oldest of them does."""

    count: int
    since: datetime | None


@dataclass(frozen=True)
class Differences:
    """What stands open of a kind: where the two places differ, and what else somebody ought to see."""

    kind: str
    differences: Open
    warnings: Open

    @property
    def is_any(self) -> bool:
        return bool(self.differences.count or self.warnings.count)


Read = Callable[[], Differences]
_READERS: dict[str, Read] = {}


def register(kind: str, read: Read) -> None:
    _READERS[kind] = read


def read_differences() -> list[Differences]:
    return [_READERS[kind]() for kind in sorted(_READERS)]
