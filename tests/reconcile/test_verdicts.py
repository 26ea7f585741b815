"""What the streams store and what reconcile reads is the same, message by message; so is what neither takes."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, encode_as, frame
from backoffice.contracts.definitions import schema
from backoffice.kernel.errors import Poison
from backoffice.reconcile.messages.reading import Readers
from tests.chaos.decoders import AllWriters, Report, compare, run
from tests.chaos.twisting import Twister, event_like, spoilt
from tests.contracts.changes import field
from tests.streams.arriving import RECORDS, KnownWriters, batch_of, decoded, event_of, message

WRITERS = AllWriters()
LONG_AGO = -9_223_372_036_854_775_808
KIND = {"type": "enum", "name": "Kind", "symbols": ["single", "multiple", "system"]}
LEGS = {"type": "map", "values": "string"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}


def outcomes(*names: str) -> list[dict[str, Any]]:
    usual = event_of("MarketUpdate")["outcomes"][0]
    return [usual | {"outcome_id": "7", "name": name} for name in names]


def refused(record: str, value: bytes, writers: KnownWriters) -> tuple[str, str]:
    """Why the streams and reconcile refuse a message; that the ones before and behind it are stored is asserted."""
    good = message(record, event_of(record))
    result = decoded(batch_of(topic_of(record), [good, value, good]), writers)

    assert list(result.dead) == [1]
    assert result.tables[record]["row"].to_pylist() == [0, 2]
    with pytest.raises(Poison) as poison:
        Readers(writers).event(value)
    return result.dead[1].reason, str(poison.value)


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        ("SelfExclusionChanged", "ends_at", LONG_AGO),
        ("SelfExclusionChanged", "ends_at", 253_402_318_799_000_000),
        ("SelfExclusionChanged", "ends_at", 2**63 - 1),
        ("SelfExclusionChanged", "ends_at", -68_500_000_000_000_000),
        ("SelfExclusionChanged", "starts_at", -(2**62)),
        ("MarketUpdate", "starts_at", 253_402_300_800_000_000),
        ("PlayerRegistered", "birth_date", 2_932_897),
        ("PlayerRegistered", "birth_date", -25_568),
        ("DocumentSubmitted", "expires_on", -(2**31)),
        ("DocumentSubmitted", "expires_on", 2**31 - 1),
        ("MarketUpdate", "version", 2**53),
        ("MarketPrice", "version", 2**63 - 1),
        ("BetPlaced", "occurred_at", LONG_AGO),
        ("BetPlaced", "occurred_at", 2**63 - 1),
        ("BetPlaced", "stake", 2**63 - 1),
    ],
)
def test_what_cannot_be_held_is_one_dead_letter(record: str, name: str, value: int) -> None:
    stream, reconcile = refused(record, message(record, event_of(record, **{name: value})), KnownWriters())

    assert f"{record}.{name}" in stream
    assert reconcile.startswith(f"{name} does not lie within ")


@pytest.mark.parametrize(
    ("name", "avro", "value", "sentence"),
    [
        ("stake", "double", 10.5, "BetPlaced.stake is double in the schema of its writer and long in ours"),
        ("stake", "double", 1000.0, "BetPlaced.stake is double"),
        ("stake", ["null", "long"], None, "BetPlaced.stake is null or long"),
        ("stake", ["null", "long"], 500, "BetPlaced.stake is null or long"),
        ("stake", "string", "10.50", "BetPlaced.stake is string"),
        ("stake", DECIMAL, b"\x04\x1a", "BetPlaced.stake is bytes (decimal)"),
        ("legs", LEGS, {"a": "b"}, "BetPlaced.legs is map"),
        ("occurred_at", "string", "2026-01-15T12:00:00Z", "BetPlaced.occurred_at is string"),
    ],
)
def test_a_writer_with_a_schema_of_its_own_is_refused(name: str, avro: Any, value: Any, sentence: str) -> None:
    definition, writers = copy.deepcopy(schema("BetPlaced")), KnownWriters()
    field(definition, name).update(type=avro)
    bad = writers.message(definition, event_of("BetPlaced", **{name: value}))

    stream, reconcile = refused("BetPlaced", bad, writers)

    assert stream == reconcile
    assert stream.startswith(sentence)


def test_a_writer_of_another_namespace_is_refused() -> None:
    writers = KnownWriters()
    foreign = schema("BetPlaced") | {"namespace": "com.other.vendor"}

    stream, reconcile = refused("BetPlaced", writers.message(foreign, event_of("BetPlaced")), writers)

    assert stream == reconcile
    assert "com.other.vendor.BetPlaced, which is not our pitboss.BetPlaced" in stream


def test_an_enum_for_a_text_is_stored() -> None:
    definition, writers = copy.deepcopy(schema("BetPlaced")), KnownWriters()
    field(definition, "kind").update(type=KIND)
    value = writers.message(definition, event_of("BetPlaced", kind="multiple"))

    result = decoded(batch_of("bet-events", [value]), writers)

    assert result.tables["BetPlaced"]["kind"].to_pylist() == ["multiple"]
    assert Readers(writers).event(value)[1]["kind"] == "multiple"


@pytest.mark.parametrize(
    ("record", "change", "told"),
    [
        ("MarketUpdate", {"outcomes": outcomes("first", "second")}, "outcome_id '7' is named twice"),
        ("MarketPrice", {"prices": [event_of("MarketPrice")["prices"][0]] * 2}, "is named twice"),
        ("BetPlaced", {"legs": [event_of("BetPlaced")["legs"][0]] * 2}, "leg_no 1 is named twice"),
        ("BetSettled", {"legs": [event_of("BetSettled")["legs"][0]] * 2}, "leg_no 1 is named twice"),
        ("BetPlaced", {"legs": []}, "legs is empty; it has at least 1 (BetPlaced.legs)"),
    ],
)
def test_a_list_that_tells_nothing_apart_is_one_dead_letter(record: str, change: dict[str, Any], told: str) -> None:
    stream, reconcile = refused(record, message(record, event_of(record, **change)), KnownWriters())

    assert told in stream
    assert "twice" in reconcile or "has 0 elements; it has at least 1" in reconcile


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda body: body + b"\x00\x01garbage", id="trailing bytes"),
        pytest.param(lambda _: encode_as(newer(), event_of("BetPlaced", shop="Sliema")), id="a newer body"),
        pytest.param(lambda body: body.replace(b"web", b"w\xffb"), id="no UTF-8"),
        pytest.param(lambda body: body[:1] + b"\x80" + body[1:], id="shifted"),
        pytest.param(lambda body: body[:-1], id="cut short"),
        pytest.param(lambda _: b"", id="nothing"),
    ],
)
def test_a_body_that_its_schema_does_not_tell_is_one_dead_letter(body: Callable[[bytes], bytes]) -> None:
    bad = body(encode("BetPlaced", event_of("BetPlaced", channel="web-shop")))
    schema_id = int.from_bytes(message("BetPlaced", event_of("BetPlaced"))[1:5], "big")

    refused("BetPlaced", frame(schema_id, bad), KnownWriters())


def newer() -> dict[str, Any]:
    definition = copy.deepcopy(schema("BetPlaced"))
    definition["fields"].append({"name": "shop", "type": "string", "default": ""})
    return definition


edits = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 8), st.binary(max_size=6)), min_size=1, max_size=4
)  # fmt: skip


def agree(record: str, values: list[bytes]) -> None:
    report = Report()
    compare(topic_of(record), values, WRITERS, Readers(WRITERS), report)
    assert not report.differences, "\n".join(report.differences)


@settings(max_examples=150)
@given(st.sampled_from(RECORDS), st.lists(edits, min_size=1, max_size=8), st.integers(0, 9))
def test_both_agree_on_edited_bytes(record: str, changes: list[list[tuple[int, int, bytes]]], writer: int) -> None:
    """Of the example of every record, by any of its writers: bytes replaced by others."""
    known = WRITERS.of[record]
    values = []
    for edited in changes:
        body = bytearray(encode(record, event_of(record)))
        for at, length, octets in edited:
            body[at : at + length] = octets
        values.append(frame(known[writer % len(known)], bytes(body)))
    agree(record, values)


@settings(max_examples=100)
@given(st.sampled_from(RECORDS), st.integers(0, 2**32), st.sampled_from([0.01, 0.05, 0.3]), st.booleans())
def test_both_agree_on_avro_that_is_written_oddly(record: str, seed: int, share: float, is_spoilt: bool) -> None:
    rng = random.Random(seed)
    values = []
    for schema_id in WRITERS.of[record]:
        definition = WRITERS.writer(schema_id).numeric
        body = Twister(rng, share).body(definition, event_like(definition, record, rng))
        values.append(frame(schema_id, spoilt(body, rng) if is_spoilt else body))
    agree(record, values)


def test_both_agree_on_some_thousand_messages_of_every_topic() -> None:
    report = run(seed=1, count=4_000)

    assert report.differing == 0, str(report)
    assert report.stored > report.messages / 10
