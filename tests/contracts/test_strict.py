"""A body read byte by byte: what is Avro in whatever shape, and the sentence for what is not."""

import copy
import random
import struct
from datetime import UTC, date, datetime
from typing import Any

import pytest

from backoffice.contracts.avro import resolved
from backoffice.contracts.codec import decode, encode
from backoffice.contracts.definitions import schema
from backoffice.contracts.examples import example
from backoffice.contracts.strict import read
from backoffice.kernel.errors import Poison
from tests.chaos.twisting import Twister, event_like
from tests.streams.arriving import RECORDS

PROBE = resolved(
    {
        "type": "record",
        "name": "pitboss.Probe",
        "fields": [
            {"name": "flag", "type": "boolean"},
            {"name": "small", "type": "int"},
            {"name": "large", "type": "long"},
            {"name": "text", "type": "string"},
            {"name": "maybe", "type": ["null", "long"]},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}},
            {
                "name": "parts",
                "type": {"type": "array", "items": {
                    "type": "record", "name": "Part", "fields": [{"name": "no", "type": "int"}]}},
            },
        ],
    }
)  # fmt: skip


def number(value: int) -> bytes:
    return varint(value << 1 ^ value >> 63)


def varint(raw: int) -> bytes:
    octets = bytearray()
    while raw > 0x7F:
        octets.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*octets, raw])


def body(**parts: bytes) -> bytes:
    """A probe with some of its parts written otherwise."""
    usual = {
        "flag": b"\x01",
        "small": number(3),
        "large": number(4),
        "text": number(2) + b"hi",
        "maybe": number(1) + number(9),
        "kind": number(1),
        "parts": number(2) + number(5) + number(6) + number(0),
        "rest": b"",
    }
    return b"".join((usual | parts).values())


EVENT = {"flag": True, "small": 3, "large": 4, "text": "hi", "maybe": 9, "kind": "b", "parts": [{"no": 5}, {"no": 6}]}


@pytest.mark.parametrize(
    ("parts", "event"),
    [
        ({}, {}),
        ({"flag": b"\x00"}, {"flag": False}),
        ({"small": number(2**31 - 1)}, {"small": 2**31 - 1}),
        ({"small": number(-(2**31))}, {"small": -(2**31)}),
        ({"large": number(2**63 - 1)}, {"large": 2**63 - 1}),
        ({"large": number(-(2**63))}, {"large": -(2**63)}),
        ({"text": number(0)}, {"text": ""}),
        ({"text": number(4) + "😀".encode()}, {"text": "😀"}),
        ({"maybe": number(0)}, {"maybe": None}),
        ({"kind": number(0)}, {"kind": "a"}),
        ({"parts": number(0)}, {"parts": []}),
        ({"parts": number(-2) + number(2) + number(5) + number(6) + number(0)}, {}),
        ({"parts": number(1) + number(5) + number(1) + number(6) + number(0)}, {}),
        ({"parts": number(-1) + number(1) + number(5) + number(1) + number(6) + number(0)}, {}),
    ],
)
def test_avro_in_every_shape_that_is_right(parts: dict[str, bytes], event: dict[str, Any]) -> None:
    assert read(body(**parts), PROBE) == EVENT | event


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"flag": b"\x02"}, "Probe.flag has the truth 2; there are 2, counted from 0."),
        ({"flag": b"\xff"}, "Probe.flag has the truth 255"),
        ({"small": number(2**31)}, "Probe.small does not fit into 32 bits."),
        ({"small": number(-(2**31) - 1)}, "Probe.small does not fit into 32 bits."),
        ({"small": number(2**32 + 3)}, "Probe.small does not fit into 32 bits."),
        ({"small": b"\x86\x00"}, "Probe.small is written in more bytes than it needs."),
        ({"small": b"\x80\x80\x80\x80\x00"}, "Probe.small is written in more bytes than it needs."),
        ({"small": b"\x80\x80\x80\x80\x80\x00"}, "Probe.small is a number without end."),
        ({"large": b"\x88\x00"}, "Probe.large is written in more bytes than it needs."),
        ({"large": b"\x88" + b"\x80" * 8 + b"\x00"}, "Probe.large is written in more bytes than it needs."),
        ({"large": b"\x88" + b"\x80" * 9 + b"\x00"}, "Probe.large is a number without end."),
        ({"large": varint(2**64)}, "Probe.large does not fit into 64 bits."),
        ({"large": varint(2**64 + 2**63 + 1)}, "Probe.large does not fit into 64 bits."),
        ({"large": b"\xff" * 9 + b"\x7f"}, "Probe.large does not fit into 64 bits."),
        ({"text": number(-1) + b"hi"}, "Probe.text has the negative length -1."),
        ({"text": number(-(2**63))}, "Probe.text has the negative length"),
        ({"text": number(2**31) + b"hi"}, "The body is cut short: Probe.text has 9 of 2147483648 bytes."),
        ({"text": number(2**62) + b"hi"}, "The body is cut short: Probe.text"),
        ({"text": b"\x84\x00hi"}, "Probe.text is written in more bytes than it needs."),
        ({"text": number(2) + b"\xff\xfe"}, "Probe.text is not valid UTF-8 (invalid start byte at its byte 0)."),
        ({"text": number(3) + b"\xed\xa0\x80"}, "Probe.text is not valid UTF-8"),
        ({"text": number(2) + b"\xc0\x80"}, "Probe.text is not valid UTF-8"),
        ({"maybe": number(-1) + number(9)}, "Probe.maybe has the branch -1; there are 2, counted from 0."),
        ({"maybe": number(2) + number(9)}, "Probe.maybe has the branch 2"),
        ({"maybe": number(2**32 + 1) + number(9)}, "Probe.maybe has the branch 4294967297"),
        ({"maybe": b"\x82\x00" + number(9)}, "Probe.maybe is written in more bytes than it needs."),
        ({"kind": number(2)}, "Probe.kind has the symbol 2; there are 2"),
        ({"kind": number(-1)}, "Probe.kind has the symbol -1"),
        ({"parts": number(2**40) + number(5)}, "The body is cut short: Probe.parts"),
        ({"parts": number(-(2**63)) + number(1) + number(5)}, "The body is cut short: Probe.parts"),
        (
            {"parts": number(-1) + number(2) + number(5) + number(0)},
            "A block of Probe.parts is said to have 2 by",
        ),
        ({"parts": number(-1) + number(-1) + number(5)}, "Probe.parts has the negative length -1."),
        ({"parts": number(1) + number(5)}, "The body is cut short: Probe.parts has 0 of 1 bytes."),
        ({"parts": number(1) + number(5) + b"\x80\x00"}, "Probe.parts is written in more bytes than it needs."),
        ({"parts": number(1) + number(2**31) + number(0)}, "Probe.parts[].no does not fit into 32 bits."),
        ({"rest": b"\x00"}, "1 bytes follow the Probe."),
        ({"rest": b"\x00" * 9}, "9 bytes follow the Probe."),
    ],
)
def test_what_is_wrong_is_told_with_its_place(parts: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(Poison) as poison:
        read(body(**parts), PROBE)

    assert str(poison.value).startswith(sentence)


def test_a_body_cut_short_anywhere_is_told_so() -> None:
    whole = body()
    for length in range(len(whole)):
        with pytest.raises(Poison, match="The body is cut short"):
            read(whole[:length], PROBE)


def of(avro: Any) -> dict[str, Any]:
    return resolved({"type": "record", "name": "One", "fields": [{"name": "it", "type": avro}]})


@pytest.mark.parametrize(
    ("avro", "octets", "value"),
    [
        ("null", b"", None),
        ("float", struct.pack("<f", 1.5), 1.5),
        ("double", struct.pack("<d", -2.25), -2.25),
        ("bytes", number(2) + b"\xff\x00", b"\xff\x00"),
        ({"type": "fixed", "name": "F", "size": 2}, b"\xff\x00", b"\xff\x00"),
        ({"type": "bytes", "logicalType": "decimal"}, number(1) + b"\x05", b"\x05"),
        ({"type": "map", "values": "int"}, number(1) + number(1) + b"a" + number(7) + number(0), {"a": 7}),
        ({"type": "map", "values": "int"}, number(0), {}),
        ({"type": "array", "items": ["null", "string"]}, number(2) + b"\x00\x02\x02b" + number(0), [None, "b"]),
        ({"type": "long", "logicalType": "timestamp-micros"}, number(1_000_001), datetime(1970, 1, 1, 0, 0, 1, 1, UTC)),
        ({"type": "long", "logicalType": "timestamp-millis"}, number(1), datetime(1970, 1, 1, 0, 0, 0, 1_000, UTC)),
        ({"type": "long", "logicalType": "timestamp-micros"}, number(2**62), 2**62),
        ({"type": "long", "logicalType": "timestamp-millis"}, number(-(2**62)), -(2**62)),
        ({"type": "int", "logicalType": "date"}, number(-1), date(1969, 12, 31)),
        ({"type": "int", "logicalType": "date"}, number(2**31 - 1), 2**31 - 1),
        ({"type": "string", "logicalType": "uuid"}, number(1) + b"x", "x"),
        ({"type": "string", "logicalType": "date"}, number(1) + b"x", "x"),
    ],
)
def test_types_that_our_contracts_do_not_have_are_read_too(avro: Any, octets: bytes, value: Any) -> None:
    assert read(octets, of(avro)) == {"it": value}


@pytest.mark.parametrize(
    ("avro", "octets", "sentence"),
    [
        (
            {"type": "map", "values": "int"},
            number(2) + b"\x02a\x02\x02a\x02" + number(0),
            "One.it has one entry twic",
        ),
        ({"type": "map", "values": "int"}, number(1) + b"\x02\xff\x02" + number(0), "One.it is not valid UTF-8"),
        ({"type": "map", "values": "int"}, number(1) + b"\x02a\x80\x00" + number(0), "One.it[] is written in more"),
        ({"type": "fixed", "name": "F", "size": 2}, b"\xff", "The body is cut short: One.it has 1 of 2 bytes."),
        ("double", b"\x00" * 7, "The body is cut short: One.it has 7 of 8 bytes."),
    ],
)
def test_and_their_faults_are_told(avro: Any, octets: bytes, sentence: str) -> None:
    with pytest.raises(Poison) as poison:
        read(octets, of(avro))

    assert str(poison.value).startswith(sentence)


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_reads_as_it_was_written(record: str) -> None:
    event = example(schema(record))

    assert read(encode(record, event), resolved(schema(record))) == event


def test_lists_in_blocks_read_as_lists_in_one() -> None:
    """As the Go library hamba/avro writes them: blocks of some elements, each with its length in bytes."""
    definition = resolved(schema("MarketUpdate"))
    event = example(schema("MarketUpdate"))
    plain = encode("MarketUpdate", event)
    start = plain.index(number(2) + number(len("outcome id")) + b"outcome id")
    elements = plain[start + 1 : -1]
    half = elements.index(number(len("outcome id 2")) + b"outcome id 2")
    blocks = b"".join(number(-1) + number(len(part)) + part for part in (elements[:half], elements[half:]))

    assert read(plain[:start] + blocks + b"\x00", definition) == event


def test_the_quick_and_the_exact_reading_agree_on_what_is_written_as_usual() -> None:
    rng = random.Random(5)
    for record in RECORDS:
        definition = copy.deepcopy(schema(record))
        for field in definition["fields"]:
            field["type"] = resolved({"type": "record", "name": "x.X", "fields": [field]})["fields"][0]["type"]
        for _ in range(5):
            event = event_like(resolved(definition), record, rng)
            written = Twister(rng, 0.0).body(resolved(definition), event)
            assert decode(written, definition) == read(written, resolved(definition))
