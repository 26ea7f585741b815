"""Which offsets a run reads: what is new since the last one and a random older slice, or everything.

A run goes in steps of a bounded number of messages, each in a transaction with a snapshot of its own, because a long
one would hold up whoever changes the tables, and the vacuum.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import STREAMS, Stream

from .differences import Difference
from .log import Log, Slice
from .models import Checked

OLDER = 2_000
# Some ten seconds' work on a slow machine.
STEP = 200_000

Place = tuple[str, str, int]


@dataclass(frozen=True)
class Position:
    """How far a stream is in a partition: its stored offset, what is there in Kafka, what was checked before."""

    stream: Stream
    topic: str
    partition: int
    following: int
    low: int
    high: int
    checked: Checked | None

    @property
    def key(self) -> Place:
        return self.stream.name, self.topic, self.partition

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}"

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
        """The first offset that the tallies hold; behind a gap they are incomplete."""
        if self.checked is None:
            return self.low
        return self.low if self.low > self.checked.next else self.checked.since


def positions(cursor: CursorWrapper, log: Log) -> list[Position]:
    """In the order of the catalogue, as the snapshot of the open transaction has them."""
    checked = {(c.stream, c.topic, c.partition): c for c in Checked.objects.all()}
    cursor.execute("SELECT stream, topic, partition, next FROM streams_offset ORDER BY topic, partition, stream")
    return [
        Position(STREAMS[stream], topic, partition, following, *log.bounds(topic, partition),
                 checked.get((stream, topic, partition)))
        for stream, topic, partition, following in cursor.fetchall()
        if stream in STREAMS and topic in TOPICS
    ]  # fmt: skip


def everything(read: list[Position]) -> list[Slice]:
    return [_slice(position, position.low, max(position.low, position.stored), is_new=True) for position in read]


@dataclass
class Plan:
    """What one incremental run still has to read. It ends at what was stored when it began, or a little later.

    The new offsets come first, until a step takes all that are left at once: that one's sums can be held against the
    tables exactly. ``step`` is how many offsets go into one.
    """

    rng: random.Random
    step: int = STEP
    has_caught_up: bool = False
    _goals: dict[Place, int] = field(default_factory=dict)
    _older: list[tuple[Place, int, int]] = field(default_factory=list)
    _is_drawn: bool = False

    @property
    def is_done(self) -> bool:
        return self.has_caught_up and not self._older

    def next(self, read: list[Position]) -> list[Slice]:
        """The slices of the next step, by the positions of its snapshot."""
        if not self._is_drawn:
            self._draw(read)
        new = [] if self.has_caught_up else list(self._new(read))
        return [*new, *(self._old(read, self.step - _length(new)) if self.has_caught_up else ())]

    def _draw(self, read: list[Position]) -> None:
        self._is_drawn = True
        self._goals = {position.key: position.end for position in read}
        for position in read:
            older = min(position.start, position.high)
            if older > position.low:
                start = self.rng.randrange(position.low, older)
                self._older.append((position.key, start, min(start + OLDER, older)))

    def _new(self, read: list[Position]) -> Iterator[Slice]:
        if sum(position.end - position.start for position in read) <= self.step:
            self.has_caught_up = True
            yield from (_slice(position, position.start, position.end, is_new=True) for position in read)
            return
        left = self.step
        for position in read:
            end = min(position.end, position.start + left)
            if position.start < min(end, self._goals.get(position.key, 0)):
                left -= end - position.start
                yield _slice(position, position.start, end, is_new=True)
        # With nothing below its goal the streams store faster than this reads; the next run goes on.
        self.has_caught_up = left == self.step

    def _old(self, read: list[Position], room: int) -> Iterator[Slice]:
        """Older slices as far as there is room; at least one, so that every step gets on."""
        positions = {position.key: position for position in read}
        while self._older:
            key, start, end = self._older[0]
            if room < end - start and room < self.step:
                return
            room -= end - start
            del self._older[0]
            if (position := positions.get(key)) and max(start, position.low) < end:
                yield _slice(position, max(start, position.low), end, is_new=False)


def _slice(position: Position, start: int, end: int, *, is_new: bool) -> Slice:
    return Slice(position.stream, position.topic, position.partition, start, end, is_new)


def _length(slices: list[Slice]) -> int:
    return sum(part.end - part.start for part in slices)


def gaps(position: Position, *, full: bool) -> Iterator[Difference]:
    """What was stored and can no longer be compared, as far as the topic's retention does not explain it."""
    topic = TOPICS[position.topic]
    unread = 0 if full or position.checked is None else position.checked.next
    kept_for_ever = topic.retention_days is None and not topic.compacted
    if position.low > unread and (kept_for_ever or (position.checked is not None and not full)):
        says = f"Kafka's log begins at {position.low}; what stood before can no longer be compared."
        yield _gap(position, "log_begins_later", says, (unread, position.low - 1))
    if position.high < position.following:
        stored = f"offsets up to {position.following - 1} are stored"
        says = f"Kafka's log ends at {position.high}, but {stored}; it was made anew."
        yield _gap(position, "log_ends_early", says, (position.high, position.following - 1))


def is_inexact(position: Position, *, full: bool) -> bool:
    """Whether sums over all events of the partition can only be a lower bound."""
    lost = position.low if full else position.since
    return lost > 0 or TOPICS[position.topic].compacted or position.high < position.following


def _gap(position: Position, check: str, says: str, offsets: tuple[int, int]) -> Difference:
    return Difference(check, says, position.topic, position.partition, "", offsets)
