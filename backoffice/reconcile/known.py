"""Offsets that a stream has left out and that a person has accepted: what is missing there is known."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

Place = tuple[str, str, int]


@dataclass(frozen=True)
class Gap:
    """Offsets [start, end) that were never stored, and why a person let the stream go on behind them.

    There are none where the log was cut off: up to ``stored_until`` other messages come at offsets at which something
    is stored.
    """

    start: int
    end: int
    reason: str
    stored_until: int | None = None


Gaps = Mapping[Place, tuple[Gap, ...]]


def known_gaps(cursor: CursorWrapper) -> Gaps:
    """The accepted gaps by stream, topic and partition, in the order in which they were accepted.

    Of the topics that are there: a gap in a former topic of that name accounts for nothing in the present one.
    """
    cursor.execute(
        'SELECT stream, topic, partition, start, "end", g.reason, stored_until FROM streams_gap g'
        " LEFT JOIN streams_reading r USING (stream, topic)"
        ' WHERE "end" IS NOT NULL AND g.generation = coalesce(r.generation, 0) ORDER BY g.id'
    )
    found: dict[Place, tuple[Gap, ...]] = defaultdict(tuple)
    for stream, topic, partition, *gap in cursor.fetchall():
        found[stream, topic, partition] += (Gap(*gap),)
    return found


def cuts_of(gaps: tuple[Gap, ...]) -> tuple[tuple[int, int], ...]:
    """From where up to where other messages come, for each time that the log was cut off, in that order."""
    return tuple((gap.start, gap.stored_until) for gap in gaps if gap.stored_until is not None)


def is_in_gap(gaps: tuple[Gap, ...], offset: int) -> bool:
    return any(gap.start <= offset < gap.end for gap in gaps)


def covers(gaps: tuple[Gap, ...], start: int, end: int) -> bool:
    """Whether every offset from ``start`` up to ``end`` lies in a gap, as where there are none."""
    for gap in sorted(gaps, key=lambda gap: gap.start):
        if gap.start <= start < gap.end:
            start = gap.end
    return start >= end
