"""The rules of a contract for one event at a time, in plain Python: nothing of what the streams check with is used.

What the contracts say is shared (`schemas`, `contracts.bounds`), how it is checked is not. How far an event may be
ahead of its log is asked where messages are accounted for (accounting.py).
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import Any

from backoffice.contracts import bounds
from backoffice.contracts.avro import DATE, TIME, value_type
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import microseconds
from backoffice.kernel.money import CURRENCIES

Event = dict[str, Any]

_OLDEST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
_FORMATS = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch,
    "country": re.compile(r"[A-Z]{2}").fullmatch,
    "sha256": re.compile(r"[0-9a-f]{64}").fullmatch,
}


def broken(record: str, event: Event) -> str | None:
    """The first rule of its contract that an event breaks; times are microseconds, dates are days since 1970."""
    wrong = _rules(record).broken(event)
    return f"{wrong} ({record})" if wrong else None


@dataclass
class Rules:
    """The rules of a record by their kind, each with the name of its field; kept flat, as every event passes them."""

    numbers: list[tuple[str, float, float]]
    texts: list[tuple[str, int]]
    choices: list[tuple[str, Collection[str]]]
    forms: list[tuple[str, str, Callable[[str], object]]]
    lists: list[tuple[str, str, int, "Rules"]]

    def broken(self, event: Event) -> str | None:
        for name, least, greatest in self.numbers:
            # What is no number does not lie between two.
            if (number := event[name]) is not None and not least <= number <= greatest:
                return f"{name} does not lie within {least} and {greatest}"
        for name, longest in self.texts:
            if (text := event[name]) is not None and (len(text) > longest or "\0" in text):
                return (
                    f"{name} holds a NUL character" if "\0" in text else f"{name} is longer than {longest} characters"
                )
        for name, allowed in self.choices:
            if (text := event[name]) is not None and text not in allowed:
                return f"{name} is none of the values that there are"
        for name, form, fits in self.forms:
            if (text := event[name]) is not None and not fits(text):
                return f"{name} is no {form}"
        return self._broken_list(event) if self.lists else None

    def _broken_list(self, event: Event) -> str | None:
        for name, key, fewest, rules in self.lists:
            elements = event[name]
            if len(elements) < fewest:
                return f"{name} has {len(elements)} elements; it has at least {fewest}"
            if len({element[key] for element in elements}) < len(elements):
                return f"{name} names one {key} twice"
            for element in elements:
                if wrong := rules.broken(element):
                    return f"{name} has an element whose {wrong}"
        return None


@cache
def _rules(record: str) -> Rules:
    return _of(schema(record)["fields"])


def _of(fields: list[dict[str, Any]]) -> Rules:
    rules = Rules([], [], [], [], [])
    for field in fields:
        name, avro = field["name"], value_type(field["type"])
        if avro == "string":
            _add_text(rules, field)
        elif avro in ("int", "long", "double"):
            rules.numbers.append((name, *bounds.number_bounds(field)))
        elif avro == TIME:
            first = _OLDEST_EVENT if field.get("rule") == "event_time" else bounds.EARLIEST
            rules.numbers.append((name, microseconds(first), microseconds(bounds.LATEST)))
        elif avro == DATE:
            rules.numbers.append((name, _days(bounds.FIRST_DAY), _days(bounds.LAST_DAY)))
        elif avro != "boolean":
            inner = _of(field["type"]["items"]["fields"])
            rules.lists.append((name, bounds.item_key(field), bounds.fewest_items(field), inner))
    return rules


def _add_text(rules: Rules, field: dict[str, Any]) -> None:
    name, form = field["name"], field.get("format")
    if "values" in field:
        rules.choices.append((name, frozenset(field["values"])))
    elif form == "currency":
        rules.choices.append((name, CURRENCIES))
    elif form:
        rules.forms.append((name, form, _FORMATS.get(form, _is_address)))
    # A text without values or a form has a length: the conventions of the contracts ask for one of the three.
    if "max_length" in field:
        rules.texts.append((name, field["max_length"]))


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)).days


@lru_cache(10_000)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
