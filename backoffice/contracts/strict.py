"""A body read byte by byte, exactly as Avro says: the verdict on every body that is written otherwise than we write.

Decoders are lenient, each in its own way: one takes a number past 32 bits and keeps what fits, another counts branches
of a union from behind, a third lets bytes follow. Here a number stands in its shortest form and within its type, a
branch, a symbol and a boolean are ones that there are, a text is UTF-8, a block is as long as it says, and nothing
follows. A list may come in any number of blocks, with their lengths or without.
"""

import struct
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from backoffice.kernel.clock import at_microseconds, at_milliseconds
from backoffice.kernel.errors import Poison

Event = dict[str, Any]

_FLOATS = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}
_BITS = {"int": 32, "long": 64}


def read(body: bytes, record: dict[str, Any]) -> Event:
    """The event in a body, by a resolved schema; times and dates that Python cannot hold stay numbers.

    Raises:
        Poison: the body is no such record.
    """
    source = _Body(body)
    event = source.record(record, record["name"].rpartition(".")[2])
    if rest := len(body) - source.at:
        raise Poison(f"{rest} bytes follow the {record['name'].rpartition('.')[2]}.")
    return event


class _Body:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def value(self, avro: Any, where: str) -> Any:
        if isinstance(avro, list):
            return self.value(avro[self.index(len(avro), where, "branch")], where)
        if isinstance(avro, str):
            return self.primitive(avro, where)
        if avro["type"] in self._COMPLEX:
            return self._COMPLEX[avro["type"]](self, avro, where)
        return _told(self.primitive(avro["type"], where), avro["logicalType"])

    def record(self, avro: dict[str, Any], where: str) -> Event:
        return {field["name"]: self.value(field["type"], f"{where}.{field['name']}") for field in avro["fields"]}

    def primitive(self, avro: str, where: str) -> Any:
        if avro == "null":
            return None
        if avro == "boolean":
            return bool(self.index(2, where, "truth", whole_byte=True))
        if avro in _BITS:
            return self.number(_BITS[avro], where)
        if avro in _FLOATS:
            return _FLOATS[avro].unpack(self.take(_FLOATS[avro].size, where))[0]
        octets = self.take(self.length(where), where)
        return octets if avro == "bytes" else _text(octets, where)

    def number(self, bits: int, where: str) -> int:
        """A zigzag number of at most so many bits, in as few bytes as it needs."""
        raw = shift = 0
        while True:
            octet = self.take(1, where)[0]
            raw |= (octet & 0x7F) << shift
            if raw >= 1 << bits:
                raise Poison(f"{where} does not fit into {bits} bits.")
            if octet < 0x80:
                break
            shift += 7
            if shift > bits:
                raise Poison(f"{where} is a number without end.")
        if shift and not octet:
            raise Poison(f"{where} is written in more bytes than it needs.")
        return raw >> 1 ^ -(raw & 1)

    def index(self, count: int, where: str, what: str, *, whole_byte: bool = False) -> int:
        found = self.take(1, where)[0] if whole_byte else self.number(64, where)
        if not 0 <= found < count:
            raise Poison(f"{where} has the {what} {found}; there are {count}, counted from 0.")
        return found

    def length(self, where: str) -> int:
        found = self.number(64, where)
        if found < 0:
            raise Poison(f"{where} has the negative length {found}.")
        return found

    def take(self, count: int, where: str) -> bytes:
        if count > len(self.body) - self.at:
            raise Poison(f"The body is cut short: {where} has {len(self.body) - self.at} of {count} bytes.")
        self.at += count
        return self.body[self.at - count : self.at]

    def array(self, avro: dict[str, Any], where: str) -> list[Any]:
        found: list[Any] = []
        self.blocks(where, lambda: found.append(self.value(avro["items"], f"{where}[]")))
        return found

    def map(self, avro: dict[str, Any], where: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def entry() -> None:
            name = self.primitive("string", where)
            if name in found:
                raise Poison(f"{where} has one entry twice.")
            found[name] = self.value(avro["values"], f"{where}[]")

        self.blocks(where, entry)
        return found

    def enum(self, avro: dict[str, Any], where: str) -> str:
        symbols: list[str] = avro["symbols"]
        return symbols[self.index(len(symbols), where, "symbol")]

    def fixed(self, avro: dict[str, Any], where: str) -> bytes:
        return self.take(avro["size"], where)

    def blocks(self, where: str, element: Callable[[], None]) -> None:
        """Elements in blocks; a negative count is followed by the block's length in bytes."""
        while count := self.number(64, where):
            length = self.length(where) if count < 0 else None
            start = self.at
            for _ in range(abs(count)):
                element()
            if length is not None and self.at - start != length:
                raise Poison(f"A block of {where} is said to have {length} bytes and has {self.at - start}.")

    _COMPLEX = {"record": record, "array": array, "map": map, "enum": enum, "fixed": fixed}


def _text(octets: bytes, where: str) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise Poison(f"{where} is not valid UTF-8 ({error.reason} at its byte {error.start}).") from error


def _told(value: Any, logical: str) -> Any:
    try:
        if logical == "timestamp-micros":
            return at_microseconds(value)
        if logical == "timestamp-millis":
            return at_milliseconds(value)
        return date(1970, 1, 1) + timedelta(days=value) if logical == "date" else value
    except (OverflowError, TypeError):
        return value
