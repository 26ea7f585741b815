"""Bodies in, columns out: ids, older and newer writers, what cannot be read."""

import copy
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.contracts.avro import DATE, TIME
from backoffice.contracts.codec import encode, encode_as
from backoffice.contracts.columns import (
    align,
    arrow_type,
    decode_bodies,
    empty,
    exploded,
    framed,
    longest,
    parse_ids,
)
from backoffice.contracts.definitions import canonical, schema
from backoffice.kernel.errors import Poison
from tests.streams.arriving import RECORDS, arrived, event_of

HEX = "0123456789abcdefABCDEF-"
BET = "01890a5d-ac96-774b-bcce-b302099a8057"


def as_uuid(text: str | None) -> bytes | None:
    """The bytes of a UUID in its one written form: 8-4-4-4-12 digits of either case."""
    if text is None or len(text) != 36 or not text.isascii() or [text[at] for at in (8, 13, 18, 23)] != ["-"] * 4:
        return None
    digits = text.replace("-", "")
    if len(digits) != 32 or not all(digit in HEX for digit in digits):
        return None
    return UUID(text).bytes


texts = st.one_of(
    st.none(),
    st.uuids().map(str),
    st.uuids().map(lambda value: str(value).upper()),
    st.uuids().map(lambda value: value.hex),
    st.text(max_size=40),
    st.text(HEX, min_size=36, max_size=36),
    st.tuples(st.uuids(), st.integers(0, 35), st.sampled_from("g- \0é/:@`G")).map(
        lambda drawn: str(drawn[0])[: drawn[1]] + drawn[2] + str(drawn[0])[drawn[1] + 1 :]
    ),
)


@given(st.lists(texts, max_size=12), st.integers(0, 4), st.integers(0, 12))
def test_ids_are_read_as_the_standard_library_reads_them(given_texts: list[str | None], start: int, count: int) -> None:
    column = pa.array(given_texts, pa.string()).slice(start, count)
    expected = [as_uuid(text) for text in column.to_pylist()]

    ids, bad = parse_ids(column)

    assert bad.tolist() == [
        text is not None and octets is None for text, octets in zip(column.to_pylist(), expected, strict=True)
    ]
    assert ids.to_pylist() == expected


@pytest.mark.parametrize("column", [pa.array([], pa.string()), pa.array([None], pa.string()), pa.nulls(3, pa.string())])
def test_no_ids_at_all_are_fine(column: pa.Array) -> None:
    ids, bad = parse_ids(column)

    assert ids.to_pylist() == column.to_pylist()
    assert not bad.any()


@pytest.mark.parametrize("record", RECORDS)
def test_the_current_schema_needs_no_alignment(record: str) -> None:
    batch = decode_bodies([encode(record, event_of(record))] * 2, canonical(schema(record)))

    assert align(batch, schema(record)).to_pydict() == batch.to_pydict()


def changed(record: str) -> dict[str, Any]:
    return copy.deepcopy(schema(record))


def read(writer: dict[str, Any], event: dict[str, Any]) -> list[dict[str, Any]]:
    written = {field["name"]: event[field["name"]] for field in writer["fields"]}
    batch = decode_bodies([encode_as(writer, written)] * 2, canonical(writer))
    found: list[dict[str, Any]] = align(batch, schema(writer["name"])).to_pylist()
    return found


def test_an_older_writer_without_a_field_gets_its_default() -> None:
    writer = changed("BetPlaced")
    writer["fields"] = [field for field in writer["fields"] if field["name"] != "bonus_id"]
    event = event_of("BetPlaced", bet_id=BET)

    found = read(writer, event)

    assert [row["bonus_id"] for row in found] == [None, None]
    assert [row["bet_id"] for row in found] == [BET, BET]
    assert list(found[0]) == [field["name"] for field in schema("BetPlaced")["fields"]]


def test_a_newer_writer_with_another_field_and_order_is_read_by_name() -> None:
    writer = changed("BetPlaced")
    writer["fields"] = [{"name": "shop", "type": "string", "default": ""}, *reversed(writer["fields"])]
    event = event_of("BetPlaced", stake=4_711, shop="Sliema")

    found = read(writer, event)

    assert [row["stake"] for row in found] == [4_711, 4_711]
    assert "shop" not in found[0]


def test_fields_inside_a_list_are_read_by_name_too() -> None:
    """Newer writers add a field to the legs, and their legs have another order."""
    writer = changed("BetPlaced")
    leg = writer["fields"][-1]["type"]["items"]
    leg["fields"] = [{"name": "banker", "type": "boolean", "default": False}, *reversed(leg["fields"])]
    event = event_of("BetPlaced")
    event["legs"] = [dict(part, banker=True) for part in event["legs"]]

    found = read(writer, event)

    assert [row["legs"] for row in found] == [event_of("BetPlaced")["legs"]] * 2


def test_a_field_without_default_that_the_writer_lacks_is_poison() -> None:
    writer = changed("BetPlaced")
    writer["fields"] = [field for field in writer["fields"] if field["name"] != "stake"]

    with pytest.raises(Poison, match="no stake"):
        read(writer, event_of("BetPlaced"))


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 3), st.integers(0, 6))
def test_a_slice_of_older_lists_is_aligned_like_the_whole(sizes: list[int], start: int, count: int) -> None:
    leg = event_of("BetPlaced")["legs"][0]
    legs = [[dict(leg, leg_no=10 * row + number) for number in range(size)] for row, size in enumerate(sizes)]
    without = [{name: value for name, value in part.items() if name != "sport"} for part in (leg,)]
    kind = pa.list_(pa.struct([(name, pa.array([value]).type) for name, value in without[0].items()]))
    column = pa.array([[{n: v for n, v in part.items() if n != "sport"} for part in of] for of in legs], kind)
    reader = changed("BetPlaced")
    reader["fields"] = [reader["fields"][-1]]
    sport = reader["fields"][0]["type"]["items"]["fields"][1]
    assert sport["name"] == "sport"
    sport["default"] = "unknown"

    found = align(pa.RecordBatch.from_arrays([column], names=["legs"]).slice(start, count), reader)

    expected = [[dict(part, sport="unknown") for part in of] for of in legs][start : start + count]
    assert found.to_pydict() == {"legs": expected}


@pytest.mark.parametrize("record", ["BetPlaced", "PlayerRegistered", "MarketUpdate", "BalanceAdjusted"])
def test_a_body_cut_short_anywhere_is_poison(record: str) -> None:
    body = encode(record, event_of(record))
    for length in range(len(body)):
        with pytest.raises(Poison, match="The body is cut short or is not the Avro record that its schema id promises"):
            decode_bodies([body, body[:length]], canonical(schema(record)))


def test_a_text_that_is_no_utf8_is_poison() -> None:
    body = encode("BalanceAdjusted", event_of("BalanceAdjusted", actor="staff-0815")).replace(b"staff", b"st\xff\xfef")

    with pytest.raises(Poison, match="UTF-8"):
        decode_bodies([body], canonical(schema("BalanceAdjusted")))


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=3), st.sampled_from(["BetPlaced", "MarketUpdate"]))
def test_junk_is_poison_or_a_whole_record_but_never_a_crash(bodies: list[bytes], record: str) -> None:
    try:
        batch = decode_bodies(bodies, canonical(schema(record)))
    except Poison:
        return
    assert batch.num_rows == len(bodies)
    assert batch.to_pylist()


def test_exploded_gives_each_element_with_what_is_kept_of_its_event() -> None:
    prices = event_of("MarketPrice")["prices"]
    one, none, two = prices[:1], list[dict[str, Any]](), [dict(price, odds=3_000) for price in prices]
    events = arrived(
        "MarketPrice", {"prices": one, "version": 1}, {"prices": none, "version": 2}, {"prices": two, "version": 3}
    )

    found = exploded(events, "prices", keep=("version",))

    assert [(row.pop("version"), row) for row in found.to_pylist()] == [(1, one[0]), (3, two[0]), (3, two[1])]


def test_exploded_of_a_slice_is_the_slice_of_exploded() -> None:
    prices = event_of("MarketPrice")["prices"]
    events = arrived("MarketPrice", *({"prices": prices[:size], "version": 1 + size} for size in (2, 1, 0, 2)))

    found = exploded(events.slice(1, 3), "prices", keep=("version",))

    names = [price["outcome_id"] for price in prices]
    assert found["version"].to_pylist() == [2, 3, 3]
    assert found["outcome_id"].to_pylist() == [names[0], names[0], names[1]]


PART = {"type": "record", "name": "Part", "fields": [{"name": "no", "type": "int"}, {"name": "at", "type": "float"}]}
PARTS = pa.list_(pa.struct([("no", pa.int32()), ("at", pa.float32())]))


@pytest.mark.parametrize(
    ("avro", "column"),
    [
        ("string", pa.string()), ("int", pa.int32()), ("long", pa.int64()), ("boolean", pa.bool_()),
        ("double", pa.float64()), (TIME, pa.timestamp("us")), (DATE, pa.date32()), (["null", DATE], pa.date32()),
        (["long", "null"], pa.int64()), ({"type": "array", "items": PART}, PARTS),
    ],
)  # fmt: skip
def test_every_type_that_contracts_may_use_has_a_column_type(avro: Any, column: pa.DataType) -> None:
    reader = {"fields": [{"name": "it", "type": avro}]}

    assert arrow_type(avro) == column
    assert empty(reader).schema == pa.schema([("it", column)])


def test_of_no_event_there_are_all_columns() -> None:
    for record in RECORDS:
        nothing = empty(schema(record))
        assert nothing.num_rows == 0
        assert nothing.schema.names == [field["name"] for field in schema(record)["fields"]]


def test_the_octets_of_the_longest_text_in_a_slice() -> None:
    texts = pa.array(["aaaaaa", "", "é", "bbb", "cccccccc"])

    assert longest(texts) == 8
    assert longest(texts.slice(1, 3)) == 3
    assert longest(texts.slice(1, 2)) == 2
    assert longest(texts.slice(1, 0)) == 0


def test_what_is_no_record_has_no_frame() -> None:
    with pytest.raises(Poison, match=r"Schema Kind is no Avro record\."):
        framed({"type": "enum", "name": "Kind", "symbols": ["a"]})


class PanicException(BaseException):
    """What a panic of the decoder arrives as; its class cannot be imported."""


@pytest.mark.parametrize(("raised", "told"), [(PanicException, Poison), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_panic_of_the_decoder_is_the_fault_of_a_body_and_an_interrupt_is_not(
    monkeypatch: pytest.MonkeyPatch, raised: type[BaseException], told: type[BaseException]
) -> None:
    def panics(*_: Any) -> None:
        raise raised("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr("pyruhvro.deserialize_array", panics)

    with pytest.raises(told):
        decode_bodies([encode("BetPlaced", event_of("BetPlaced"))], canonical(schema("BetPlaced")))
