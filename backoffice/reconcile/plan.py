"""Which offsets a run reads: what is new since the last one and a random older slice, or everything."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.projection import STREAMS, Stream

from .differences import Difference
from .log import Log, Slice
from .models import Checked

OLDER = 2_000


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
    def place(self) -> str:
        return f"{self.topic}/{self.partition}"

    @property
    def start(self) -> int:
        """Where the new offsets begin that are still to be read."""
        return max(self.low, self.checked.next if self.checked else 0)

    @property
    def end(self) -> int:
        return max(self.start, min(self.following, self.high))

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


def slices(position: Position, *, full: bool, rng: random.Random) -> Iterator[Slice]:
    def part(start: int, end: int, *, is_new: bool) -> Slice:
        return Slice(position.stream, position.topic, position.partition, start, end, is_new)

    if full:
        yield part(position.low, max(position.low, min(position.following, position.high)), is_new=True)
        return
    yield part(position.start, position.end, is_new=True)
    older = min(position.start, position.high)
    if older > position.low:
        start = rng.randrange(position.low, older)
        yield part(start, min(start + OLDER, older), is_new=False)


def gaps(position: Position, *, full: bool) -> Iterator[Difference]:
    """What was stored and can no longer be compared, as far as the topic's retention does not explain it."""
    topic = TOPICS[position.topic]
    unread = 0 if full or position.checked is None else position.checked.next
    kept_for_ever = topic.retention_days is None and not topic.compacted
    if position.low > unread and (kept_for_ever or (position.checked is not None and not full)):
        says = f"Kafka's log begins at {position.low}; what stood before can no longer be compared."
        yield _gap(position, "log_begins_later", says, (unread, position.low - 1))
    if position.high < position.following:
        says = f"Kafka's log ends at {position.high}, but offsets up to {position.following - 1} are stored; it was made anew."
        yield _gap(position, "log_ends_early", says, (position.high, position.following - 1))


def is_inexact(position: Position, *, full: bool) -> bool:
    """Whether sums over all events of the partition can only be a lower bound."""
    lost = position.low if full else position.since
    return lost > 0 or TOPICS[position.topic].compacted or position.high < position.following


def _gap(position: Position, check: str, says: str, offsets: tuple[int, int]) -> Difference:
    return Difference(check, says, position.topic, position.partition, "", offsets)
