"""A schema taken apart: what is left of it, where its measure ends, and of which whole columns can be made."""

from typing import Any

import pytest

from backoffice.contracts.avro import is_nullable, is_plain, kind, numeric, resolved, value_type
from backoffice.kernel.errors import Poison

TIME = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
PART = {"type": "record", "name": "Part", "fields": [{"name": "no", "type": "int"}]}


def record(*types: Any, **more: Any) -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": avro} for number, avro in enumerate(types)]
    return {"type": "record", "name": "x.Probe", "fields": fields} | more


def enum(symbols: int, name: str = "Kind") -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": [f"s{number}" for number in range(symbols)]}


def types(*given: Any) -> list[Any]:
    return [field["type"] for field in resolved(record(*given))["fields"]]


def refusal(definition: Any) -> str:
    with pytest.raises(Poison) as poison:
        resolved(definition)
    return str(poison.value)


def test_nothing_but_types_and_names_is_left() -> None:
    definition = {
        "type": "record", "name": "Bet", "namespace": "x", "doc": "A bet", "aliases": ["Wager"],
        "fields": [
            {"name": "a", "type": {"type": "string", "avro.java.string": "String"}, "doc": "A text", "default": ""},
            {"name": "b", "type": TIME | {"more": 1}, "order": "ignore"},
            {"name": "c", "type": ["null", {"type": "enum", "name": "E", "symbols": ["a", "b"], "default": "a"}]},
            {"name": "d", "type": {"type": "array", "items": "E", "java-class": "List"}},
            {"name": "e", "type": {"type": "map", "values": "x.E", "more": 1}},
            {"name": "f", "type": {"type": "fixed", "name": "F", "namespace": "y", "size": 16, "logicalType": "uuid"}},
            {"name": "g", "type": {"type": "y.F"}},
        ],
    }  # fmt: skip
    kinds, sixteen = (
        {"type": "enum", "name": "x.E", "symbols": ["a", "b"]},
        {"type": "fixed", "name": "y.F", "size": 16},
    )

    assert resolved(definition) == {
        "type": "record", "name": "x.Bet", "fields": [
            {"name": "a", "type": "string"},
            {"name": "b", "type": TIME},
            {"name": "c", "type": ["null", kinds]},
            {"name": "d", "type": {"type": "array", "items": kinds}},
            {"name": "e", "type": {"type": "map", "values": kinds}},
            {"name": "f", "type": sixteen},
            {"name": "g", "type": sixteen},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("avro", "told"),
    [
        ({"type": "null", "logicalType": "x"}, "null"),
        ({"type": "long", "logicalType": 7}, "long"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4}, {"type": "bytes", "logicalType": "decimal"}),
        ({"type": "fixed", "name": "F", "size": 0}, {"type": "fixed", "name": "x.F", "size": 0}),
        ({"type": "fixed", "name": "F", "size": 2**31 - 1}, {"type": "fixed", "name": "x.F", "size": 2**31 - 1}),
        (["null"], ["null"]),
        ([{"type": "map", "values": "int"}, {"type": "array", "items": "int"}],
         [{"type": "map", "values": "int"}, {"type": "array", "items": "int"}]),
        ([PART, PART | {"name": "More"}],
         [PART | {"name": "x.Part"}, PART | {"name": "x.More"}]),
    ],
)  # fmt: skip
def test_what_is_unusual_is_taken_apart_too(avro: Any, told: Any) -> None:
    assert types(avro) == [told]


def test_a_name_belongs_to_the_namespace_around_it() -> None:
    inner = record("string", enum(1), name="y.Inner")

    found = resolved(record(inner, enum(1), "y.Kind", "Kind", "y.Inner", namespace="ignored"))

    names = [field["type"]["name"] for field in found["fields"]]
    assert names == ["y.Inner", "x.Kind", "y.Kind", "x.Kind", "y.Inner"]
    assert found["fields"][0]["type"]["fields"][1]["type"]["name"] == "y.Kind"
    assert resolved(record(enum(1), name="Probe"))["fields"][0]["type"]["name"] == "Kind"
    assert refusal(record("Part", PART)) == "The schema names the type x.Part, which it does not define."


def nested(depth: int) -> Any:
    avro: Any = "string"
    for _ in range(depth):
        avro = {"type": "map", "values": avro}
    return avro


@pytest.mark.parametrize("union", [False, True])
def test_the_deepest_schema_that_may_be(union: bool) -> None:
    def within(depth: int) -> dict[str, Any]:
        return record(["null", nested(depth - 2)] if union else nested(depth - 1))

    assert resolved(within(20))
    assert refusal(within(21)) == "The schema is nested more than 20 deep."


def test_the_largest_schema_that_may_be() -> None:
    assert len(types(*["long"] * 1_999)) == 1_999
    assert refusal(record(*["long"] * 2_000)) == "The schema has more than 2000 types."


@pytest.mark.parametrize(("more", "is_small"), [(9, True), (10, False)])
def test_a_name_counts_for_all_that_it_stands_for(more: int, is_small: bool) -> None:
    """The record has one type, what it holds first ten, and each time that is named ten again."""
    given = record(record(*["int"] * 9, name="Ten"), *["Ten"] * 198, *["long"] * more)

    if is_small:
        assert len(resolved(given)["fields"]) == 1 + 198 + more
    else:
        assert refusal(given) == "The schema has more than 2000 types."


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        (record(name="x" * 200), ""),
        (record(name="x" * 201), "The schema has a name of 201 characters."),
        (record(name="x" * 100, namespace="y" * 99), ""),
        (record(name="x" * 100, namespace="y" * 100), "The schema has a name of 201 characters."),
        ({"type": "record", "name": "R", "fields": [{"name": "f" * 200, "type": "int"}]}, ""),
        ({"type": "record", "name": "R", "fields": [{"name": "f" * 201, "type": "int"}]},
         f"The schema has the name '{'f' * 40}', which is no name in Avro."),
        (record("z" * 300), f"The schema names the type x.{'z' * 198}, which it does not define."),
        (record(name="_1"), ""),
        (record(name="x..y"), "The schema has the name '', which is no name in Avro."),
        (record(name="x.1"), "The schema has the name '1', which is no name in Avro."),
        (record(name="é"), "The schema has the name 'é', which is no name in Avro."),
    ],
)  # fmt: skip
def test_names_have_a_form_and_a_length(definition: dict[str, Any], told: str) -> None:
    if told:
        assert refusal(definition) == told
    else:
        assert resolved(definition)["type"] == "record"


@pytest.mark.parametrize("symbols", ["ab", {"a": 1}, ("a",), None, []])
def test_symbols_are_a_list(symbols: Any) -> None:
    assert refusal(record({"type": "enum", "name": "Kind", "symbols": symbols})) == (
        "The schema's type x.Kind has no symbols."
    )


@pytest.mark.parametrize("inner", [record("int"), {"type": "fixed", "name": "x.Probe", "size": 1}])
def test_a_type_is_not_defined_inside_itself(inner: dict[str, Any]) -> None:
    assert refusal(record(inner)) == "The schema defines the type x.Probe twice."


@pytest.mark.parametrize(
    "items",
    [
        "int", ["null", "int"], {"type": "fixed", "name": "F", "size": 1}, enum(1),
        {"type": "array", "items": "int"}, {"type": "map", "values": "null"}, record("null", "int", name="Inner"),
        record(["null"], name="Inner"),
    ],
)  # fmt: skip
def test_a_list_of_what_has_a_length_may_be(items: Any) -> None:
    assert types({"type": "array", "items": items})[0]["type"] == "array"


@pytest.mark.parametrize(
    "items",
    ["null", {"type": "fixed", "name": "F", "size": 0}, record("null", record("null", name="B"), name="A"), record()],
)
def test_a_list_of_what_has_none_could_hold_any_number(items: Any) -> None:
    assert "a list of elements of no length" in refusal(record({"type": "array", "items": items}, name="Outer"))


def test_without_logical_types_all_is_numbers() -> None:
    inner = {"type": "record", "name": "Part", "fields": [{"name": "logicalType", "type": DATE}]}
    plain = resolved(record(TIME, ["null", DATE], {"type": "array", "items": inner}, {"type": "map", "values": TIME},
                            enum(2), "string", {"type": "fixed", "name": "F", "size": 3}))  # fmt: skip

    assert numeric(plain) == resolved(
        record(
            "long", ["null", "int"],
            {"type": "array", "items": inner | {"fields": [{"name": "logicalType", "type": "int"}]}},
            {"type": "map", "values": "long"}, enum(2), "string", {"type": "fixed", "name": "F", "size": 3},
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("avro", "value", "nullable", "called"),
    [
        ("long", "long", False, "long"),
        (["null", "long"], "long", True, "null or long"),
        ([TIME, "null"], TIME, True, "long (timestamp-micros) or null"),
        (["int", "long"], "int", False, "int or long"),
        (["null"], "null", True, "null"),
        ([], "null", False, "nothing"),
        (DATE, DATE, False, "int (date)"),
        (PART, PART, False, "record"),
    ],
)
def test_what_a_type_is_and_is_called(avro: Any, value: Any, nullable: bool, called: str) -> None:
    assert (value_type(avro), is_nullable(avro), kind(avro)) == (value, nullable, called)


def listed(*inner: Any, name: str = "Item") -> dict[str, Any]:
    return {"type": "array", "items": record(*inner, name=name)}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (["string", "int", "long", "boolean", "double", TIME, DATE], True),
        ([["null", "string"], ["long", "null"], ["null", TIME]], True),
        ([enum(64)], True), ([enum(65)], False), ([["null", enum(64)]], True), ([["null", enum(65)]], False),
        ([enum(2), enum(2, "Other")], True), ([enum(2), "Kind"], False), ([enum(2), ["null", "Kind"]], False),
        ([listed("int", ["null", "string"], TIME)], True), ([listed("int"), listed("long", name="Other")], True),
        ([listed("int"), {"type": "array", "items": "Item"}], False),
        ([listed(enum(2)), "Kind"], False), ([listed(enum(2)), enum(2, "Other")], True),
        ([listed(enum(65))], False), ([listed("float")], False), ([listed(listed("int", name="Inner"))], False),
        ([["null", listed("int")]], False), ([{"type": "array", "items": "int"}], False),
        ([{"type": "array", "items": enum(2)}], False),
        ([record("int", name="Inner")], False), ([{"type": "map", "values": "int"}], False),
        (["null"], False), ([["null"]], False), ([["int", "long"]], False), ([["null", "int", "long"]], False),
        (["bytes"], False), (["float"], False), ([{"type": "string", "logicalType": "uuid"}], False),
        ([{"type": "long", "logicalType": "timestamp-millis"}], False), ([], True),
        ([{"type": "fixed", "name": "F", "size": 2}], False),
    ],
)  # fmt: skip
def test_of_which_schemas_whole_columns_can_be_made(given: list[Any], plain: bool) -> None:
    assert is_plain(resolved(record(*given))) is plain


@pytest.mark.parametrize("definition", [None, [], "string", {}, {"type": "enum"}, {"type": ["record"]}])
def test_only_a_record_is_one(definition: Any) -> None:
    assert refusal(definition) == "The schema is no Avro record."
