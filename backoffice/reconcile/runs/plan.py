"""Which offsets a run reads for the first time, step by step.

Each step is a bounded number of messages in a transaction with a snapshot of its own, because a long one would hold up
whoever changes the tables, and the vacuum.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import STREAMS, Stream

from ..books import Books
from ..differences import Difference, Weight
from ..known import Gap, Gaps, Place, covers
from ..messages.log import LAST, Log, Slice
from ..models import CheckedPlace

# Some ten seconds' work on a slow machine.
STEP = 200_000


@dataclass(frozen=True)
class Position:
    """How far a stream is in a partition: its stored offset, what is there in Kafka, what was checked before."""

    stream: Stream
    topic: str
    partition: int
    following: int
    newest_at: datetime | None
    low: int
    high: int
    checked: CheckedPlace | None
    gaps: tuple[Gap, ...] = ()
    generation: int = 0

    @property
    def key(self) -> Place:
        return self.stream.name, self.topic, self.partition

    @property
    def start(self) -> int:
        """Where the new offsets begin that are still to be read."""
        return max(self.low, self.checked.next if self.checked else 0)

    @property
    def stored(self) -> int:
        """The end of what is both stored and still there."""
        return min(self.following, self.high)

    @property
    def end(self) -> int:
        return max(self.start, self.stored)

    @property
    def since(self) -> int:
        """The first offset that the books hold; behind a gap that nobody has accepted they are incomplete."""
        unread = self.checked.next if self.checked else 0
        if not covers(self.gaps, unread, self.low):
            return self.low
        return self.checked.since if self.checked else 0

    @property
    def cuts(self) -> tuple[Gap, ...]:
        """Where the log was cut off, in the order in which it was."""
        return tuple(gap for gap in self.gaps if gap.stored_until is not None)

    @property
    def former_until(self) -> int:
        """Up to which offset there may be rows of a former topic, or of the end that the log has lost."""
        return LAST if self.generation else max((gap.stored_until or 0 for gap in self.cuts), default=0)

    @property
    def is_inexact(self) -> bool:
        """Whether sums over all events of the partition can only be a lower bound."""
        is_short = self.since > 0 or self.high < self.following
        return is_short or self.former_until > 0 or TOPICS[self.topic].compacted

    @property
    def has_every_key(self) -> bool:
        """Whether the books know the newest version of every key: compaction keeps just that."""
        return self.former_until == 0 and (self.since == 0 or TOPICS[self.topic].compacted)


def positions(cursor: CursorWrapper, log: Log, books: Books, gaps: Gaps) -> list[Position]:
    """In the order of the catalogue, as the snapshot of the open transaction has them."""
    checked = {(c.stream, c.topic, c.partition, c.generation): c for c in books.checked._default_manager.all()}
    for (stream, topic, partition, _), one in checked.items():
        _lead_back(one, gaps.get((stream, topic, partition), ()))
    cursor.execute(
        "SELECT o.stream, o.topic, o.partition, o.next, o.newest_at, coalesce(r.generation, 0) FROM streams_offset o"
        " LEFT JOIN streams_reading r ON r.stream = o.stream AND r.topic = o.topic"
        " ORDER BY o.topic, o.partition, o.stream"
    )
    return [
        Position(STREAMS[stream], topic, partition, following, newest_at, *log.bounds(topic, partition),
                 checked.get((stream, topic, partition, generation)), gaps.get((stream, topic, partition), ()),
                 generation)
        for stream, topic, partition, following, newest_at, generation in cursor.fetchall()
        if stream in STREAMS and topic in TOPICS
    ]  # fmt: skip


def _lead_back(checked: CheckedPlace, gaps: tuple[Gap, ...]) -> None:
    """Where the log was cut off since it was checked, what comes at these offsets is still to be read."""
    cuts = [gap.start for gap in gaps if gap.stored_until is not None]
    checked.next = min(checked.next, *cuts[checked.cuts :], checked.next)


@dataclass
class Plan:
    """What a run still has to read for the first time. It ends at what was stored when it began, or a little later.

    A step is level when it takes all that is left at once: its sums can be held against the tables exactly.
    """

    step: int = STEP
    is_level: bool = False
    is_done: bool = False
    _goals: dict[Place, int] = field(default_factory=dict)

    def next(self, read: list[Position]) -> list[Slice]:
        """The slices of the next step, by the positions of its snapshot."""
        if not self._goals:
            self._goals = {position.key: position.end for position in read}
        self.is_level = sum(position.end - position.start for position in read) <= self.step
        if self.is_level:
            self.is_done = True
            return [_slice(position, position.end) for position in read]
        slices = list(self._bounded(read))
        # With nothing below its goal the streams store faster than this reads; the next run goes on.
        self.is_done = not slices
        return slices

    def _bounded(self, read: list[Position]) -> Iterator[Slice]:
        left = self.step
        for position in read:
            end = min(position.end, position.start + left)
            if position.start < min(end, self._goals.get(position.key, 0)):
                left -= end - position.start
                yield _slice(position, end)


def _slice(position: Position, end: int) -> Slice:
    logged = position.checked.logged if position.checked else 0
    return Slice(
        position.stream,
        position.topic,
        position.partition,
        position.start,
        end,
        is_new=True,
        logged=logged,
        generation=position.generation,
        former_until=position.former_until,
    )


def told_until(read: Sequence[Position], topic: str) -> datetime | None:
    """Up to when all that a topic tells of is stored: where a partition lags behind its log, up to its newest event."""
    mine = [position for position in read if position.topic == topic]
    newest = [position.newest_at for position in mine if position.newest_at is not None]
    lagging = [position.newest_at for position in mine if position.following < position.high]
    if not newest or None in lagging:
        return None
    return min(max(newest), *(at for at in lagging if at is not None)) if lagging else max(newest)


def missing(position: Position, *, full: bool) -> Iterator[Difference]:
    """What was stored and can no longer be compared, as far as neither the topic's retention nor a person explains it;
    and what was never stored, as a person has accepted."""
    topic = TOPICS[position.topic]
    unread = position.checked.next if position.checked else 0
    kept_for_ever = topic.retention_days is None and not topic.compacted
    was_read_before = position.checked is not None and not full
    if (kept_for_ever or was_read_before) and not covers(position.gaps, unread, position.low):
        says = f"Kafka's log begins at {position.low}; what stood before can no longer be compared."
        # Who accepted that the log goes on there has accepted that its beginning is gone.
        is_known = any(gap.start < position.low <= gap.end for gap in position.gaps)
        weight = Weight.KNOWN if is_known else Weight.DIFFERENCE
        yield _gap(position, "log_begins_later", says, (unread, position.low - 1), weight)
    if position.high < position.following:
        stored = f"offsets up to {position.following - 1} are stored"
        says = f"Kafka's log ends at {position.high}, but {stored}; it was made anew."
        yield _gap(position, "log_ends_early", says, (position.high, position.following - 1))
    for gap in position.gaps:
        if gap.stored_until is not None:
            says = f"Kafka's log was cut off, and other messages come at these offsets, which is known: {gap.reason}"
            yield _gap(position, "known_cut", says, (gap.start, gap.stored_until - 1), Weight.KNOWN)
            continue
        says = f"These offsets were never stored, which is known: {gap.reason}"
        yield _gap(position, "known_gap", says, (gap.start, gap.end - 1), Weight.KNOWN)


def _gap(
    position: Position, check: str, says: str, offsets: tuple[int, int], weight: Weight = Weight.DIFFERENCE
) -> Difference:
    return Difference(
        check, says, position.topic, position.partition, "", offsets, weight=weight, stream=position.stream.name
    )
