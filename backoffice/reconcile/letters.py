"""A message that has no row is accounted for: a dead letter with its message and twin, or a repeat with its event."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.kernel.errors import Poison
from backoffice.streams.deadletters.copies import copy_of

from .differences import Difference
from .facts import form
from .log import Chunk
from .reading import Event, Events, Readers, by_record

# The outbox is purged of what was sent a week ago; after that only the dead-letter topic has the twin.
OUTBOX_DAYS = timedelta(days=6)

UNREADABLE = "The message cannot be read, and no dead letter tells of it"
NO_MESSAGE = "The dead letter names an offset at which Kafka has no message."
OTHER_MESSAGE = "The dead letter holds another message than Kafka has at its offset."
NO_TWIN = "The dead letter has no twin in the outbox or the dead-letter topic."
NO_EVENT = "A repeat was noted of an event that has no row."


@dataclass(frozen=True)
class Letter:
    key: bytes | None
    value: bytes | None
    died_at: datetime


@dataclass
class Accounted:
    """A chunk's messages: the events that must have rows, those known as repeats, and the dead letters."""

    events: dict[str, Events]
    repeats: dict[str, Events]
    letters: dict[int, Letter]
    unreadable: list[tuple[int, str]]


def account(cursor: CursorWrapper, chunk: Chunk, readers: Readers) -> Accounted:
    """Read the chunk.

    Raises:
        Retryable: the registry is away.
    """
    letters = {
        offset: Letter(_bytes(key), _bytes(value), died_at)
        for offset, key, value, died_at in _at(cursor, chunk, "streams_deadletter", '"offset", key, value, died_at')
    }
    repeated = {offset for (offset,) in _at(cursor, chunk, "streams_repeat", '"offset"')}
    read: list[tuple[int, str, Event]] = []
    repeats: list[tuple[int, str, Event]] = []
    unreadable = []
    for offset, (_, value) in chunk.messages.items():
        if offset in letters:
            continue
        try:
            record, event = readers.event(value)
        except Poison as poison:
            unreadable.append((offset, str(poison)))
            continue
        (repeats if offset in repeated else read).append((offset, record, event))
    return Accounted(by_record(read), by_record(repeats), letters, unreadable)


def check_letters(
    cursor: CursorWrapper, chunk: Chunk, found: Accounted, now: datetime, twins: set[tuple[str, ...]] | None
) -> Iterator[Difference]:
    """``twins`` are the positions that the dead-letter topic names; None where it was not read."""
    for offset, reason in found.unreadable:
        yield _at_offset(chunk, "messages", f"{UNREADABLE}: {reason}", offset)
    in_outbox = _in_outbox(cursor, chunk, list(found.letters)) if found.letters else {}
    for offset, letter in found.letters.items():
        message = chunk.messages.get(offset)
        if message is None:
            yield _at_offset(chunk, "dead_letters", NO_MESSAGE, offset)
        elif message != (letter.key, letter.value):
            yield _at_offset(chunk, "dead_letters", OTHER_MESSAGE, offset)
        if (twins is not None or now - letter.died_at < OUTBOX_DAYS) and not _has_twin(
            chunk, offset, letter, in_outbox, twins or set()
        ):
            yield _at_offset(chunk, "dead_letters", NO_TWIN, offset)


def check_repeats(cursor: CursorWrapper, chunk: Chunk, repeats: Mapping[str, Events]) -> Iterator[Difference]:
    for record, events in repeats.items():
        fact = chunk.place.stream.fact_of(record)
        if fact is None:
            continue
        held, key = form(record, fact.table), fact.key[0]
        field = held.fields[held.table.columns.index(key)] or key
        query = sql.SQL("SELECT event_id::text FROM {} WHERE {} = ANY(%s::uuid[])")
        cursor.execute(
            query.format(sql.Identifier(fact.table), sql.Identifier(key)), [[e[field] for e in events.bodies]]
        )
        stored = {event_id for (event_id,) in cursor.fetchall()}
        for offset, event in zip(events.offsets, events.bodies, strict=True):
            if event["event_id"].lower() not in stored:
                told = {"event_id": event["event_id"]}
                yield Difference("repeats", NO_EVENT, *_place(chunk), record, (offset, offset), kafka=told)


def _at(cursor: CursorWrapper, chunk: Chunk, table: str, columns: str) -> list[Any]:
    query = sql.SQL(
        f"SELECT {columns} FROM {table} WHERE stream = %s AND topic = %s"  # noqa: S608 - both are literals of this module
        ' AND partition = %s AND "offset" >= %s AND "offset" < %s'
    )
    place = chunk.place
    cursor.execute(query, [place.stream.name, place.topic, place.partition, chunk.start, chunk.end])
    rows: list[Any] = cursor.fetchall()
    return rows


def _in_outbox(cursor: CursorWrapper, chunk: Chunk, offsets: list[int]) -> dict[int, list[bytes | None]]:
    place = chunk.place
    cursor.execute(
        "SELECT (headers ->> 'offset')::bigint, value FROM streams_outbox WHERE record = '' AND topic = %s"
        " AND headers ->> 'partition' = %s AND headers ->> 'offset' = ANY(%s) AND headers ->> 'stream' = %s",
        [dead_letter_topic(place.topic), str(place.partition), [str(offset) for offset in offsets], place.stream.name],
    )
    found: dict[int, list[bytes | None]] = defaultdict(list)
    for offset, value in cursor.fetchall():
        found[offset].append(_bytes(value))
    return found


def _has_twin(
    chunk: Chunk, offset: int, letter: Letter, in_outbox: Mapping[int, list[bytes | None]], twins: set[tuple[str, ...]]
) -> bool:
    place = chunk.place
    if copy_of(letter.key, letter.value).value in in_outbox.get(offset, []):
        return True
    return (place.stream.name, place.topic, str(place.partition), str(offset)) in twins


def _at_offset(chunk: Chunk, check: str, says: str, offset: int) -> Difference:
    return Difference(check, says, *_place(chunk), "", (offset, offset))


def _place(chunk: Chunk) -> tuple[str, int]:
    return chunk.place.topic, chunk.place.partition


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
