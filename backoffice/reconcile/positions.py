"""How far each stream is in each partition, and what of it was compared before."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import STREAMS, Stream

from .books import Books
from .known import Gap, Gaps, Place, covers
from .messages.log import LAST, Log, Slice
from .models import CheckedPlace, HighWater

_PLACE = ("stream", "topic", "partition", "generation")


@dataclass(frozen=True)
class Position:
    """How far a stream is in a partition: its stored offset, what is there in Kafka, what was checked before.

    Of one of which Kafka does not tell now, ``untold`` says why; it is there as far as it was checked.
    """

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
    untold: str = ""
    # Offsets from which on the times of the log stand still, each with the time at which they do (milliseconds).
    marks: tuple[tuple[int, int], ...] = ()

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

    def slice(self, start: int, end: int, *, is_new: bool, logged: int = 0) -> Slice:
        """Offsets [start, end) of it; ``logged`` is the time to which the log is known to have come before them."""
        cuts = tuple((cut.start, cut.stored_until or 0) for cut in self.cuts)
        return Slice(
            self.stream, self.topic, self.partition, start, end, is_new, logged, self.generation, self.former_until,
            self.cut_until, cuts,
        )  # fmt: skip

    def reached(self, offset: int) -> int:
        """The time that counts for what comes from the offset on, unless its own is later; 0 where that always is."""
        return max((reached for at, reached in self.marks if at <= offset), default=0)

    @property
    def beyond(self) -> Slice:
        """The offsets that are not stored yet, but for those of a former topic or a lost end."""
        return self.slice(max(self.following, self.former_until), LAST, is_new=False)

    @property
    def cut_until(self) -> int:
        """Up to which offset there may be rows of the end that the log has lost."""
        return max((gap.stored_until or 0 for gap in self.cuts), default=0)

    @property
    def former_until(self) -> int:
        """Up to which offset there may be rows of a former topic, or of the end that the log has lost."""
        return LAST if self.generation else self.cut_until

    @property
    def is_inexact(self) -> bool:
        """Whether sums over all events of the partition can only be a lower bound."""
        is_short = self.since > 0 or self.high < self.following or self.untold
        return bool(is_short) or self.former_until > 0 or TOPICS[self.topic].compacted

    @property
    def lacks_events(self) -> bool:
        """Whether some of it was never stored, or may not have been; its sums are exact all the same where the log has
        the rest, but what is told in one place and missing in another may be just that.
        """
        return self.is_inexact or any(gap.start < gap.end for gap in self.gaps)

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
    rows = [row for row in cursor.fetchall() if row[0] in STREAMS and row[1] in TOPICS]
    bounds = log.bounds({(topic, partition) for _, topic, partition, *_ in rows})
    marks: defaultdict[tuple[str, str, int, int], list[tuple[int, int]]] = defaultdict(list)
    for *place, offset, reached in HighWater.objects.values_list(*_PLACE, "offset", "reached"):
        marks[*place].append((offset, reached))
    found = []
    for stream, topic, partition, following, newest_at, generation in rows:
        before = checked.get((stream, topic, partition, generation))
        told, known = bounds[topic, partition], gaps.get((stream, topic, partition), ())
        untold = told if isinstance(told, str) else ""
        low, high = (0, before.next if before else 0) if isinstance(told, str) else told
        of = STREAMS[stream], topic, partition, following, newest_at
        at = marks[stream, topic, partition, generation]
        found.append(Position(*of, low, high, before, known, generation, untold, tuple(at)))
    return found


def _lead_back(checked: CheckedPlace, gaps: tuple[Gap, ...]) -> None:
    """Where the log was cut off since it was checked, what comes at these offsets is still to be read."""
    cuts = [gap.start for gap in gaps if gap.stored_until is not None]
    checked.next = min(checked.next, *cuts[checked.cuts :], checked.next)


def told_until(read: Sequence[Position], stream: str, topic: str) -> datetime | None:
    """Up to when a stream has stored all that a topic tells of: where a partition lags behind its log, up to its newest
    event.
    """
    mine = [position for position in read if position.key[:2] == (stream, topic)]
    newest = [position.newest_at for position in mine if position.newest_at is not None]
    lagging = [position.newest_at for position in mine if position.untold or position.following < position.high]
    if not newest or None in lagging:
        return None
    return min(max(newest), *(at for at in lagging if at is not None)) if lagging else max(newest)
