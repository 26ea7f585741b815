"""Each dead letter is explained: the message is there as it says, a reason is given, it has its twin, and where it is
closed somebody says why."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS, dead_letter_topic, dead_letters
from backoffice.streams.deadletters.copies import copy_of

from ..differences import Difference
from ..messages.log import Chunk, Log, Said
from .accounting import Accounted, Letter

# A twin is sent after its letter was written; how far the clocks of the two may be apart.
CLOCKS_APART = timedelta(minutes=10)
# The headers by which a twin names its letter.
POSITION = ("stream", "topic", "partition", "offset")

NO_MESSAGE = "The dead letter names an offset at which Kafka has no message."
OTHER_MESSAGE = "The dead letter holds another message than Kafka has at its offset."
NO_TWIN = "The dead letter has no twin in the outbox or the dead-letter topic."
NO_REASON = "The dead letter gives no reason."
OTHER_TWIN = "The dead letter and its twin in the outbox give another key, reason, schema or time."
OTHER_PLACE = (
    "The dead letter says that its message was logged at another time, or stood at another place, than it did."
)
CLOSED_BY_NOBODY = "The dead letter is {state}, but nobody says why, or who it was."


@dataclass(frozen=True)
class Twin:
    """What the outbox has of a dead letter, written with it."""

    key: bytes | None
    value: bytes | None
    reason: str
    schema_id: str
    written_at: datetime


@dataclass(frozen=True)
class Twins:
    """Where the copies of dead letters are looked for that the outbox does not hold any more."""

    log: Log

    def missing(self, chunk: Chunk, letters: Mapping[int, Letter], now: datetime) -> list[int]:
        """The offsets of those that the dead-letter topic does not name, as far as it keeps its messages that long."""
        place = chunk.place
        name, kept = dead_letter_topic(place.topic), dead_letters(TOPICS[place.topic]).retention_days
        if kept is not None:
            letters = {o: letter for o, letter in letters.items() if now - letter.died_at < timedelta(days=kept)}
        if not letters:
            return []
        names: dict[Said, int] = {
            (place.stream.name, place.topic, str(place.partition), str(offset)): offset for offset in letters
        }
        since = min(letter.died_at for letter in letters.values()) - CLOCKS_APART
        found = self.log.told(name, place.stream, POSITION, names.keys(), since)
        return sorted(names[position] for position in names.keys() - found)


def check_letters(
    cursor: CursorWrapper, chunk: Chunk, found: Accounted, now: datetime, twins: Twins
) -> Iterator[Difference]:
    if not found.letters:
        return
    is_compacted = TOPICS[chunk.place.topic].compacted
    in_outbox = _in_outbox(cursor, chunk, list(found.letters))
    elsewhere: dict[int, Letter] = {}
    for offset, letter in found.letters.items():
        message = chunk.messages.get(offset)
        if message is None and not is_compacted:
            yield _at_offset(chunk, NO_MESSAGE, offset)
        elif message is not None and message != (letter.key, letter.value):
            yield _at_offset(chunk, OTHER_MESSAGE, offset)
        if not letter.reason.strip():
            yield _at_offset(chunk, NO_REASON, offset)
        if letter.state != "open" and not (letter.resolved_by.strip() and letter.note.strip()):
            yield _at_offset(chunk, CLOSED_BY_NOBODY.format(state=letter.state), offset)
        if message is not None and not _stands_as_it_says(chunk, offset, letter):
            yield _at_offset(chunk, OTHER_PLACE, offset)
        copy = copy_of(letter.key, letter.value)
        twins_here = [twin for twin in in_outbox.get(offset, []) if twin.value == copy.value]
        if not twins_here:
            elsewhere[offset] = letter
        elif Twin(copy.key, copy.value, letter.reason, str(letter.schema_id or ""), letter.died_at) not in twins_here:
            yield _at_offset(chunk, OTHER_TWIN, offset)
    for offset in twins.missing(chunk, elsewhere, now):
        yield _at_offset(chunk, NO_TWIN, offset)


def _stands_as_it_says(chunk: Chunk, offset: int, letter: Letter) -> bool:
    """By the log, whose time never goes back; what is read again from its middle on knows only the least it can be."""
    told = (letter.logged, letter.standing[0])
    read = (chunk.times[offset], chunk.standings[offset][0])
    is_exact = chunk.place.is_new
    times = all(said in (0, at) or (said > at and not is_exact) for said, at in zip(told, read, strict=True))
    return times and letter.standing[1] == chunk.standings[offset][1]


def _in_outbox(cursor: CursorWrapper, chunk: Chunk, offsets: list[int]) -> dict[int, list[Twin]]:
    place = chunk.place
    cursor.execute(
        "SELECT (headers ->> 'offset')::bigint, key, value, headers ->> 'reason', headers ->> 'schema_id', created_at"
        " FROM streams_outbox WHERE record = '' AND topic = %s"
        " AND headers ->> 'partition' = %s AND headers ->> 'offset' = ANY(%s) AND headers ->> 'stream' = %s",
        [dead_letter_topic(place.topic), str(place.partition), [str(offset) for offset in offsets], place.stream.name],
    )
    found: dict[int, list[Twin]] = defaultdict(list)
    for offset, key, value, *rest in cursor.fetchall():
        found[offset].append(Twin(_bytes(key), _bytes(value), *rest))
    return found


def _at_offset(chunk: Chunk, says: str, offset: int) -> Difference:
    return Difference("dead_letters", says, chunk.place.topic, chunk.place.partition, "", (offset, offset))


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
