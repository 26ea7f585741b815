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

from ..differences import Difference, Found, Unjudged
from ..messages.log import Chunk, Log, Said
from .accounting import FROM_THE_MIDDLE, Accounted, Letter

# A twin is sent after its letter was written; how far the clocks of the two may be apart.
CLOCKS_APART = timedelta(minutes=10)
# The headers by which a twin names its letter.
POSITION = ("stream", "topic", "partition", "offset")


@dataclass(frozen=True)
class Fault:
    """One of several that a dead letter may have at once: each is a finding of its own, by the name."""

    name: str
    says: str


NO_MESSAGE = Fault("message", "The dead letter names an offset at which Kafka has no message.")
OTHER_MESSAGE = Fault("message", "The dead letter holds another message than Kafka has at its offset.")
NO_TWIN = Fault("twin", "The dead letter has no twin in the outbox or the dead-letter topic.")
NO_REASON = Fault("reason", "The dead letter gives no reason.")
OTHER_TWIN = Fault("twin", "The dead letter and its twin in the outbox give another key, reason, schema or time.")
OTHER_PLACE = Fault(
    "place", "The dead letter says that its message was logged at another time, or stood at another place, than it did."
)
CLOSED_BY_NOBODY = Fault("closed", "The dead letter is {state}, but nobody says why, or who it was.")
UNSOUGHT = "what it asks for cannot be looked for in all of the log"


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

    def missing(self, chunk: Chunk, letters: Mapping[int, Letter], now: datetime) -> tuple[list[int], list[int]]:
        """The offsets of those that the dead-letter topic does not name; and of those of which that cannot be told: it
        does not keep its messages that long, or not all of it could be read.
        """
        place = chunk.place
        name, kept = dead_letter_topic(place.topic), dead_letters(TOPICS[place.topic]).retention_days
        gone = [] if kept is None else [o for o, x in letters.items() if now - x.died_at >= timedelta(days=kept)]
        letters = {offset: letter for offset, letter in letters.items() if offset not in gone}
        if not letters:
            return [], gone
        names: dict[Said, int] = {
            (place.stream.name, place.topic, str(place.partition), str(offset)): offset for offset in letters
        }
        since = min(letter.died_at for letter in letters.values()) - CLOCKS_APART
        found, is_read = self.log.told(name, place.stream, POSITION, names.keys(), since)
        unnamed = sorted(names[position] for position in names.keys() - found)
        return (unnamed, gone) if is_read else ([], [*gone, *unnamed])


def check_letters(
    cursor: CursorWrapper, chunk: Chunk, found: Accounted, now: datetime, twins: Twins
) -> Iterator[Found]:
    if not found.letters:
        return
    in_outbox = _in_outbox(cursor, chunk, list(found.letters))
    elsewhere: dict[int, Letter] = {}
    for offset, letter in found.letters.items():
        yield from _beside_message(chunk, offset, letter)
        if not letter.reason.strip():
            yield _at_offset(chunk, NO_REASON, offset)
        if letter.state != "open" and not (letter.resolved_by.strip() and letter.note.strip()):
            yield _at_offset(chunk, CLOSED_BY_NOBODY, offset, state=letter.state)
        copy = copy_of(letter.key, letter.value)
        twins_here = [twin for twin in in_outbox.get(offset, []) if twin.value == copy.value]
        if not twins_here:
            elsewhere[offset] = letter
        elif Twin(copy.key, copy.value, letter.reason, str(letter.schema_id or ""), letter.died_at) not in twins_here:
            yield _at_offset(chunk, OTHER_TWIN, offset)
    missing, untold = twins.missing(chunk, elsewhere, now)
    yield from (_at_offset(chunk, NO_TWIN, offset) for offset in missing)
    yield from (Unjudged.of(_at_offset(chunk, NO_TWIN, offset), UNSOUGHT) for offset in untold)


def _beside_message(chunk: Chunk, offset: int, letter: Letter) -> Iterator[Found]:
    """What is wrong with it beside its message, where compaction has not taken that.

    By the log, whose time never goes back, it stands at the time that it says; what is read again from the middle of a
    log may know only the least that this can be.
    """
    message, elsewhere = chunk.messages.get(offset), _at_offset(chunk, OTHER_PLACE, offset)
    if message is None and TOPICS[chunk.place.topic].compacted:
        yield Unjudged.of(_at_offset(chunk, OTHER_MESSAGE, offset), UNSOUGHT)
        yield Unjudged.of(elsewhere, UNSOUGHT)
        return
    if message is None:
        yield _at_offset(chunk, NO_MESSAGE, offset)
        return
    if message != (letter.key, letter.value):
        yield _at_offset(chunk, OTHER_MESSAGE, offset)
    told = (letter.logged, letter.standing[0])
    read = (chunk.times[offset], chunk.standings[offset][0])
    other = [said - at for said, at in zip(told, read, strict=True) if said not in (0, at)]
    is_dated = letter.appended in (0, chunk.told[offset])
    if (
        not is_dated
        or letter.standing[1] != chunk.standings[offset][1]
        or (other and (not chunk.place.may_be_later or min(other) < 0))
    ):
        yield elsewhere
    elif other:
        yield Unjudged.of(elsewhere, FROM_THE_MIDDLE)


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


def _at_offset(chunk: Chunk, fault: Fault, offset: int, **said: str) -> Difference:
    place = chunk.place
    says = fault.says.format(**said)
    return Difference("dead_letters", says, place.topic, place.partition, "", (offset, offset), fault.name)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
