"""The length of a body, from its columns."""

import copy
import random
from typing import Any

import pyarrow as pa
import pytest

from backoffice.contracts.avro import numeric, resolved
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import canonical, schema
from backoffice.contracts.examples import example
from backoffice.contracts.sizes import DOUBTED, encoded_sizes
from backoffice.contracts.writers import Writer
from tests.chaos.twisting import Twister, event_like
from tests.contracts.test_strict import number, varint
from tests.streams.arriving import RECORDS

WRITERS = [Writer(record, schema(record)) for record in RECORDS]
SYMBOLS = {"type": "enum", "name": "Symbols", "symbols": [f"s{n}" for n in range(64)]}


def of(*types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{n}", "type": avro} for n, avro in enumerate(types)]
    return resolved({"type": "record", "name": "Probe", "fields": fields})


def sizes(definition: dict[str, Any], bodies: list[bytes]) -> list[int]:
    found: list[int] = encoded_sizes(decode_bodies(bodies, canonical(definition)), definition).tolist()
    return found


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_has_the_length_that_we_write(record: str) -> None:
    rng, definition = random.Random(record), copy.deepcopy(resolved(schema(record)))
    bodies = [encode(record, example(schema(record)))]
    for _ in range(40):
        event = event_like(definition, record, rng)
        bodies.append(Twister(rng, 0.0).body(numeric(definition), event))

    found = sizes(definition, bodies)

    assert all(size in (len(body), DOUBTED) for size, body in zip(found, bodies, strict=True))
    assert found[0] == len(bodies[0])


@pytest.mark.parametrize("writer", WRITERS, ids=RECORDS)
def test_a_whole_message_has_the_length_of_its_frame_too(writer: Writer) -> None:
    message = frame(7, encode(writer.record, example(schema(writer.record))))

    assert sizes(writer.framed, [message, message]) == [len(message)] * 2


@pytest.mark.parametrize("value", [0, 1, 63, 64, 8_191, 8_192, 2**20, 2**27 - 1, 2**34, 2**41, 2**48, 2**55, 2**62 - 1])
def test_numbers_of_every_length_beside_one_another(value: int) -> None:
    bodies = [number(sign * (value + more)) for sign in (1, -1) for more in (-1, 0, 1) if value + more < 2**62]

    assert sizes(of("long"), bodies) == [len(body) for body in bodies]
    assert sizes(of("long"), bodies[:1]) == [len(bodies[0])]


@pytest.mark.parametrize("value", [2**62, -(2**62) - 1, 2**63 - 1, -(2**63)])
def test_the_longest_long_is_doubted(value: int) -> None:
    assert sizes(of("long"), [number(5), number(value)]) == [1, DOUBTED]
    assert sizes(of("long"), [number(2**62 - 1), number(-(2**62))]) == [9, 9]


@pytest.mark.parametrize("raw", [2**28, 2**32, 2**32 + 1, 2**34 + 5, 2**40, 2**63])
def test_an_int_of_five_bytes_or_more_has_never_its_own_length(raw: int) -> None:
    """The decoder cuts it to 32 bits; whatever is left, it is not believed."""
    (size,) = sizes(of("int"), [varint(raw)])

    assert size != len(varint(raw))


def test_an_int_of_four_bytes_is_believed() -> None:
    assert sizes(of("int"), [varint(2**28 - 1), varint(2**28 - 2), number(7)]) == [4, 4, 1]


@pytest.mark.parametrize("octets", [b"\x86\x00", b"\x80\x80\x00", b"\xff" * 9 + b"\x02", b"\xff" * 9 + b"\x03"])
def test_a_number_in_more_bytes_than_it_needs_has_another_length(octets: bytes) -> None:
    (size,) = sizes(of("long"), [octets])

    assert size != len(octets)


def test_fixed_sizes_and_symbols() -> None:
    more = SYMBOLS | {"name": "More"}
    definition = of("boolean", "double", SYMBOLS, ["null", more], ["double", "null"], ["null", "boolean"])
    full = b"\x01" + b"\0" * 8 + number(63) + number(1) + number(5) + number(0) + b"\0" * 8 + number(1) + b"\x01"
    bare = b"\x00" + b"\0" * 8 + number(0) + number(0) + number(1) + number(0)

    assert sizes(definition, [full, bare]) == [len(full), len(bare)]
    assert sizes(definition, [bare, bare]) == [len(bare)] * 2
    assert sizes(definition, [full]) == [len(full)]


def test_texts_count_octets_and_the_length_of_their_length() -> None:
    texts = ["", "a", "é" * 31, "é" * 32, "x" * 8_191, "x" * 8_192]
    bodies = [number(len(text.encode())) + text.encode() for text in texts]
    optional = [number(1) + body for body in bodies]

    assert sizes(of("string"), bodies) == [len(body) for body in bodies]
    assert sizes(of(["null", "string"]), [*optional, number(0)]) == [*(len(body) for body in optional), 1]


def listed(*counts: int, inner: int = 1) -> list[bytes]:
    return [(number(n) + number(inner) * n if n else b"") + number(0) for n in counts]


PARTS = {"type": "array", "items": {"type": "record", "name": "Part", "fields": [{"name": "no", "type": "int"}]}}


def test_lists_are_one_block_or_nothing() -> None:
    bodies = listed(0, 1, 2, 0, 63, 64, 9_000)

    assert sizes(of(PARTS), bodies) == [len(body) for body in bodies]
    assert sizes(of(PARTS), listed(0, 0)) == [1, 1]


def test_a_doubted_element_makes_its_row_doubted_and_no_other() -> None:
    bodies = [*listed(2, 0), *listed(1, inner=2**30), *listed(3)]

    assert sizes(of(PARTS), bodies) == [4, 1, DOUBTED, 5]


def test_a_slice_is_the_slice_of_the_sizes() -> None:
    definition = of("string", PARTS, ["null", "long"])
    bodies = [
        number(n) + b"x" * n + listed(n)[0] + (number(1) + number(10**n) if n % 2 else number(0)) for n in range(6)
    ]
    batch = decode_bodies(bodies, canonical(definition))

    assert encoded_sizes(batch.slice(2, 3), definition).tolist() == [len(body) for body in bodies[2:5]]


def test_no_rows_have_no_sizes() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([], pa.string()), pa.array([], pa.int64())], names=["f0", "f1"])

    assert encoded_sizes(batch, of("string", "long")).tolist() == []
