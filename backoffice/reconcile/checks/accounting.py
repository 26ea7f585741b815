"""Every offset of a chunk is accounted for by exactly one thing: an event that must have its row, a repeat, a dead
letter, a tombstone, a gap that a person has accepted, a record that is not the stream's, or a hole in the log."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import MICROSECOND, microseconds
from backoffice.kernel.errors import Poison

from ..differences import Difference, Found, Unjudged
from ..known import Gap, Gaps, is_in_gap
from ..messages.log import Chunk
from ..messages.reading import NEVER, Event, Events, Gone, Readers, by_record

UNREADABLE = "The message cannot be read, and no dead letter tells of it"
UNCOMPARED = "The message cannot be compared ({}); what it made is not known. The log of the run says more."
WITHHELD = "the message cannot be compared"
OTHER_KEY = "The message comes under another key than its {}, and no dead letter tells of it."
NAMELESS = "The message tells that something is gone, but not what: its key is no text; no dead letter tells of it."
ELSEWHERE = "{} does not belong into this topic, and no dead letter tells of it."
TOO_EARLY = "The message tells of a time that had not come when the log took it, and no dead letter tells of it."
BOTH = "The message is told of as a dead letter and as a repeat; it can be only one of them."
FROM_THE_MIDDLE = "to which time its log had come there is not known"
NO_REPEAT = "A repeat is noted of a message that is none: {}."


@dataclass(frozen=True)
class Letter:
    """``logged`` and ``standing`` tell when its message was logged, and as how old it counts, ``appended`` when it was
    told; 0 is not known.

    ``number`` is the one by which a message names it that sends it again.
    """

    number: int
    standing: tuple[int, int]
    key: bytes | None
    value: bytes | None
    died_at: datetime
    reason: str
    state: str
    resolved_at: datetime | None
    resolved_by: str
    note: str
    schema_id: int | None
    logged: int
    appended: int


@dataclass
class Accounted:
    """A chunk's messages: the events that must have rows, the repeats with the record noted of each, the dead letters,
    and the keys that tombstones name, with the place of the last of each in the log. ``differences`` are those of the
    accounts.
    """

    events: dict[str, Events] = field(default_factory=dict)
    repeats: dict[str, Events] = field(default_factory=dict)
    noted: dict[int, str] = field(default_factory=dict)
    letters: dict[int, Letter] = field(default_factory=dict)
    gone: Gone = field(default_factory=dict)
    differences: list[Found] = field(default_factory=list)


def account(cursor: CursorWrapper, chunk: Chunk, readers: Readers, gaps: Gaps) -> Accounted:
    """Read the chunk.

    Raises:
        Retryable: the registry is away.
    """
    rows = _at(
        cursor,
        chunk,
        "streams_deadletter",
        '"offset", id, standing_logged, standing_offset, key, value, died_at, reason, state, resolved_at, resolved_by,'
        " note, schema_id, logged, standing_appended",
        f" AND generation = {chunk.place.generation:d}",
    )
    letters = {
        offset: Letter(number, (logged, stood), _bytes(key), _bytes(value), *rest)
        for offset, number, logged, stood, key, value, *rest in rows
    }
    found = Accounted(letters=letters, noted=dict(_at(cursor, chunk, "streams_repeat", '"offset", record')))
    place = chunk.place
    _Accounting(chunk, readers, gaps.get((place.stream.name, place.topic, place.partition), ()), found).through()
    return found


@dataclass
class _Accounting:
    chunk: Chunk
    readers: Readers
    gaps: tuple[Gap, ...]
    found: Accounted

    def __post_init__(self) -> None:
        topic = TOPICS[self.chunk.place.topic]
        self._of_topic, self._forgets, self._key = frozenset(topic.records), topic.compacted, topic.key
        self._ahead = [(microseconds(since), allowed // MICROSECOND) for since, allowed in settings.CLOCK_AHEAD]
        self._mine = frozenset(self.chunk.place.stream.records())
        self._read: list[tuple[int, str, Event]] = []
        self._repeated: list[tuple[int, str, Event]] = []

    def through(self) -> None:
        found = self.found
        self.readers.renew()
        for offset, (key, value) in self.chunk.messages.items():
            if offset in found.letters or is_in_gap(self.gaps, offset):
                continue
            if offset in self.chunk.withheld:
                self._tell("messages", UNCOMPARED.format(self.chunk.withheld[offset]), offset)
                self._leave(offset)
                continue
            if value is None and self._forgets:
                self._forget(offset, key)
            else:
                self._take(offset, key, value)
        found.events, found.repeats = by_record(self._read), by_record(self._repeated)
        self._without_message()

    def _forget(self, offset: int, key: bytes | None) -> None:
        """A tombstone; where its key is no text it is the same of nothing else, whatever that is written like."""
        self._no_repeat(offset, "it is a tombstone")
        try:
            name = (key or b"").decode()
        except UnicodeDecodeError:
            name = ""
        if not name:
            self._tell("messages", NAMELESS, offset)
            return
        logged, at = self.chunk.standings[offset]
        self.found.gone[name] = max((logged * 1_000, at), self.found.gone.get(name, NEVER))

    def _take(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        try:
            record, event = self.readers.event(value)
        except Poison as poison:
            self._tell("messages", f"{UNREADABLE}: {poison}", offset)
            return
        if record not in self._of_topic:
            self._tell("messages", ELSEWHERE.format(record), offset, record)
        elif record not in self._mine:
            self._no_repeat(offset, f"the stream takes no {record}")
        elif self._forgets and key != str(event[self._key]).encode():
            self._tell("messages", OTHER_KEY.format(self._key), offset, record)
        elif self._is_too_early(offset, event) and not self._may_be_later(offset, record):
            self._tell("messages", TOO_EARLY, offset, record)
        elif offset in self.found.noted:
            self._repeated.append((offset, record, event))
        else:
            self._read.append((offset, record, _placed(event, self.chunk, offset)))

    def _is_too_early(self, offset: int, event: Event) -> bool:
        """Further ahead of its log than a clock may be; in a log without times that was judged when it came."""
        if offset in self.chunk.undated:
            return False
        logged = self.chunk.standings[offset][0] * 1_000
        # By the limit of when the log took it, whatever it is now.
        allowed = next(allowed for since, allowed in reversed(self._ahead) if since <= logged)
        return bool(event["occurred_at"] - logged > allowed)

    def _may_be_later(self, offset: int, record: str) -> bool:
        """Whether the log may have come further by then than is known; so the event may be in time, and is compared."""
        if self.chunk.place.is_from_the_middle:
            early = self._at("messages", TOO_EARLY, offset, record)
            self.found.differences.append(Unjudged.of(early, FROM_THE_MIDDLE))
        return self.chunk.place.is_from_the_middle

    def _no_repeat(self, offset: int, why: str) -> None:
        if offset in self.found.noted:
            self._tell("repeats", NO_REPEAT.format(why), offset)

    def _without_message(self) -> None:
        """Repeats that name an offset at which nothing is; a compacted topic may have taken it."""
        found = self.found
        for offset in sorted(found.noted.keys() & found.letters.keys()):
            self._tell("repeats", BOTH, offset)
        if not self._forgets:
            for offset in sorted(found.noted.keys() - self.chunk.messages.keys()):
                self._tell("repeats", NO_REPEAT.format("Kafka has no message there"), offset)

    def _tell(self, check: str, says: str, offset: int, record: str = "") -> None:
        self.found.differences.append(self._at(check, says, offset, record))

    def _at(self, check: str, says: str, offset: int, record: str) -> Difference:
        place = self.chunk.place
        return Difference(check, says, place.topic, place.partition, record, (offset, offset))

    def _leave(self, offset: int) -> None:
        """Nothing that may come of the message is judged."""
        place = self.chunk.place
        unjudged = Unjudged("", WITHHELD, place.topic, place.partition, (offset, offset))
        self.found.differences.append(unjudged)


def _placed(event: Event, chunk: Chunk, offset: int) -> Event:
    """The event with where it stands in the log, when the broker took it itself (None: it does not tell), and when it
    happened at the latest: when it was logged."""
    logged, standing = chunk.standings[offset]
    at, logged_at = event["occurred_at"], logged * 1_000
    event["logged_at"], event["logged_offset"] = logged_at, standing
    event["appended_at"] = chunk.told[offset] * 1_000 or None
    event["at"] = min(at, logged_at) if logged else at
    return event


def _at(cursor: CursorWrapper, chunk: Chunk, table: str, columns: str, condition: str = "") -> list[Any]:
    place = chunk.place
    query = (
        f"SELECT {columns} FROM {table} WHERE stream = %s AND topic = %s"  # noqa: S608 - both are literals of this module
        ' AND partition = %s AND "offset" >= %s AND "offset" < %s' + condition
    )
    cursor.execute(query, [place.stream.name, place.topic, place.partition, chunk.start, chunk.end])
    rows: list[Any] = cursor.fetchall()
    return rows


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
