"""What every schema has to look like, whatever its history."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fastavro
import pyarrow as pa
from fastavro.schema import SchemaParseException, UnknownType

from backoffice.contracts import bounds
from backoffice.contracts.avro import SIMPLE, TIME, meant
from backoffice.contracts.definitions import NAMESPACE
from backoffice.contracts.purposes import PURPOSES
from backoffice.contracts.rules import EARLIEST, checked

CLASSIFICATIONS = ("personal", "financial", "behavioural", "operational")
LARGEST_AMOUNT = 1_000_000_000_000

# Where a person may be recognised: the registration, and where a login or session came from.
PERSONAL_RECORDS = frozenset({"PlayerRegistered"})
PERSONAL_FIELDS = {
    record: frozenset({"ip", "device_id"})
    for record in ("LoginSucceeded", "LoginFailed", "SessionStarted", "SessionEnded")
}

EVENT_TIME = "event_time"

_HEAD: tuple[dict[str, Any], ...] = (
    {"name": "event_id", "type": "string", "format": "uuid"},
    {"name": "occurred_at", "type": TIME, "rule": EVENT_TIME},
    {"name": "brand", "type": "string"},
    {"name": "jurisdiction", "type": "string", "format": "country"},
)
_TEXT_RULES = frozenset({"format", "values", "max_length"})
_NUMBER_RULES = frozenset({"minimum", "maximum"})
_LIST_RULES = frozenset({"key", "min_items"})
_FORMATS = frozenset({"uuid", "currency", "country", "ip", "sha256"})
_DESCRIPTION = frozenset({"name", "type", "default", "doc", "classification", "purpose", "retention"})
_RECORD_ATTRIBUTES = frozenset({"type", "name", "namespace", "doc", "fields", "message_key", "revision"})
_TAKEN = "use a string with a format, int, long, boolean, double, date, timestamp-micros or a list of records"
_RETENTION = re.compile(r"\d+[dmy](_after_closure)?")


@dataclass(frozen=True)
class Fault:
    """One place where a schema is not as it should be, and the mend."""

    field: str
    reason: str


def faults(definition: dict[str, Any], record: str, key: str) -> list[Fault]:
    """What is wrong with the schema of ``record``, on a topic with the message key ``key``."""
    try:
        fastavro.parse_schema(definition)
        return [*_record(definition, record), *_names(definition, record), *_head(definition), *_key(definition, key)]
    except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError) as error:
        return [Fault(record, f"is no Avro record ({type(error).__name__}: {error}); write it as the others are")]


def _names(definition: dict[str, Any], record: str) -> Iterator[Fault]:
    if definition["name"] != record:
        yield Fault(record, f"is named {definition['name']}; name the record as its file")
    if definition.get("namespace") != NAMESPACE:
        yield Fault(record, f'has another namespace; write "namespace": "{NAMESPACE}"')


def _head(definition: dict[str, Any]) -> Iterator[Fault]:
    for position, wanted in enumerate(_HEAD):
        field = dict(enumerate(definition["fields"])).get(position, {})
        if any(field.get(attribute) != value for attribute, value in wanted.items()):
            told = ", ".join(f'"{attribute}": {value!r}' for attribute, value in wanted.items())
            place = f"{definition['name']}.{wanted['name']}"
            yield Fault(place, f"is missing from the head; make it field {position + 1} with {told}")


def _key(definition: dict[str, Any], key: str) -> Iterator[Fault]:
    """``message_key`` is of a record that is about more than what the others of its topic are kept in order by."""
    key = definition.get("message_key", key)
    if key not in {field["name"] for field in definition["fields"]}:
        yield Fault(f"{definition['name']}.{key}", "is the topic's message key and missing; add it")


def _record(definition: dict[str, Any], where: str) -> Iterator[Fault]:
    for attribute in sorted(definition.keys() - _RECORD_ATTRIBUTES):
        yield Fault(where, f"has the unknown attribute {attribute}; take it out")
    for field in definition["fields"]:
        place = f"{where}.{field['name']}"
        yield from _described(field, place)
        yield from _type(field, place)
        yield from _rules(field, place)
        yield from _default(field, place)
        if field.get("classification") == "personal" and not _may_be_personal(where, field["name"]):
            yield Fault(
                place, f"is personal, which only {_allowed_places()} may be; leave it out or keep an id instead"
            )


def _described(field: dict[str, Any], where: str) -> Iterator[Fault]:
    for attribute in ("classification", "purpose", "retention"):
        if not field.get(attribute):
            yield Fault(where, f"has no {attribute}; add one")
    purpose = field.get("purpose")
    if purpose and purpose not in PURPOSES:
        yield Fault(where, f"has the purpose {purpose}, which has no lawful basis; use one that stands in purposes.py")
    classification = field.get("classification")
    if classification and classification not in CLASSIFICATIONS:
        yield Fault(where, f"has the classification {classification}; it must be one of {', '.join(CLASSIFICATIONS)}")
    retention = field.get("retention")
    if retention and not _RETENTION.fullmatch(str(retention)):
        yield Fault(where, f"has the retention {retention}; write it as 90d, 10y or 5y_after_closure")


def _type(field: dict[str, Any], where: str) -> Iterator[Fault]:
    avro = field["type"]
    if isinstance(avro, list):
        if len(avro) != 2 or avro[0] != "null" or avro[1] not in SIMPLE:
            yield Fault(where, f'is the union {avro}; the decoder takes ["null", T] with a simple T')
        elif field.get("default", "") is not None:
            yield Fault(where, 'is nullable and has no "default": null; add it')
    elif _is_list_of_records(avro):
        yield from _elements(avro["items"], where)
    elif avro not in SIMPLE:
        yield Fault(where, f"is {meant(avro)}, which the decoder does not take; {_TAKEN}")


def _elements(item: dict[str, Any], where: str) -> Iterator[Fault]:
    yield from _record(item, f"{where}[]")
    for field in item["fields"]:
        if _is_list_of_records(field["type"]):
            yield Fault(f"{where}[].{field['name']}", "is a list inside a list; give it a record and topic of its own")
        if field.get("format") == "uuid":
            yield Fault(f"{where}[].{field['name']}", "is a uuid inside a list; ids are checked in the event itself")


def _rules(field: dict[str, Any], where: str) -> Iterator[Fault]:
    avro = field["type"][-1] if isinstance(field["type"], list) else field["type"]
    fitting = _fitting_rules(avro)
    for attribute in sorted(field.keys() - _DESCRIPTION - fitting):
        yield Fault(where, f"has {attribute}, which nothing checks on {meant(avro)}; take it out or correct its name")
    if field.get("rule", EVENT_TIME) != EVENT_TIME:
        yield Fault(where, f"has the rule {field['rule']}, which nothing checks; there is {EVENT_TIME}")
    if field.get("format", "uuid") not in _FORMATS:
        yield Fault(where, f"has the format {field['format']}; it must be one of {', '.join(sorted(_FORMATS))}")
    if avro == "string" and not field.keys() & _TEXT_RULES:
        yield Fault(where, "is a text without end; add max_length, values or format")
    if avro == "long" and field.get("classification") == "financial" and not _is_bounded(field):
        yield Fault(where, f'is an amount; add "minimum" and a "maximum" of at most {LARGEST_AMOUNT}')
    elif isinstance(avro, str) and avro in bounds.LARGEST:
        yield from _bounds(field, avro, where)
    elif _is_list_of_records(avro):
        yield from _list(field, where)


def _bounds(field: dict[str, Any], of: str, where: str) -> Iterator[Fault]:
    if not field.keys() >= _NUMBER_RULES:
        yield Fault(where, 'is a number without end; add "minimum" and "maximum"')
    elif not bounds.SMALLEST[of] <= field["minimum"] <= field["maximum"] <= bounds.LARGEST[of]:
        yield Fault(where, f"has bounds that are none; they lie within {bounds.SMALLEST[of]} and {bounds.LARGEST[of]}")


def _list(field: dict[str, Any], where: str) -> Iterator[Fault]:
    keys = {inner["name"] for inner in field["type"]["items"]["fields"] if inner["type"] in ("string", "int", "long")}
    if field.get("key") not in keys:
        yield Fault(where, f'is a list without a key; add "key", one of {", ".join(sorted(keys))}')
    if type(field.get("min_items")) is not int or field["min_items"] < 0:
        yield Fault(where, 'does not say whether it may be empty; add "min_items", a whole number')


def _fitting_rules(avro: Any) -> frozenset[str]:
    if avro == "string":
        return _TEXT_RULES
    if avro in ("int", "long", "double"):
        return _NUMBER_RULES
    if _is_list_of_records(avro):
        return _LIST_RULES
    return frozenset({"rule"}) if avro == TIME else frozenset()


def _default(field: dict[str, Any], where: str) -> Iterator[Fault]:
    """A default stands in for every older message, so it has to pass the field's own rules."""
    default = field.get("default")
    if default is None:
        return
    if isinstance(default, str):
        text = pa.RecordBatch.from_arrays([pa.array([default], pa.string())], names=[field["name"]])
        _, faults = checked(text, {"name": where, "fields": [field]}, EARLIEST)
        passes = not faults
    else:
        passes = field.get("minimum", default) <= default <= field.get("maximum", default)
    if not passes:
        yield Fault(where, f"has the default {default!r}, which breaks its own rules; every older message would fail")


def _may_be_personal(record: str, field: str) -> bool:
    return record in PERSONAL_RECORDS or field in PERSONAL_FIELDS.get(record, ())


def _allowed_places() -> str:
    return f"{', '.join(sorted(PERSONAL_RECORDS))} and ip and device_id of logins and sessions"


def _is_bounded(field: dict[str, Any]) -> bool:
    return "minimum" in field and field.get("maximum", LARGEST_AMOUNT + 1) <= LARGEST_AMOUNT


def _is_list_of_records(avro: Any) -> bool:
    return isinstance(avro, dict) and avro.get("type") == "array" and _is_record(avro.get("items"))


def _is_record(avro: Any) -> bool:
    return isinstance(avro, dict) and avro.get("type") == "record"
