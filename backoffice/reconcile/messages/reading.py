"""Messages to events, one at a time and in plain Python: nothing of what the streams decode with is used here."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from backoffice.contracts.codec import Decoder, unframe
from backoffice.contracts.definitions import schema
from backoffice.contracts.writers import Writer, Writers
from backoffice.kernel.errors import Poison

from .rules import broken

Event = dict[str, Any]
# Keys that are deleted, with when (microseconds) and at which offset the log says so.
Gone = dict[str, tuple[int, int]]
NEVER = (-1, -1)


@dataclass
class Events:
    """Events of one record type in the order of their offsets. Times are microseconds, dates are days since 1970."""

    offsets: list[int] = field(default_factory=list)
    bodies: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Reader:
    """How messages of one schema id are read.

    ``absent`` are today's fields that this writer did not know, with their defaults; by the name of a list those of its
    elements, and under no name those of the event.
    """

    record: str
    decode: Decoder
    absent: dict[str, dict[str, Any]]

    def event(self, body: bytes) -> Event:
        """Raises Poison when the body is no event that its contract allows."""
        event = self.decode(body)
        for name, defaults in self.absent.items():
            for part in event[name] if name else (event,):
                part.update(defaults)
        if wrong := broken(self.record, event):
            raise Poison(wrong)
        return event


class Readers:
    """Readers by schema id. Each is asked for once until they are renewed, and made once for the same schema."""

    def __init__(self, registry: Writers) -> None:
        self._registry = registry
        self._readers: dict[int, Reader] = {}
        self._made: dict[int, tuple[Writer, Reader]] = {}

    def renew(self) -> None:
        """Ask for each again: a registry may be made anew while a run goes on."""
        self._readers.clear()

    def event(self, value: bytes | None) -> tuple[str, Event]:
        """The record type and the event of a message's value.

        Raises:
            Poison: it cannot be read, or is not what its contract allows.
            Retryable: the registry is away.
        """
        schema_id, body = unframe(value or b"")
        reader = self._readers.get(schema_id) or self._reader(schema_id)
        return reader.record, reader.event(body)

    def _reader(self, schema_id: int) -> Reader:
        writer = self._registry.writer(schema_id)
        if writer.refusal:
            raise Poison(writer.refusal)
        of, reader = self._made.get(schema_id, (None, None))
        if reader is None or of is not writer:
            reader = Reader(writer.record, Decoder(writer.numeric), _absent(schema(writer.record), writer.numeric))
            self._made[schema_id] = writer, reader
        self._readers[schema_id] = reader
        return reader


def _absent(contract: dict[str, Any], written: dict[str, Any]) -> dict[str, dict[str, Any]]:
    known = {item["name"]: item["type"] for item in written["fields"]}
    absent = {"": _defaults(contract, known.keys())}
    for item in contract["fields"]:
        if item["name"] in known and isinstance(item["type"], dict) and item["type"]["type"] == "array":
            inner = {part["name"] for part in known[item["name"]]["items"]["fields"]}
            absent[item["name"]] = _defaults(item["type"]["items"], inner)
    return {name: defaults for name, defaults in absent.items() if defaults}


def _defaults(record: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    return {item["name"]: item["default"] for item in record["fields"] if item["name"] not in known}


def by_record(events: list[tuple[int, str, Event]]) -> dict[str, Events]:
    grouped: dict[str, Events] = defaultdict(Events)
    for offset, record, event in events:
        group = grouped[record]
        group.offsets.append(offset)
        group.bodies.append(event)
    return dict(grouped)
