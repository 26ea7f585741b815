import copy
from typing import Any

import pytest

from backoffice.contracts.compatibility import breaks

from .changes import BASE, TRIALS, Trial, field


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_change_is_judged_as_a_rebuild_would(trial: Trial) -> None:
    assert (not breaks(trial.result(), BASE)) == trial.we_take


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_judging_changes_neither_version(trial: Trial) -> None:
    new, old = trial.result(), copy.deepcopy(BASE)
    before = copy.deepcopy(new)

    breaks(new, old)

    assert (new, old) == (before, BASE)


def test_a_default_has_to_last_as_long_as_a_version_without_the_field() -> None:
    second = copy.deepcopy(BASE)
    second["fields"].append({"name": "more", "type": "long", "default": 0})
    third = copy.deepcopy(second)
    del field(third, "more")["default"]

    assert breaks(third, second) == []
    assert [found.field for found in breaks(third, BASE)] == ["Probe.more"]


def test_a_break_inside_a_list_is_named_with_its_place() -> None:
    changed = copy.deepcopy(BASE)
    field(changed, "legs")["type"]["items"]["fields"][0]["type"] = "long"

    (found,) = breaks(changed, BASE)

    assert found.field == "Probe.legs[].no"
    assert found.reason == "was int, is long; keep the type and add a field with another name"


LEG: dict[str, Any] = {"type": "record", "name": "Leg", "fields": [{"name": "no", "type": "int"}]}
LEGS = {"type": "array", "items": LEG}


def one(avro: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "Probe", "namespace": "pitboss", "fields": [{"name": "it", "type": avro} | more]}


def leg(**changes: Any) -> dict[str, Any]:
    return LEG | {"fields": [LEG["fields"][0] | changes]}


KEEP = "keep the type and add a field with another name"
MAY_NOT = "older messages may not pass"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (one(["null", LEG]), one(["null", LEG]), []),
        (one(["null", LEG]), one(["null", leg(type="long")]), [("Probe.it.no", f"was int, is long; {KEEP}")]),
        (one(["null", LEGS]), one(["null", LEGS]), []),
        (
            one(["null", LEGS]),
            one(["null", {"type": "array", "items": leg(type="long")}]),
            [("Probe.it[].no", f"was int, is long; {KEEP}")],
        ),
        (one(["null", LEGS]), one(["null", LEG]), [
            ("Probe.it", "no longer takes array; keep the type"), ("Probe.it", "newly takes record; keep the type")]),
        (one(["null", "int"]), one(["null", "int", "long"]), [("Probe.it", "newly takes long; keep the type")]),
        (one(["null", "int", "long"]), one(["null", "int"]), [("Probe.it", "no longer takes long; keep the type")]),
        (one("int"), one(["null", "int"]), [("Probe.it", f"was int, is union; {KEEP}")]),
        (one(["null", "int"]), one("int"), [("Probe.it", f"was union, is int; {KEEP}")]),
        (one(LEG), one(leg(minimum=1)), [("Probe.it.no", f"minimum was absent, is 1; {MAY_NOT}")]),
        (one(LEG), one(leg(name="nr")), [
            ("Probe.it.no", "was removed; bring it back: contracts only grow"),
            ("Probe.it.nr", 'is new and has no default; make it nullable with "default": null')]),
        (one("int"), one("int") | {"namespace": "other"}, [("Probe", "was the record pitboss.Probe; keep that name")]),
        (one("int"), one("int") | {"name": "pitboss.Probe"}, []),
        (one("int"), one("int") | {"name": "other.Probe"}, [
            ("other.Probe", "was the record pitboss.Probe; keep that name")]),
        (one(LEG), one(LEG | {"namespace": "other"}), [("Probe.it", "was the record Leg; keep that name")]),
        (one("int"), one("int", aliases=["that"]), [
            ("Probe.it", "has aliases, which the registry drops; add a new field and leave the old one")]),
        (one("int"), one("int") | {"aliases": ["Sonde"]}, [
            ("Probe", "has aliases, which the registry drops; keep the name and leave them out")]),
        (one("int", default=1), one("int", default=2), [
            ("Probe.it", "had the default 1; keep it, older messages would read differently")]),
        (one("int", default=1), one("int"), []),
        (one("int"), one("int", default=1), []),
        (one("string"), one("string", values=["a"]), [("Probe.it", "values is new; older messages may hold others")]),
        (one("string", values=["a", "b", "c"]), one("string", values=["b"]), [
            ("Probe.it", "values no longer has a, c; older messages hold them")]),
        (one("string"), one("string", format="ip"), [("Probe.it", f"format was absent, is ip; {MAY_NOT}")]),
        (one("string", format="ip"), one("string", format="ip"), []),
        (one("string", max_length=3), one("string", max_length=2), [
            ("Probe.it", f"max_length was 3, is 2; {MAY_NOT}")]),
        (one("string", max_length=3), one("string", max_length=3), []),
        (one("string"), one("string", max_length=2**40), [
            ("Probe.it", f"max_length was absent, is {2**40}; {MAY_NOT}")]),
        (one("long", minimum=1), one("long", minimum=1), []),
        (one("long", maximum=1), one("long", maximum=1), []),
        (one("long", maximum=2), one("long", maximum=1), [("Probe.it", f"maximum was 2, is 1; {MAY_NOT}")]),
    ],
)  # fmt: skip
def test_each_break_is_told_with_its_place(
    old: dict[str, Any], new: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    assert [(found.field, found.reason) for found in breaks(new, old)] == told


@pytest.mark.parametrize(
    ("avro", "rules", "takes"),
    [
        ("int", {"minimum": -(2**31), "maximum": 2**31 - 1}, True),
        ("int", {"minimum": -(2**31) + 1}, False),
        ("int", {"maximum": 2**31 - 2}, False),
        ("long", {"minimum": 1 - 2**53, "maximum": 2**53 - 1}, True),
        ("long", {"minimum": 2 - 2**53}, False),
        ("long", {"maximum": 2**53 - 2}, False),
        (["null", "long"], {"maximum": 2**53 - 1}, True),
        (["null", "long"], {"maximum": 2**53 - 2}, False),
        ("double", {"maximum": 1e308}, False),
        (LEGS, {"key": "no", "min_items": 1}, True),
        (LEGS, {"min_items": 0}, True),
        (LEGS, {"min_items": 2}, False),
        ("string", {"min_items": 0}, False),
        ({"type": "array", "items": "string"}, {"min_items": 1}, False),
        ({"type": "array", "items": "string"}, {}, True),
        ({"type": "long", "logicalType": "timestamp-micros"}, {"minimum": 0}, False),
    ],
)
def test_what_held_without_being_said_may_be_said(avro: Any, rules: dict[str, Any], takes: bool) -> None:
    assert (not breaks(one(avro, **rules), one(avro))) == takes


PAIRS = {"type": "array", "items": {"type": "record", "name": "Pair", "fields": [
    {"name": "a", "type": "int"}, {"name": "b", "type": "int"}]}}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (one(PAIRS), one(PAIRS, key="a"), []),
        (one(PAIRS, key="a"), one(PAIRS), []),
        (one(PAIRS), one(PAIRS, key="b"), ["was told apart by a, is by b; keep the key"]),
        (one(PAIRS, key="b"), one(PAIRS, key="a"), ["was told apart by b, is by a; keep the key"]),
        (one(PAIRS, key="b"), one(PAIRS, key="b"), []),
        (one(PAIRS), one("int", key="a"), [f"was array, is int; {KEEP}"]),
        (one("int"), one(PAIRS, key="a"), [f"was int, is array; {KEEP}"]),
    ],
)
def test_what_tells_the_elements_of_a_list_apart_stays(
    old: dict[str, Any], new: dict[str, Any], told: list[str]
) -> None:
    assert [found.reason for found in breaks(new, old)] == told
