"""Whose schema counts as ours: what a writer may do differently, and the sentence for what it may not."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from backoffice.contracts.codec import encode, frame
from backoffice.contracts.columns import align, decode_bodies
from backoffice.contracts.definitions import canonical, schema
from backoffice.contracts.writers import DEEPEST, LARGEST, Writer, writer_of
from backoffice.kernel.errors import Poison
from tests.contracts.changes import field, without
from tests.streams.arriving import event_of

Change = Callable[[dict[str, Any]], object]
MEND = "its producer has to write by the schema of our contract."


def refusal(change: Change, record: str = "BetPlaced") -> str:
    definition = copy.deepcopy(schema(record))
    change(definition)
    return Writer(record, definition).refusal


def sets(name: str, avro: Any) -> Change:
    return lambda definition: field(definition, name).update(type=avro)


def adds(avro: Any) -> Change:
    return lambda definition: definition["fields"].append({"name": "more", "type": avro})


def leg(definition: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = field(definition, "legs")["type"]["items"]
    return item


TIME = {"type": "long", "logicalType": "timestamp-micros"}
KIND = {"type": "enum", "name": "Kind", "symbols": ["single", "multiple", "system"]}
LIST = {"type": "array", "items": {"type": "record", "name": "Part", "fields": [{"name": "no", "type": "int"}]}}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: None, id="as it is"),
        pytest.param(lambda d: without(d, "bonus_id"), id="older, without what has a default"),
        pytest.param(lambda d: d["fields"].reverse(), id="another order"),
        pytest.param(lambda d: leg(d)["fields"].reverse(), id="another order in a list"),
        pytest.param(lambda d: field(d, "bonus_id").update(type="string", default=""), id="never empty"),
        pytest.param(lambda d: field(d, "bonus_id").update(type=["string", "null"]), id="the other way round"),
        pytest.param(lambda d: field(d, "kind").update(type=KIND), id="an enum for a text"),
        pytest.param(lambda d: field(d, "bonus_id").update(type=["null", KIND]), id="an enum for a text or nothing"),
        pytest.param(lambda d: field(d, "stake").update(minimum=5, doc="Otherwise", color="red"), id="attributes"),
        pytest.param(sets("channel", {"type": "string", "avro.java.string": "String"}), id="attributes of a type"),
        pytest.param(lambda d: d.update(name="pitboss.BetPlaced", namespace="x"), id="a full name"),
        *[
            pytest.param(adds(avro), id=f"newer, with {json.dumps(avro)[:40]}")
            for avro in (
                "string", "null", "bytes", "float", ["null", "int"], ["string", "long", "null"], KIND, TIME,
                {"type": "map", "values": "string"}, {"type": "array", "items": "double"},
                {"type": "fixed", "name": "Sum", "size": 16}, {"type": "bytes", "logicalType": "decimal"},
                {"type": "string", "logicalType": "uuid"}, {"type": "array", "items": "pitboss.BetLeg"},
                {"type": "array", "items": {"type": "map", "values": {"type": "array", "items": "long"}}},
            )
        ],
        pytest.param(lambda d: leg(d)["fields"].append({"name": "more", "type": "bytes"}), id="newer inside a list"),
    ],
)  # fmt: skip
def test_what_a_writer_may_do_differently(change: Change) -> None:
    assert refusal(change) == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (sets("stake", "double"), f"BetPlaced.stake is double in the schema of its writer and long in ours; {MEND}"),
        (sets("stake", "string"), "BetPlaced.stake is string in the schema of its writer and long in ours"),
        (sets("stake", "int"), "BetPlaced.stake is int in"),
        (sets("stake", ["null", "long"]), "BetPlaced.stake is null or long in the schema of its writer and long in"),
        (sets("stake", ["long"]), "BetPlaced.stake is long in"),
        (sets("stake", {"type": "bytes", "logicalType": "decimal"}), "BetPlaced.stake is bytes (decimal) in"),
        (sets("stake", {"type": "long", "logicalType": "minor-units"}), "BetPlaced.stake is long (minor-units) in"),
        (sets("stake", KIND), "BetPlaced.stake is enum in"),
        (sets("system_size", "long"), "BetPlaced.system_size is long in"),
        (sets("occurred_at", "long"), "BetPlaced.occurred_at is long in the schema of its writer and long (timestamp-"),
        (sets("occurred_at", TIME | {"logicalType": "timestamp-millis"}), "occurred_at is long (timestamp-millis) in"),
        (sets("bonus_id", "long"), "BetPlaced.bonus_id is long in the schema of its writer and null or string in ours"),
        (sets("bonus_id", ["null", "long"]), "BetPlaced.bonus_id is null or long in"),
        (sets("bonus_id", ["null", "string", "long"]), "BetPlaced.bonus_id is null or string or long in"),
        (sets("bonus_id", "null"), "BetPlaced.bonus_id is null in"),
        (sets("legs", {"type": "map", "values": "string"}), "BetPlaced.legs is map in the schema of its writer and ar"),
        (sets("legs", {"type": "array", "items": "string"}), "BetPlaced.legs is array in"),
        (sets("legs", ["null", {"type": "array", "items": "string"}]), "BetPlaced.legs is null or array in"),
        (lambda d: field(d, "legs").update(type=leg(d)), "BetPlaced.legs is record in"),
        (sets("channel", LIST), "BetPlaced.channel is array in the schema of its writer and string in ours"),
        (
            sets("occurred_at", LIST),
            "BetPlaced.occurred_at is array in the schema of its writer and long (timestamp-mi",
        ),
        (lambda d: without(d, "stake"), "has no stake, and it has no default (BetPlaced.stake)"),
        (lambda d: without(d, "legs"), "has no legs, and it has no default (BetPlaced.legs)"),
        (lambda d: leg(d)["fields"].pop(5), "has no odds, and it has no default (BetLeg.odds)"),
        (lambda d: field(leg(d), "odds").update(type="double"), "BetLeg.odds is double in"),
        (lambda d: leg(d).update(name="Ticket"), "is pitboss.Ticket, which is not our pitboss.BetLeg"),
        (lambda d: d.update(namespace="com.other.vendor"), "is com.other.vendor.BetPlaced, which is not our pitboss.B"),
        (lambda d: d.pop("namespace"), "The record of its schema is BetPlaced, which is not our pitboss.BetPlaced"),
    ],
)
def test_what_a_writer_may_not(change: Change, sentence: str) -> None:
    assert sentence in refusal(change)


def test_whole_messages_are_read_with_their_frame() -> None:
    body, writer = encode("BetPlaced", event_of("BetPlaced")), Writer("BetPlaced", schema("BetPlaced"))

    framed = decode_bodies([frame(7, body), frame(2**32 - 1, body)], writer.framed_text)

    alone = decode_bodies([body, body], canonical(writer.schema))
    assert align(framed, writer.schema).to_pydict() == alone.to_pydict()
    assert [item["name"] for item in writer.framed["fields"][2:]] == [item["name"] for item in writer.schema["fields"]]


def test_a_record_that_we_do_not_have_is_refused() -> None:
    foreign = {"type": "record", "name": "pitboss.BetForgotten", "fields": []}

    assert Writer("BetForgotten", foreign).refusal == f"BetForgotten is no record of the platform; {MEND}"


def nested(depth: int) -> Any:
    avro: Any = "string"
    for _ in range(depth):
        avro = {"type": "array", "items": avro}
    return avro


def laughs(rows: int) -> list[dict[str, Any]]:
    """Ten times the record before, again and again."""
    records: list[Any] = ["string"]
    for row in range(rows):
        inner = [{"name": f"f{n}", "type": records[-1] if not n else _name(row)} for n in range(10)]
        records.append({"type": "record", "name": f"L{row}", "fields": inner})
    return [{"name": "more", "type": records[-1]}]


def _name(row: int) -> str:
    return f"pitboss.L{row - 1}" if row else "string"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.update(type="enum", symbols=["A"]), "is no Avro record"),
        (lambda d: d.update(fields=None), "pitboss.BetPlaced has no fields"),
        (lambda d: d.update(fields=["stake"]), "pitboss.BetPlaced has no fields"),
        (lambda d: d["fields"].append(d["fields"][0]), "has two fields of one name"),
        (lambda d: d["fields"].append({"type": "long"}), "has the name 'None', which is no name in Avro"),
        (lambda d: field(d, "stake").update(name="st ake"), "has the name 'st ake'"),
        (lambda d: field(d, "stake").update(name="1stake"), "has the name '1stake'"),
        (lambda d: field(d, "stake").update(name="stake\n"), "which is no name in Avro"),
        (lambda d: field(d, "stake").update(name="s" * 201), "which is no name in Avro"),
        (lambda d: d.update(name="Bet Placed"), "has the name 'Bet Placed'"),
        (lambda d: d.update(name="n" * 120, namespace="s" * 120), "has a name of 241 characters"),
        (lambda d: d.update(namespace=7), "has a type without a name"),
        (lambda d: d.update(name=None), "has a type without a name"),
        (adds("money"), "names the type pitboss.money, which it does not define"),
        (adds({"type": "money"}), "names the type pitboss.money, which it does not define"),
        (adds("pitboss.BetPlaced"), "pitboss.BetPlaced holds itself"),
        (adds({"type": "array", "items": "BetPlaced"}), "pitboss.BetPlaced holds itself"),
        (adds(None), "has a type that is none of Avro's"),
        (adds(7), "has a type that is none of Avro's"),
        (adds({"type": {"type": "long"}}), "has a type that is none of Avro's"),
        (adds({"items": "long"}), "has a type that is none of Avro's"),
        (adds({"type": "array"}), "has a type that is none of Avro's"),
        (adds({"type": "map"}), "has a type that is none of Avro's"),
        (adds([]), "has a union of unions, of nothing, or of one type twice"),
        (adds(["null", ["null", "long"]]), "has a union of unions"),
        (adds(["null", "long", "long"]), "or of one type twice"),
        (adds([{"type": "array", "items": "long"}, {"type": "array", "items": "int"}]), "or of one type twice"),
        (adds({"type": "enum", "name": "E"}), "pitboss.E has no symbols"),
        (adds({"type": "enum", "name": "E", "symbols": []}), "pitboss.E has no symbols"),
        (adds({"type": "enum", "name": "E", "symbols": ["a", "a"]}), "pitboss.E has one symbol twice"),
        (adds({"type": "enum", "name": "E", "symbols": ["a b"]}), "has the name 'a b'"),
        (adds({"type": "fixed", "name": "F"}), "pitboss.F has no size"),
        (adds({"type": "fixed", "name": "F", "size": -1}), "pitboss.F has no size"),
        (adds({"type": "fixed", "name": "F", "size": True}), "pitboss.F has no size"),
        (adds({"type": "fixed", "name": "F", "size": 2**31}), "pitboss.F has no size"),
        (adds({"type": "fixed", "name": "BetLeg", "size": 1}), "defines the type pitboss.BetLeg twice"),
        (adds({"type": "array", "items": "null"}), "has a list of elements of no length"),
        (adds({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}), "list of elements of no length"),
        (adds({"type": "array", "items": {"type": "record", "name": "N", "fields": []}}), "elements of no length"),
        (
            adds({"type": "array", "items": {"type": "record", "name": "N", "fields": [
                {"name": "a", "type": {"type": "null", "logicalType": "x"}}, {"name": "b", "type": "null"}]}}),
            "elements of no length",
        ),
        (adds(nested(1_000)), "is nested more than 20 deep"),
        (adds(nested(20)), "is nested more than 20 deep"),
        (lambda d: d.update(fields=d["fields"] + laughs(12)), "has more than 2000 types"),
        (lambda d: d["fields"].extend({"name": f"f{n}", "type": "long"} for n in range(2_000)), "more than 2000 types"),
    ],
)  # fmt: skip
def test_a_schema_that_is_none_or_hostile_is_refused(change: Change, sentence: str) -> None:
    assert sentence in refusal(change)


def test_what_is_large_or_deep_within_measure_is_not_hostile() -> None:
    assert refusal(adds(nested(18))) == ""
    assert refusal(lambda d: d["fields"].extend({"name": f"f{n}", "type": "long"} for n in range(1_900))) == ""
    assert refusal(lambda d: d.update(fields=d["fields"] + laughs(2))) == ""


def test_a_name_may_be_used_again_once_it_is_defined() -> None:
    def change(definition: dict[str, Any]) -> None:
        adds({"type": "record", "name": "Place", "fields": [{"name": "x", "type": "int"}]})(definition)
        definition["fields"].append({"name": "again", "type": {"type": "Place"}})
        definition["fields"].append({"name": "once_more", "type": ["null", "pitboss.Place"]})

    assert refusal(change) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "schema id 7 is no Avro record"),
        ("", "is no Avro record"),
        ("{", "is no Avro record"),
        ('"string"', "is no Avro record"),
        ("[]", "is no Avro record"),
        ("{}", "is no Avro record"),
        ('{"name": 7}', "is no Avro record"),
        ('syntax = "proto3"; message BetPlaced {}', "is no Avro record"),
        ("[" * 100_000, "is no Avro record"),
        ('{"name":' * 2_000, "is no Avro record"),
        ('{"name": "x", "doc": "' + "x" * 10_000_000 + '"}', "schema id 7 has 10,000,024 characters; a schema has at"),
    ],
)
def test_a_text_that_is_no_record_is_poison(text: str | None, sentence: str) -> None:
    with pytest.raises(Poison, match=sentence):
        writer_of(7, text)


def deep(levels: int) -> str:
    """A record's text with a list in so many lists; the text around them is one level."""
    return '{"name": "BetPlaced", "more": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_a_text_is_nested_only_so_deep() -> None:
    assert writer_of(7, deep(DEEPEST)).record == "BetPlaced"
    with pytest.raises(Poison, match="schema id 7 is nested more than 100 deep"):
        writer_of(7, deep(DEEPEST + 1).replace("[]", "[7]"))


def test_a_text_at_its_limit_is_read() -> None:
    text = canonical(schema("BetPlaced"))

    assert writer_of(7, text + " " * (LARGEST - len(text))) == Writer("BetPlaced", schema("BetPlaced"))


@pytest.mark.parametrize("text", ['{"name": "pitboss.BetPlaced", "type": "object"}', '{"name": "a.b.BetPlaced"}'])
def test_a_json_schema_is_no_writer_of_ours(text: str) -> None:
    writer = writer_of(7, text)

    assert writer.record == "BetPlaced"
    assert writer.refusal == "The schema is no Avro record."
