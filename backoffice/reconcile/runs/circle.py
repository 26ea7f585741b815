"""What was checked is read again, round after round: all of it within the time that the settings say.

What a run reads again follows from how much history there is and how long ago the last run was; whoever is the furthest
behind in its round comes first. A bound keeps a run short. Where it keeps a round from ending in time, that is told.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings

from ..differences import PACE, Difference, Weight
from ..known import Place
from ..messages.log import Slice
from ..models import CheckedPlace
from ..positions import Position

# Partitions are read again in parts of at least so many messages: to begin at an offset has its cost.
PART = 2_000


@dataclass(frozen=True)
class Pace:
    """How much of what is there a run takes: messages of the log, or rows of a table."""

    within: timedelta
    every: timedelta
    at_least: int
    at_most: int

    def share(self, total: int, since_last: timedelta) -> int:
        """So much of ``total`` that all of it has its turn in time, between the bounds."""
        part = max(since_last, self.every) / self.within
        return max(self.at_least, min(ceil(total * part), self.at_most))

    def takes(self, total: int) -> timedelta:
        """How long a round of ``total`` takes at the most that a run may do."""
        return self.every * ceil(total / self.at_most)


def of_messages() -> Pace:
    return _pace("messages")


def of_rows() -> Pace:
    return _pace("rows")


def _pace(what: str) -> Pace:
    limits = settings.RECONCILE
    return Pace(
        timedelta(seconds=limits["again_within"]),
        timedelta(seconds=limits["interval"]),
        limits[f"{what}_at_least"],
        limits[f"{what}_at_most"],
    )


@dataclass(frozen=True)
class Round:
    """The round of a stream through what was checked of a partition: offsets [low, end), ``at`` the next to read."""

    position: Position
    place: CheckedPlace
    end: int

    @property
    def low(self) -> int:
        return self.position.low

    @property
    def at(self) -> int:
        return max(self.low, self.place.again) if self.place.again < self.end else self.low

    @property
    def length(self) -> int:
        return self.end - self.low

    @property
    def progress(self) -> tuple[float, Place]:
        """Rounds done, the one under way as a part."""
        return self.place.rounds + (self.at - self.low) / self.length, self.position.key

    def move_on(self, end: int, now: datetime) -> None:
        """It was read again up to ``end``; at its own end a new round begins."""
        place = self.place
        place.again, place.round_began_at = end, place.round_began_at or now
        if end >= self.end:
            place.again, place.rounds, place.round_began_at = self.low, place.rounds + 1, now
        type(place)._default_manager.filter(stream=place.stream, topic=place.topic, partition=place.partition).update(
            again=place.again, rounds=place.rounds, round_began_at=place.round_began_at
        )


def rounds(read: list[Position], before: Mapping[Place, int] | None = None) -> list[Round]:
    """Those of partitions that hold checked messages, as far as the log has them still; with ``before``, as far as they
    were checked by then."""
    found = []
    for position in read:
        if position.checked is not None:
            end = min(position.checked.next, position.high)
            end = end if before is None else min(end, before.get(position.key, 0))
            if end > position.low:
                found.append(Round(position, position.checked, end))
    return found


def history(rounds: list[Round]) -> int:
    """How many offsets were checked and are still there."""
    return sum(one.length for one in rounds)


def again(rounds: list[Round], budget: int) -> list[Slice]:
    """Slices of ``budget`` messages in all, of those first that are the furthest behind."""
    slices = []
    for one in sorted(rounds, key=lambda one: one.progress):
        if budget <= 0:
            break
        end = min(one.end, one.at + max(PART, budget))
        budget -= end - one.at
        slices.append(one.position.slice(one.at, end, is_new=False))
    return slices


def at_offsets(position: Position, places: Iterable[tuple[str, str, int, int, int]]) -> list[Slice]:
    """Slices of those of the places (stream, topic, partition, first, last offset) that were checked and are there."""
    checked = position.checked.next if position.checked else 0
    return [
        position.slice(first, last + 1, is_new=False)
        for *place, first, last in sorted(places)
        if tuple(place) == position.key and position.low <= first and last < min(checked, position.stored)
    ]


def move_on(rounds: list[Round], slices: list[Slice], now: datetime) -> None:
    by_key = {one.position.key: one for one in rounds}
    for part in slices:
        by_key[part.key].move_on(part.end, now)


def too_slow(rounds: list[Round]) -> Iterator[Difference]:
    """Said where a round cannot end in time."""
    pace, total = of_messages(), history(rounds)
    takes = pace.takes(total)
    if takes > pace.within:
        says = (
            f"To read {total:,} messages of history again takes {_days(takes)} days at this pace, and"
            f" not {pace.within / timedelta(days=1):g}; let a run read more, or run it more often."
        )
        yield Difference(PACE, says, weight=Weight.WARNING)


def too_slow_along(rows: Mapping[str, int]) -> Iterator[Difference]:
    """The same of the rounds along tables, which have about so many ``rows``; the longest is named."""
    pace = of_rows()
    takes = {table: pace.takes(number) for table, number in rows.items()}
    slow = [table for table in sorted(takes, key=lambda table: -takes[table]) if takes[table] > pace.within]
    if slow:
        says = (
            f"To walk once along {slow[0]} takes {_days(takes[slow[0]])} days at this pace, and not"
            f" {pace.within / timedelta(days=1):g}{_as_well(slow)}; let a run walk further, or run it more often."
        )
        stands = {table: f"about {rows[table]:,} rows, {_days(takes[table])} days" for table in slow}
        yield Difference(PACE, says, where="tables", postgres=stands, weight=Weight.WARNING)


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f}"


def _as_well(slow: Sequence[str]) -> str:
    return f", and of {len(slow) - 1} more tables too long as well" if len(slow) > 1 else ""
