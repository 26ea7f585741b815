"""One event to bytes and back. Whole batches are decoded in columns.py."""

import struct
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from io import BytesIO
from typing import Any, cast

import fastavro

from backoffice.contracts import strict
from backoffice.contracts.avro import DATE, is_plain, resolved, value_type
from backoffice.contracts.definitions import schema
from backoffice.kernel.errors import Poison

_MAGIC = 0
_HEADER = struct.Struct(">bI")


def encode(record: str, event: Mapping[str, Any]) -> bytes:
    """The Avro body of an event, by the record's current schema.

    Timestamps are aware datetimes or microseconds since 1970, dates are dates or days since 1970. What is nullable
    may be left out.

    Raises:
        ValueError: a field is missing, or one is not in the schema.
        TypeError: a value is of the wrong type.
        OverflowError: a number does not fit into 64 bits.
    """
    return _written(_parsed(record), event)


def encode_as(definition: dict[str, Any], event: Mapping[str, Any]) -> bytes:
    """The Avro body of an event, by any schema; slower, as the schema is parsed each time."""
    return _written(cast("dict[str, Any]", fastavro.parse_schema(definition)), event)


def decode(body: bytes, writer_schema: dict[str, Any]) -> dict[str, Any]:
    """The event in a body, with the schema it was written by; slower than a ``Decoder`` that is kept.

    Raises:
        Poison: the body is not such a record, or something follows it; or the schema is no Avro record.
    """
    return Decoder(writer_schema)(body)


class Decoder:
    """Reads the bodies of one schema, one at a time.

    fastavro is quick and lenient. What it read counts only where it writes the same bytes again; every other body is
    read exactly (strict.py), which says what is wrong or that it is only written in another way.
    """

    def __init__(self, definition: dict[str, Any]) -> None:
        """Raises Poison when the schema is no Avro record."""
        self._resolved = resolved(definition)
        self._quick = _quick_schema(self._resolved)
        self._ints = [place for place, avro in _places(self._resolved) if value_type(avro) in ("int", DATE)]

    def __call__(self, body: bytes) -> dict[str, Any]:
        """Raises Poison when the body is no such record, or something follows it."""
        if self._quick:
            event = self._read(body, self._quick)
            if event is not None and self._fits(event):
                return event
        return strict.read(body, self._resolved)

    def _read(self, body: bytes, quick: dict[str, Any]) -> dict[str, Any] | None:
        try:
            event = cast("dict[str, Any]", fastavro.schemaless_reader(BytesIO(body), quick, None))
            again = BytesIO()
            fastavro.schemaless_writer(again, quick, event)
        except Exception:  # noqa: BLE001 - what is wrong with the body is found out and told by the exact reading
            return None
        return event if again.getvalue() == body else None

    def _fits(self, event: dict[str, Any]) -> bool:
        """Whether each int is one; fastavro reads and writes them as long."""
        for name, inner in self._ints:
            for value in [part[inner] for part in event[name]] if inner else (event[name],):
                if isinstance(value, int) and not -(2**31) <= value < 2**31:
                    return False
        return True


def frame(schema_id: int, body: bytes) -> bytes:
    """A message's value: a zero byte, the schema's id in four bytes, the body."""
    return _HEADER.pack(_MAGIC, schema_id) + body


def unframe(value: bytes) -> tuple[int, bytes]:
    """The schema's id and the body of a message's value.

    Raises:
        Poison: the value does not begin as every message of the platform does.
    """
    if not value:
        raise Poison("The message has no value.")
    if len(value) < _HEADER.size or value[0] != _MAGIC:
        raise Poison(f"The message is not framed; it begins with 0x{value[:5].hex()} instead of 0x00 and a schema id.")
    return _HEADER.unpack_from(value)[1], value[_HEADER.size :]


def _quick_schema(record: dict[str, Any]) -> dict[str, Any] | None:
    """The schema for fastavro; None where it has types that are read exactly at once."""
    return cast("dict[str, Any]", fastavro.parse_schema(deepcopy(record))) if is_plain(record) else None


def _places(record: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Each field of a plain record with its type: its name, and within a list of records that of the inner field."""
    for field in record["fields"]:
        if isinstance(field["type"], dict) and field["type"]["type"] == "array":
            for inner in field["type"]["items"]["fields"]:
                yield (field["name"], inner["name"]), inner["type"]
        else:
            yield (field["name"], ""), field["type"]


def _written(parsed: dict[str, Any], event: Mapping[str, Any]) -> bytes:
    body = BytesIO()
    fastavro.schemaless_writer(body, parsed, event, strict_allow_default=True)
    return body.getvalue()


@cache
def _parsed(record: str) -> dict[str, Any]:
    return cast("dict[str, Any]", fastavro.parse_schema(schema(record)))
