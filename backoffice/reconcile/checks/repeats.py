"""Each repeat is explained: what it repeats has its row, says the very same, and came from another place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.digests import digests
from backoffice.streams.store.projection import Projection

from ..differences import Difference
from ..messages.log import Chunk
from ..messages.reading import Event, Events
from .accounting import Accounted
from .facts import Form, flatten, form

NO_EVENT = "A repeat was noted of an event that has no row."
OTHER_NOTED = "The repeat is noted as one of {noted}; the message is a {record}."
OTHER_RECORD = "A repeat was noted, but the event with this id is a {other}; what this message says is not stored."
OTHER_BODY = "A repeat was noted, but the event with this id says something else; what this message says is not stored."
ITSELF = "A message is noted as a repeat of itself."
NOT_LOGGED = "A repeat was noted of a record that leaves no row to be repeated."


@dataclass(frozen=True)
class Original:
    event_id: str
    record: str | None
    place: tuple[int, int]
    digest: int | None
    values: list[str | None]

    def differs(self, values: list[str | None], event_id: str, digest: int) -> bool:
        """Whether it is another event: by its body, or by its row where that is from before there were digests."""
        if self.digest is None:
            return self.values != values
        return (self.event_id, self.digest) != (event_id, digest)


def check_repeats(cursor: CursorWrapper, chunk: Chunk, found: Accounted) -> Iterator[Difference]:
    for record, events in found.repeats.items():
        fact = chunk.place.stream.fact_of(record)
        flatten(chunk.place.stream.name, record, events.bodies)
        originals = _originals(cursor, chunk, record, fact, events) if fact else {}
        digested = digests(record, [chunk.messages[offset][1] or b"" for offset in events.offsets]).tolist()
        for offset, event, digest in zip(events.offsets, events.bodies, digested, strict=True):
            noted = found.noted[offset]
            if noted != record:
                yield _difference(chunk, record, offset, event, OTHER_NOTED.format(noted=noted, record=record))
            if fact is None:
                yield _difference(chunk, record, offset, event, NOT_LOGGED)
            else:
                held = form(chunk.place.stream.name, record, fact.table)
                original = originals.get(str(event[_field(held, fact)]).lower())
                yield from _compared(chunk, held, offset, event, digest, original)


def _compared(
    chunk: Chunk, held: Form, offset: int, event: Event, digest: int, original: Original | None
) -> Iterator[Difference]:
    """What is wrong with a repeat, beside what it repeats."""
    if original is None:
        yield _difference(chunk, held.record, offset, event, NO_EVENT)
    elif original.record not in (None, held.record):
        says = OTHER_RECORD.format(other=original.record)
        yield _difference(chunk, held.record, offset, event, says, original)
    elif original.place == (chunk.place.partition, offset) and offset >= chunk.place.former_until:
        yield _difference(chunk, held.record, offset, event, ITSELF, original)
    elif original.differs(held.values(event), event["event_id"].lower(), digest):
        yield _difference(chunk, held.record, offset, event, OTHER_BODY, original)


def _originals(
    cursor: CursorWrapper, chunk: Chunk, record: str, fact: Projection, events: Events
) -> dict[str, Original]:
    """The rows of the events' keys, by the key."""
    held = form(chunk.place.stream.name, record, fact.table)
    facts, field = held.table, _field(held, fact)
    query = sql.SQL(
        "SELECT {key}::text, event_id::text, {record}, source_partition, source_offset, digest, ARRAY[{texts}]"
        " FROM {table} WHERE {key} = ANY(%s::uuid[]){of_stream}"
    ).format(
        key=sql.Identifier(fact.key[-1]), record=sql.Identifier("record") if facts.has_record else sql.SQL("NULL"),
        texts=sql.SQL(", ").join(facts.texts), table=sql.Identifier(fact.table),
        of_stream=sql.SQL(" AND stream = %s" if facts.has_stream else ""),
    )  # fmt: skip
    cursor.execute(query, [[event[field] for event in events.bodies]] + [chunk.place.stream.name] * facts.has_stream)
    return {
        key: Original(event_id, of, (partition, at), digest, values)
        for key, event_id, of, partition, at, digest, values in cursor.fetchall()
    }


def _field(held: Form, fact: Projection) -> str:
    """The field of the event that is its key; of the log of all streams, beside the stream."""
    key = fact.key[-1]
    return held.fields[held.table.columns.index(key)] or key


def _difference(
    chunk: Chunk, record: str, offset: int, event: Event, says: str, original: Original | None = None
) -> Difference:
    told: dict[str, Any] = {"event_id": event["event_id"]}
    stands = {"event_id": original.event_id, "offset": list(original.place)} if original else None
    return Difference(
        "repeats", says, chunk.place.topic, chunk.place.partition, record, (offset, offset), kafka=told, postgres=stands
    )
