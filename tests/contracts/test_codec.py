from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import pytest

from backoffice.contracts.codec import decode, encode, encode_as, frame, unframe
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import schema, schema_text
from backoffice.contracts.examples import example
from backoffice.kernel.errors import Poison


def registration(**changed: Any) -> dict[str, Any]:
    return example(schema("PlayerRegistered")) | changed


def test_an_event_comes_back_as_it_was() -> None:
    event = registration(birth_date=date(1950, 2, 28), occurred_at=datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC))

    assert decode(encode("PlayerRegistered", event), schema("PlayerRegistered")) == event


def test_times_may_be_microseconds() -> None:
    body = encode("PlayerRegistered", registration(occurred_at=1_772_000_000_000_001))

    assert decode(body, schema("PlayerRegistered"))["occurred_at"] == datetime(2026, 2, 25, 6, 13, 20, 1, tzinfo=UTC)


def test_what_is_nullable_may_be_left_out() -> None:
    event = registration()
    del event["affiliate"]

    assert decode(encode("PlayerRegistered", event), schema("PlayerRegistered"))["affiliate"] is None


@pytest.mark.parametrize(
    ("change", "error"),
    [({"surname": "misspelt"}, ValueError), ({"email": None}, TypeError), ({"occurred_at": 2**70}, OverflowError)],
)
def test_a_producer_cannot_write_what_the_schema_does_not_have(change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        encode("PlayerRegistered", registration(**change))


def test_a_producer_cannot_forget_a_field() -> None:
    event = registration()
    del event["email"]

    with pytest.raises(ValueError, match="email"):
        encode("PlayerRegistered", event)


def test_the_frame_is_confluents() -> None:
    assert frame(258, b"body") == b"\x00\x00\x00\x01\x02body"
    assert unframe(b"\x00\x00\x00\x01\x02body") == (258, b"body")
    assert unframe(frame(2**32 - 1, b"")) == (2**32 - 1, b"")


def test_a_message_without_a_value_is_told_as_such() -> None:
    with pytest.raises(Poison, match=r"^The message has no value\.$"):
        unframe(b"")


def widened(record: str, name: str, inner: str = "") -> dict[str, Any]:
    """The record's schema with a long where it has an int; the bytes of both are the same as far as an int goes."""
    definition = deepcopy(schema(record))
    fields = definition["fields"]
    if inner:
        fields = next(field for field in fields if field["name"] == name)["type"]["items"]["fields"]
    next(field for field in fields if field["name"] == (inner or name))["type"] = "long"
    return definition


@pytest.mark.parametrize("number", [-(2**31), -1, 2**31 - 1])
def test_an_int_of_its_32_bits_is_read(number: int) -> None:
    event = example(schema("BetPlaced")) | {"system_size": number}
    event["legs"] = [event["legs"][0] | {"leg_no": number}]

    assert decode(encode("BetPlaced", event), schema("BetPlaced")) == event


@pytest.mark.parametrize("number", [-(2**31) - 1, 2**31, 2**32 + 1])
def test_an_int_of_more_is_poison_wherever_it_stands(number: int) -> None:
    event = example(schema("BetPlaced"))
    plain = encode_as(widened("BetPlaced", "system_size"), event | {"system_size": number})
    legs = [event["legs"][0] | {"leg_no": number}]
    listed = encode_as(widened("BetPlaced", "legs", "leg_no"), event | {"legs": legs})
    born = event_with_date(number)

    for record, body in (("BetPlaced", plain), ("BetPlaced", listed), ("PlayerRegistered", born)):
        with pytest.raises(Poison, match="does not fit into 32 bits"):
            decode(body, schema(record))


def event_with_date(days: int) -> bytes:
    return encode_as(widened("PlayerRegistered", "birth_date"), registration(birth_date=days))


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01body", b'{"a": 1}'])
def test_what_is_not_framed_is_poison(value: bytes) -> None:
    with pytest.raises(Poison):
        unframe(value)


def test_both_decoders_refuse_a_body_cut_short_anywhere() -> None:
    body = encode("BetPlaced", example(schema("BetPlaced")))

    for length in range(len(body)):
        with pytest.raises(Poison):
            decode(body[:length], schema("BetPlaced"))
        with pytest.raises(Poison):
            decode_bodies([body[:length]], schema_text("BetPlaced"))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xff" * 40, id="endless number"),
        pytest.param(b"\x02\xff" + bytes(40), id="no UTF-8"),
        pytest.param(b"\x01" + bytes(40), id="negative length"),
    ],
)
def test_a_body_that_is_nonsense_is_poison(body: bytes) -> None:
    with pytest.raises(Poison):
        decode(body, schema("BonusConverted"))


def test_bytes_after_the_record_are_poison() -> None:
    body = encode("BonusConverted", example(schema("BonusConverted")))

    with pytest.raises(Poison, match="1 bytes follow the BonusConverted"):
        decode(body + b"\x00", schema("BonusConverted"))
