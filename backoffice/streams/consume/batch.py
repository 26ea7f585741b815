"""Messages of one topic as they came from Kafka, in parallel lists: no object per message."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backoffice.kernel.text import storable

from ..standing import Headers, Standing, appended_of, standing_of

Span = tuple[int, int]

# Characters of a reason: what a halt and its alert say around it has to find room as well. A record is a name.
_REASON, _NAME = 600, 200


@dataclass(frozen=True)
class DeadLetter:
    """Why one message can never be stored; ``late`` when only the database noticed.

    ``is_clash`` when it came under the id of another event, which is worth an alert however few there are.
    Its words may quote the message, its schema or a library; they are kept as every table takes them.
    """

    reason: str
    schema_id: int | None = None
    record: str = ""
    late: bool = False
    is_clash: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", storable(self.reason, _REASON))
        object.__setattr__(self, "record", storable(self.record, _NAME))


@dataclass
class Batch:
    """Messages in order of arrival, and for each partition the span of offsets [start, end) that they settle.

    ``dead`` and ``repeats`` name messages (by their place in the lists) that are accounted for otherwise than by rows,
    ``passed`` those of records that the stream does not take. ``logged`` says for each message when its partition's log
    had come to it (milliseconds since 1970): the broker's time, and never less than that of the message before; 0 where
    the log has none of the broker's.
    ``appended`` says of those whose ``logged`` is that of an earlier one when the broker took them themselves; 0 where
    it does not tell that any more. ``read_at`` is when they were read, by Postgres' clock; None where that is long ago.
    ``behind`` is what our own clock lacks, where it is known to be wrong.
    ``replayed`` has for a dead letter that was sent again, by partition and offset, where it stood at first, and
    ``first_appended`` when the broker took it there, where that is known.
    ``newest`` says for each partition when the latest of the events that make rows happened, ``ahead`` how many of them
    happened after they were logged, and by how much (milliseconds) at the most: their producer's clock is wrong.
    ``counts`` says how many messages each partition has, and ``reached`` when its log had come to the last of them:
    what is asked while a transaction waits is not looked for among all messages.
    Spans reach over offsets without a message too (compacted ones, transaction markers, what a person has given up).
    ``generation`` tells of which topic they are, where that was made anew under its name (`streams_reading`).
    """

    topic: str
    values: list[bytes | None] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    logged: list[int] = field(default_factory=list)
    replayed: dict[Span, Standing] = field(default_factory=dict)
    first_appended: dict[Span, int] = field(default_factory=dict)
    spans: dict[int, Span] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    appended: dict[Span, int] = field(default_factory=dict)
    read_at: datetime | None = None
    behind: timedelta = timedelta()
    dead: dict[int, DeadLetter] = field(default_factory=dict)
    repeats: dict[int, str] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    newest: dict[int, datetime] = field(default_factory=dict)
    ahead: dict[int, tuple[int, int]] = field(default_factory=dict)
    generation: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def add(
        self, *, partition: int, offset: int, key: bytes | None, value: bytes | None, start: int, logged: int = 0
    ) -> None:
        """Append one message; ``start`` is where its partition's span begins if this is the first of it."""
        self.values.append(value)
        self.keys.append(key)
        self.partitions.append(partition)
        self.offsets.append(offset)
        self.logged.append(logged)
        self.spans[partition] = (self.spans.get(partition, (start, 0))[0], offset + 1)
        self._count(partition, logged)

    def note_replayed(self, row: int, headers: Headers) -> bool:
        """Whether the headers of a message say, and can be believed, that it is a dead letter that was sent again."""
        place, own = (self.partitions[row], self.offsets[row]), (self.logged[row], self.offsets[row])
        standing = standing_of(headers, own)
        if standing is None:
            return False
        self.replayed[place] = standing
        if appended := appended_of(headers, standing):
            self.first_appended[place] = appended
        return True

    def halves(self) -> "tuple[Batch, Batch]":
        """The first and the second half of the messages, their spans end to end."""
        middle = len(self) // 2
        first = self._part(0, middle, {})
        second = self._part(middle, len(self), {partition: end for partition, (_, end) in first.spans.items()})
        for partition, (start, end) in self.spans.items():
            if partition in second.spans:
                second.spans[partition] = (second.spans[partition][0], end)
            else:
                first.spans[partition] = (start, end)
        return first, second

    def until(self, partition: int, offset: int) -> "Batch":
        """The same without the messages of ``partition`` from ``offset`` on, and without any verdict on the others."""
        kept = Batch(self.topic, generation=self.generation, **self._told_of_places())
        for row, (key, value) in enumerate(zip(self.keys, self.values, strict=True)):
            p, at = self.partitions[row], self.offsets[row]
            if p != partition or at < offset:
                kept.add(partition=p, offset=at, key=key, value=value, start=self.spans[p][0], logged=self.logged[row])
        kept.spans |= {p: span for p, span in self.spans.items() if p != partition}
        start = self.spans[partition][0]
        if offset > start:
            kept.spans[partition] = (start, offset)
        return kept

    def living(self) -> list[int]:
        """The messages that make rows: neither dead nor repeats nor passed."""
        return [row for row in range(len(self)) if not (row in self.dead or row in self.repeats or row in self.passed)]

    def standings(self) -> tuple[list[int], list[int]]:
        """For each message when it was logged, and its offset: its own, or where a replayed one stood at first."""
        if not self.replayed:
            return self.logged, self.offsets
        own = zip(self.partitions, self.offsets, self.logged, strict=True)
        found = [self.replayed.get((partition, offset), (logged, offset)) for partition, offset, logged in own]
        return [logged for logged, _ in found], [offset for _, offset in found]

    def standing(self, row: int) -> Standing:
        """The same for one message."""
        own = self.logged[row], self.offsets[row]
        return self.replayed.get((self.partitions[row], self.offsets[row]), own)

    def told(self) -> list[int]:
        """For each message when it was told (milliseconds since 1970): when the broker took it; 0 where nobody knows.

        A replayed one was told when the broker took it at first, unless by a clock that was ahead: then that was later
        than the broker says that it took it again.
        """
        if not (self.appended or self.replayed):
            return self.logged
        return [self.appended_at_first(row) for row in range(len(self))]

    def appended_at_first(self, row: int) -> int:
        """The same for one message."""
        place = self.partitions[row], self.offsets[row]
        own = self.appended.get(place, self.logged[row])
        first = self.first_appended.get(place, 0) if place in self.replayed else own
        return first if first <= own else 0

    def places(self, partition: int) -> list[int]:
        """The messages of one partition, in order."""
        return [row for row, at in enumerate(self.partitions) if at == partition]

    def _told_of_places(self) -> dict[str, Any]:
        """What holds for a part as for the whole."""
        return {
            "replayed": self.replayed, "first_appended": self.first_appended, "appended": self.appended,
            "read_at": self.read_at, "behind": self.behind,
        }  # fmt: skip

    def _part(self, first: int, last: int, starts: dict[int, int]) -> "Batch":
        part = Batch(
            self.topic,
            self.values[first:last],
            self.keys[first:last],
            self.partitions[first:last],
            self.offsets[first:last],
            self.logged[first:last],
            generation=self.generation,
            **self._told_of_places(),
        )
        for partition, offset, logged in zip(part.partitions, part.offsets, part.logged, strict=True):
            begins = starts.get(partition, self.spans[partition][0])
            part.spans[partition] = (part.spans.get(partition, (begins, 0))[0], offset + 1)
            part._count(partition, logged)
        return part

    def _count(self, partition: int, logged: int) -> None:
        self.counts[partition] = self.counts.get(partition, 0) + 1
        self.reached[partition] = logged
