"""A small record, and changes to it with what they do to its compatibility."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _field(name: str, avro: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro, **more}


BASE: dict[str, Any] = {
    "type": "record",
    "name": "Probe",
    "namespace": "pitboss",
    "fields": [
        _field("id", "string", format="uuid"),
        _field("at", {"type": "long", "logicalType": "timestamp-micros"}),
        _field("count", "int", minimum=0, maximum=10),
        _field("amount", "long"),
        _field("note", ["null", "string"], default=None, max_length=20),
        _field("state", "string", values=["open", "closed"], default="open"),
        _field(
            "legs",
            {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "ProbeLeg",
                    "fields": [_field("no", "int"), _field("line", ["null", "string"], default=None)],
                },
            },
        ),
    ],
}


@dataclass(frozen=True)
class Trial:
    """A change, and whether the schema registry takes it and whether we do."""

    name: str
    change: Callable[[dict[str, Any]], object]
    registry_takes: bool
    we_take: bool

    def result(self) -> dict[str, Any]:
        changed = copy.deepcopy(BASE)
        self.change(changed)
        return changed


def field(definition: dict[str, Any], name: str) -> dict[str, Any]:
    return next(field for field in definition["fields"] if field["name"] == name)


def without(definition: dict[str, Any], name: str) -> None:
    definition["fields"] = [field for field in definition["fields"] if field["name"] != name]


def _leg(definition: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = field(definition, "legs")["type"]["items"]
    return item


def _sets(name: str, /, **attributes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda definition: field(definition, name).update(attributes)


def _adds(*arguments: Any, **more: Any) -> Callable[[dict[str, Any]], None]:
    return lambda definition: definition["fields"].append(_field(*arguments, **more))


# What Avro itself judges: the registry and we say the same.
TOGETHER = [
    Trial("no change", lambda _: None, True, True),
    Trial("add a nullable field", _adds("more", ["null", "long"], default=None), True, True),
    Trial("add a field with a default", _adds("more", "long", default=0), True, True),
    Trial("add a field in front", lambda d: d["fields"].insert(0, _field("x", "int", default=0)), True, True),
    Trial("reverse the fields", lambda d: d["fields"].reverse(), True, True),
    Trial("add a nullable field to a list", lambda d: _leg(d)["fields"].append(
        _field("odds", ["null", "long"], default=None)), True, True),
    Trial("classify a field otherwise", _sets("amount", classification="financial"), True, True),
    Trial("add a field without a default", _adds("more", "long"), False, False),
    Trial("add a field without a default to a list",
          lambda d: _leg(d)["fields"].append(_field("odds", "long")), False, False),
    Trial("remove a field without a default", lambda d: without(d, "amount"), False, False),
    Trial("remove a field without a default from a list", lambda d: _leg(d)["fields"].pop(0), False, False),
    Trial("rename a field", _sets("amount", name="sum"), False, False),
    Trial("rename a field with an alias", _sets("amount", name="sum", aliases=["amount"]), False, False),
    Trial("widen int to long", _sets("count", type="long"), False, False),
    Trial("narrow long to int", _sets("amount", type="int"), False, False),
    Trial("long to string", _sets("amount", type="string"), False, False),
    Trial("make a field nullable", _sets("amount", type=["null", "long"], default=None), False, False),
    Trial("make a field required", _sets("note", type="string", default=""), False, False),
    Trial("add a branch to a union", _sets("note", type=["null", "string", "long"]), False, False),
    Trial("a list to its element", lambda d: field(d, "legs").update(type=_leg(d)), False, False),
    Trial("rename the record of a list", lambda d: _leg(d).update(name="ProbeRow"), False, False),
    Trial("rename the record", lambda d: d.update(name="Sonde"), False, False),
]  # fmt: skip

# What the registry does not look at, and a rebuild from the first message would trip over.
STRICTER = [
    Trial("remove a field with a default", lambda d: without(d, "note"), True, False),
    Trial("add an alias", _sets("amount", aliases=["sum"]), True, False),
    Trial("add an alias to the record", lambda d: d.update(aliases=["Sonde"]), True, False),
    Trial("another default", _sets("state", default="closed"), True, False),
    Trial("a logical type goes", _sets("at", type="long"), True, False),
    Trial("another logical type", _sets("at", type={"type": "long", "logicalType": "timestamp-millis"}), True, False),
    Trial("raise a minimum", _sets("count", minimum=1), True, False),
    Trial("lower a maximum", _sets("count", maximum=9), True, False),
    Trial("a new minimum", _sets("amount", minimum=0), True, False),
    Trial("a new maximum", _sets("amount", maximum=5), True, False),
    Trial("a shorter text", _sets("note", max_length=19), True, False),
    Trial("a value goes", _sets("state", values=["open"]), True, False),
    Trial("a new closed list", _sets("note", values=["a"]), True, False),
    Trial("a new format", _sets("note", format="country"), True, False),
    Trial("another format", _sets("id", format="sha256"), True, False),
    Trial("a new rule", _sets("at", rule="event_time"), True, False),
]

LOOSER = [
    Trial("lower a minimum", _sets("count", minimum=-1), True, True),
    Trial("raise a maximum", _sets("count", maximum=11), True, True),
    Trial("a longer text", _sets("note", max_length=21), True, True),
    Trial("one more value", _sets("state", values=["closed", "open", "void"]), True, True),
    Trial("a rule goes", lambda d: field(d, "count").pop("maximum"), True, True),
    Trial("a closed list opens", lambda d: field(d, "state").pop("values"), True, True),
    Trial("a format goes", lambda d: field(d, "id").pop("format"), True, True),
]

TRIALS = [*TOGETHER, *STRICTER, *LOOSER]
