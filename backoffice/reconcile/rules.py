"""The rules of a contract for one event at a time, in plain Python: nothing of what the streams check with is used.

What the contracts say is shared (`schemas`, `contracts.bounds`), how it is checked is not. One rule is laxer here: how
far an event may be ahead of the clock was judged when it came.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import Any

from backoffice.contracts import bounds
from backoffice.contracts.avro import DATE, TIME, value_type
from backoffice.contracts.definitions import schema
from backoffice.kernel.money import CURRENCIES

Event = dict[str, Any]
Check = Callable[[Any], str | None]
"""What is wrong with a value that is there; None when nothing is."""

_OLDEST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def broken(record: str, event: Event) -> str | None:
    """The first rule of its contract that an event breaks; times are microseconds, dates are days since 1970."""
    for name, check in _checks(record):
        value = event[name]
        if value is not None and (wrong := check(value)):
            return f"{name} {wrong} ({record})"
    return None


@cache
def _checks(record: str) -> list[tuple[str, Check]]:
    return list(_of_fields(schema(record)["fields"]))


def _of_fields(fields: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Check]]:
    for field in fields:
        avro = value_type(field["type"])
        if avro == "string":
            yield from ((field["name"], check) for check in _text(field))
        elif avro in ("int", "long", "double"):
            yield field["name"], _between(*bounds.number_bounds(field))
        elif avro == TIME:
            first = _OLDEST_EVENT if field.get("rule") == "event_time" else bounds.EARLIEST
            yield field["name"], _between(_micros(first), _micros(bounds.LATEST))
        elif avro == DATE:
            yield field["name"], _between(*(day.toordinal() - date(1970, 1, 1).toordinal() for day in _DAYS))
        elif avro != "boolean":
            yield field["name"], _list(field)


def _text(field: dict[str, Any]) -> Iterator[Check]:
    yield lambda text: "holds a NUL character" if "\0" in text else None
    if "max_length" in field:
        longest = field["max_length"]
        yield lambda text: f"is longer than {longest} characters" if len(text) > longest else None
    if "values" in field:
        allowed = frozenset(field["values"])
        yield lambda text: None if text in allowed else "is none of the values that there are"
    if "format" in field:
        fits = _FORMATS[field["format"]]
        yield lambda text: None if fits(text) else f"is no {field['format']}"


def _between(least: float, greatest: float) -> Check:
    # Whatever is not a number is not between two.
    return lambda number: None if least <= number <= greatest else f"does not lie within {least} and {greatest}"


def _list(field: dict[str, Any]) -> Check:
    key, fewest = bounds.item_key(field), bounds.fewest_items(field)
    checks = list(_of_fields(field["type"]["items"]["fields"]))

    def check(elements: list[Event]) -> str | None:
        if len(elements) < fewest:
            return f"has {len(elements)} elements; it has at least {fewest}"
        if len({element[key] for element in elements}) < len(elements):
            return f"names one {key} twice"
        for element in elements:
            for name, inner in checks:
                value = element[name]
                if value is not None and (wrong := inner(value)):
                    return f"has an element whose {name} {wrong}"
        return None

    return check


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text and text.isascii()


_DAYS = (bounds.FIRST_DAY, bounds.LAST_DAY)
_FORMATS: dict[str, Callable[[str], object]] = {
    "uuid": _UUID.fullmatch,
    "currency": CURRENCIES.__contains__,
    "country": _COUNTRY.fullmatch,
    "sha256": _DIGEST.fullmatch,
    "ip": lru_cache(10_000)(_is_address),
}
