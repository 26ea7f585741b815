"""One example event of any schema: the same each time, within its rules, with every optional field filled."""

import hashlib
import random
from datetime import UTC, date, datetime
from typing import Any

from backoffice.contracts.bounds import item_key
from backoffice.kernel.ids import uuid7

MOMENT = datetime(2026, 1, 15, 12, tzinfo=UTC)

_TEXTS = {
    "birth_year_band": "1985-1989",
    "details": '{"example": true}',
    "email": "player@example.org",
    "evidence": '{"example": true}',
    "language": "en",
    "phone": "+356 2000 0000",
}
_DATES = {"birth_date": date(1987, 6, 15)}
_FORMATTED = {
    "currency": "EUR",
    "country": "MT",
    "ip": "192.0.2.7",
    "sha256": hashlib.sha256(b"example").hexdigest(),
}


def example(definition: dict[str, Any]) -> dict[str, Any]:
    """An event of a record schema; lists hold two elements, the second with nothing in its optional fields.

    These differ in what tells elements of the list apart.
    """
    return {field["name"]: _value(field, definition["name"], 0) for field in definition["fields"]}


def readable(value: Any) -> Any:
    """A decoded event as JSON can hold it: times and dates as ISO 8601 texts."""
    if isinstance(value, dict):
        return {name: readable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [readable(part) for part in value]
    return value.isoformat() if isinstance(value, date) else value


def _value(field: dict[str, Any], record: str, position: int) -> Any:
    avro = field["type"]
    if isinstance(avro, list):
        if position:
            return None
        avro = avro[1]
    if isinstance(avro, dict) and avro["type"] == "array":
        return [_element(avro["items"], position, item_key(field)) for position in range(2)]
    if isinstance(avro, dict):
        return MOMENT if avro["logicalType"] == "timestamp-micros" else _DATES.get(field["name"], MOMENT.date())
    if avro == "string":
        return _text(field, record)
    return True if avro == "boolean" else _number(field, position)


def _element(item: dict[str, Any], position: int, key: str) -> dict[str, Any]:
    element = {field["name"]: _value(field, item["name"], position) for field in item["fields"]}
    if position and isinstance(element[key], str):
        element[key] += f" {position + 1}"
    return element


def _number(field: dict[str, Any], position: int) -> int:
    start: int = 1_000 if field["classification"] == "financial" else field.get("minimum", 0)
    return start + position


def _text(field: dict[str, Any], record: str) -> str:
    name: str = field["name"]
    if "values" in field:
        return str(field["values"][0])
    if field.get("format") == "uuid":
        return str(uuid7(random.Random(f"{record}.{name}"), MOMENT))
    if "format" in field:
        return _FORMATTED[field["format"]]
    return _TEXTS.get(name, name.replace("_", " "))[: field.get("max_length", 64)]
