"""How far each stream is in each partition, and what of it was compared before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import STREAMS, Stream

from .books import BY_THE_CLOCK, Books
from .known import Gap, Gaps, Place, covers, cuts_of
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
    # How far the runs by the clock have checked it, whichever run this is of.
    by_the_clock: CheckedPlace | None = None

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
    def cuts(self) -> tuple[tuple[int, int], ...]:
        """Where the log was cut off, in the order in which it was: from where up to where other messages come."""
        return cuts_of(self.gaps)

    def slice(self, start: int, end: int, *, is_new: bool) -> Slice:
        """Offsets [start, end) of it, at the times to which the log is known to have come."""
        skipped = tuple((gap.start, gap.end) for gap in self.gaps if gap.start < gap.end)
        known = tuple((at, reached) for at, reached in self._known if start < at < end)
        return Slice(
            self.stream, self.topic, self.partition, start, end, is_new, self.reached(start), self.generation,
            self.cuts, skipped, known, self.is_from_the_middle,
        )  # fmt: skip

    def reached(self, offset: int) -> int:
        """The time that counts for what comes from the offset on, unless its own is later; 0 where that always is."""
        return max((reached for at, reached in self._known if at <= offset), default=0)

    @property
    def _known(self) -> tuple[tuple[int, int], ...]:
        """From which offsets on the log has come how far: by the marks, and by whoever has read up to there."""
        return (*self.marks, *((read.next, read.logged) for read in (self.checked, self.by_the_clock) if read))

    @property
    def is_from_the_middle(self) -> bool:
        """Whether the log may have come further than is known: by messages which are gone, and which the runs by the
        clock, that keep the marks, have not read.
        """
        read = self.by_the_clock
        if read is None:
            return self.since > 0 or self.former_until > 0
        return read.since > 0 or not covers(self.gaps, read.next, self.since)

    @property
    def beyond(self) -> Slice:
        """The offsets that are not stored yet, but for those of a former topic or a lost end."""
        return self.slice(max(self.following, self.former_until), LAST, is_new=False)

    @property
    def cut_until(self) -> int:
        """Up to which offset there may be rows of the end that the log has lost."""
        return max((stored_until for _, stored_until in self.cuts), default=0)

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
    checked = _read_by(books, gaps)
    by_the_clock = checked if books is BY_THE_CLOCK else _read_by(BY_THE_CLOCK, gaps)
    cursor.execute(
        "SELECT o.stream, o.topic, o.partition, o.next, o.newest_at, coalesce(r.generation, 0) FROM streams_offset o"
        " LEFT JOIN streams_reading r ON r.stream = o.stream AND r.topic = o.topic"
        " ORDER BY o.topic, o.partition, o.stream"
    )
    rows = [row for row in cursor.fetchall() if row[0] in STREAMS and row[1] in TOPICS]
    bounds = log.bounds({(topic, partition) for _, topic, partition, *_ in rows})
    marks = _all_marks(by_the_clock)
    found = []
    for stream, topic, partition, following, newest_at, generation in rows:
        before = checked.get((stream, topic, partition, generation))
        told, known = bounds[topic, partition], gaps.get((stream, topic, partition), ())
        untold = told if isinstance(told, str) else ""
        low, high = (0, before.next if before else 0) if isinstance(told, str) else told
        of = STREAMS[stream], topic, partition, following, newest_at
        place = stream, topic, partition, generation
        # The time of a topic that was made anew goes on where that of the former one was.
        at = tuple((o if of == generation else 0, to) for of, o, to in marks[place[:3]] if of <= generation)
        found.append(Position(*of, low, high, before, known, generation, untold, at, by_the_clock.get(place)))
    return found


def _all_marks(read: Mapping[tuple[str, str, int, int], CheckedPlace]) -> Mapping[Place, list[tuple[int, int, int]]]:
    """Of each place generation, offset, and how far (milliseconds) the log had come there, former topics included."""
    found: defaultdict[Place, list[tuple[int, int, int]]] = defaultdict(list)
    for *place, generation, offset, reached in HighWater.objects.values_list(*_PLACE, "offset", "reached"):
        found[place[0], place[1], place[2]].append((generation, offset, reached))
    for (stream, topic, partition, generation), one in read.items():
        found[stream, topic, partition].append((generation, one.next, one.logged))
    return found


def _read_by(books: Books, gaps: Gaps) -> dict[tuple[str, str, int, int], CheckedPlace]:
    """How far each place was checked, as log and gaps are now; by its generation, too."""
    found = {
        (one.stream, one.topic, one.partition, one.generation): one for one in books.checked._default_manager.all()
    }
    for (stream, topic, partition, _), one in found.items():
        _lead_back(one, gaps.get((stream, topic, partition), ()))
    return found


def _lead_back(checked: CheckedPlace, gaps: tuple[Gap, ...]) -> None:
    """Where the log was cut off since it was checked, what comes at these offsets is still to be read.

    It comes at the time to which the end had come that is lost: unless that was read, the books begin anew there.
    """
    for start, stored_until in cuts_of(gaps)[checked.cuts :]:
        if checked.next < stored_until:
            checked.since = max(checked.since, start, 1)
        checked.next = min(checked.next, start)


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
