"""Messages to events, one at a time and in plain Python: nothing of what the streams decode with is used here."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

import fastavro

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Poison

Event = dict[str, Any]


@dataclass
class Events:
    """Events of one record type in the order of their offsets. Times are microseconds, dates are days since 1970."""

    offsets: list[int] = field(default_factory=list)
    bodies: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Reader:
    """How messages of one schema id are read; ``absent`` are today's fields that this writer did not know."""

    record: str
    schema: dict[str, Any]
    absent: dict[str, Any]


class Readers:
    """Readers by schema id; each schema is asked for and parsed once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._readers: dict[int, Reader] = {}

    def event(self, value: bytes | None) -> tuple[str, Event]:
        """The record type and the event of a message's value.

        Raises:
            Poison: it cannot be read.
            Retryable: the registry is away.
        """
        schema_id, body = unframe(value or b"")
        reader = self._readers.get(schema_id) or self._reader(schema_id)
        event = decode(body, reader.schema)
        return reader.record, event | reader.absent if reader.absent else event

    def _reader(self, schema_id: int) -> Reader:
        writer = self._registry.writer(schema_id)
        try:
            fields = schema(writer.record)["fields"]
        except KeyError as error:
            raise Poison(f"{writer.record} is no record of the platform") from error
        known = {item["name"] for item in writer.schema["fields"]}
        absent = {item["name"]: item["default"] for item in fields if item["name"] not in known and "default" in item}
        parsed = cast("dict[str, Any]", fastavro.parse_schema(_plain(deepcopy(writer.schema))))
        self._readers[schema_id] = Reader(writer.record, parsed, absent)
        return self._readers[schema_id]


def by_record(events: list[tuple[int, str, Event]]) -> dict[str, Events]:
    grouped: dict[str, Events] = defaultdict(Events)
    for offset, record, event in events:
        group = grouped[record]
        group.offsets.append(offset)
        group.bodies.append(event)
    return dict(grouped)


def _plain(avro: Any) -> Any:
    """The schema without logical types: numbers stay numbers, which is quicker and exact."""
    if isinstance(avro, list):
        return [_plain(part) for part in avro]
    if isinstance(avro, dict):
        return {name: _plain(part) for name, part in avro.items() if name != "logicalType"}
    return avro
