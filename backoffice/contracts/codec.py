"""One event to bytes and back. Whole batches are decoded in columns.py."""

import struct
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any, cast

import fastavro

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
    """The event in a body, with the schema it was written by.

    Raises:
        Poison: the body is not such a record, or something follows it.
    """
    source = BytesIO(body)
    try:
        event = cast("dict[str, Any]", fastavro.schemaless_reader(source, writer_schema, None))
    except (EOFError, IndexError, OverflowError, ValueError) as error:
        name = writer_schema["name"]
        raise Poison(f"The body is cut short or is not a {name}: {error or 'it ends too early'}.") from error
    if rest := len(body) - source.tell():
        raise Poison(f"{rest} bytes follow the {writer_schema['name']}.")
    return event


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


def _written(parsed: dict[str, Any], event: Mapping[str, Any]) -> bytes:
    body = BytesIO()
    fastavro.schemaless_writer(body, parsed, event, strict_allow_default=True)
    return body.getvalue()


@cache
def _parsed(record: str) -> dict[str, Any]:
    return cast("dict[str, Any]", fastavro.parse_schema(schema(record)))
