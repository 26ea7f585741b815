"""Avro written as no library writes it: right in an unusual way, or wrong in one place."""

import random
import string
import struct
from functools import cache
from typing import Any

from backoffice.contracts.avro import value_type
from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import example

Event = dict[str, Any]

_NUMBERS = (0, 1, -1, 63, 64, 2**27 - 1, 2**27, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 + 1, 2**53, 2**62)
_LARGEST = (2**63 - 1, -(2**63), -(2**53), 253_402_318_799_000_000, 253_402_300_800_000_000, 2_932_897, -719_529)
_TEXTS = ("", "a", "\0", "é", "7" * 64, "x" * 128, "ß" * 200, "EUR", "MT", "::1", "open", "2001:db8::1", "a" * 9_000)
_OCTETS = (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF)


class Twister:
    """Writes values by a schema; each of them otherwise than usual with a probability of ``share``."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self.rng = rng
        self.share = share

    def body(self, avro: Any, value: Any) -> bytes:
        if isinstance(avro, list):
            return self._union(avro, value)
        of = avro if isinstance(avro, str) else avro["type"]
        if of == "record":
            return b"".join(self.body(item["type"], value[item["name"]]) for item in avro["fields"])
        if of in ("array", "map"):
            return self._blocks(avro, value)
        return self._primitive(of, avro, value)

    def _primitive(self, of: str, avro: Any, value: Any) -> bytes:
        if of == "boolean":
            return bytes([self.rng.choice(_OCTETS) if self._odd() else value])
        if of in ("string", "bytes"):
            octets = value.encode() if isinstance(value, str) else value
            if self._odd():
                octets += self.rng.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xc3"))
            return self.number(self._length(len(octets))) + octets
        if of in ("float", "double"):
            return struct.pack("<f" if of == "float" else "<d", value)
        if of == "enum":
            return self.number(avro["symbols"].index(value))
        return b"" if of == "null" else self.number(value)

    def number(self, value: int) -> bytes:
        """Zigzag; oddly with bytes that say nothing, or with bits beyond the 64th."""
        zigzag = (value << 1) ^ (value >> 63)
        if self._odd():
            zigzag |= self.rng.choice((0, 1 << 32, 1 << 64, 1 << 68))
        octets = bytearray()
        while zigzag > 0x7F:
            octets.append(zigzag & 0x7F | 0x80)
            zigzag >>= 7
        octets.append(zigzag)
        if self._odd():
            octets[-1] |= 0x80
            octets += b"\x80" * self.rng.choice((0, 0, 1, 4, 9)) + b"\0"
        return bytes(octets)

    def _union(self, avro: list[Any], value: Any) -> bytes:
        branch = avro.index("null") if value is None else avro.index(value_type(avro))
        index = self.rng.choice((-1, -2, 2, 2**32, branch + 2**32, 2**40)) if self._odd() else branch
        return self.number(index) + self.body(avro[branch], value)

    def _blocks(self, avro: Any, value: Any) -> bytes:
        """The elements in blocks, with or without their lengths in bytes, which may lie."""
        if avro["type"] == "map":
            elements = [self.body("string", name) + self.body(avro["values"], part) for name, part in value.items()]
        else:
            elements = [self.body(avro["items"], part) for part in value]
        written = b""
        while elements:
            size = self.rng.randint(1, len(elements)) if self._odd() else len(elements)
            block, elements = b"".join(elements[:size]), elements[size:]
            written += self.number(-size) + self.number(self._length(len(block))) if self._odd() else self.number(size)
            written += block
        return written + self.number(0)

    def _length(self, length: int) -> int:
        return self.rng.choice((-1, length + 1, 2**31, 2**40, 2**62, -(2**63))) if self._odd() else length

    def _odd(self) -> bool:
        return self.rng.random() < self.share


def event_like(avro: dict[str, Any], record: str, rng: random.Random) -> Event:
    """An event by a schema: like the example of the record, with some values otherwise, some of them beyond bounds."""
    usual = _usual(record)
    return {item["name"]: _value(item["type"], usual.get(item["name"]), rng, 0.01) for item in avro["fields"]}


def spoilt(body: bytes, rng: random.Random) -> bytes:
    """The body with one to three changes of its bytes."""
    octets = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randint(0, len(octets))
        change = rng.randrange(7)
        if change == 0:
            octets[at : at + 1] = bytes([rng.randrange(256)])
        elif change == 1:
            octets[at : at + 1] = bytes([octets[at] ^ 1 << rng.randrange(8)]) if at < len(octets) else b""
        elif change == 2:
            octets[at:at] = bytes(rng.choice(_OCTETS) for _ in range(rng.randint(1, 4)))
        elif change == 3:
            del octets[at : at + rng.randint(1, 4)]
        elif change == 4:
            del octets[at:]
        elif change == 5:
            octets += octets[at : at + rng.randint(1, 40)] or b"\0"
        else:
            octets[at:at] = octets[at : at + rng.randint(1, 20)]
    return bytes(octets)


@cache
def _usual(record: str) -> Event:
    return example(schema(record))


def _value(avro: Any, usual: Any, rng: random.Random, share: float) -> Any:
    if isinstance(avro, list):
        return None if rng.random() < 0.3 else _value(value_type(avro), usual, rng, share)
    of = avro if isinstance(avro, str) else avro["type"]
    if of == "array":
        parts = [part for part in usual if rng.random() > share] * rng.choice((1, 1, 1, 1, 1, 2))
        items = avro["items"]["fields"]
        return [{i["name"]: _value(i["type"], part[i["name"]], rng, share) for i in items} for part in parts]
    if of == "map":
        return {rng.choice(string.ascii_letters): _value(avro["values"], None, rng, share) for _ in range(2)}
    if of == "enum":
        return rng.choice(avro["symbols"])
    if of == "boolean":
        return rng.random() < 0.5
    return _simple(of, usual, rng, share)


def _simple(of: str, usual: Any, rng: random.Random, share: float) -> Any:
    odd = usual is None or rng.random() < share
    if of == "string":
        return rng.choice(_TEXTS) if odd else str(usual)
    if of == "bytes":
        return rng.randbytes(rng.randrange(5))
    if of in ("float", "double"):
        return rng.choice((0.0, 1.5, float("nan"), float("inf")))
    if not odd:
        return _number(usual)
    number = rng.choice(_NUMBERS + (_LARGEST if of == "long" else ()))
    return number if of == "long" else (number + 2**31) % 2**32 - 2**31


def _number(usual: Any) -> int:
    """What the example holds, as it is sent: times as microseconds, dates as days since 1970."""
    if hasattr(usual, "timestamp"):
        return int(usual.timestamp()) * 1_000_000
    return int(usual.toordinal() - 719_163) if hasattr(usual, "toordinal") else int(usual)
