"""Single values of a message, looked through: what is of the wrong kind is told, and never shown whole."""

import re
from collections.abc import Mapping
from datetime import datetime
from reprlib import Repr
from typing import Any, TypeGuard

from backoffice.kernel import clock
from trading.feeds.adapter import Malformed

# What the contract of MarketUpdate holds of a name.
LONGEST_NAME = 200
LONGEST_ID = 64
# In pounds, what the contract of MarketUpdate holds; the exchange itself ends at 1,000.
LARGEST_PRICE = 1_000_000
# A value in a message about it, whatever is nested in it.
_SHOWN = 40
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2099
# Controls, and what turns the direction of writing around: a screen would show another name than it is.
_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_repr = Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxother = 2, _SHOWN, _SHOWN
_repr.maxlist = _repr.maxdict = 3


def shown(value: object) -> str:
    """A value in few words, however long or deeply nested it is."""
    return _repr.repr(value)[:_SHOWN]


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a JSON number; true and false are none."""
    return type(value) is int or type(value) is float


def price_or_none(value: object, name: str) -> float | None:
    """A starting price: a number, or the texts "NaN" and "Infinity", which stand in its place while there is none.

    Raises:
        Malformed: it is anything else.
    """
    if value is None or (is_number(value) and 0 <= value <= LARGEST_PRICE):
        return value
    if value in ("NaN", "Infinity"):
        return float(str(value))
    raise Malformed(f'{name} is {shown(value)}; it is a number from 0 to {LARGEST_PRICE}, "NaN" or "Infinity"')


def number_or_none(told: Mapping[str, Any], name: str, most: float) -> float | None:
    """A field that is a number from 0 to ``most``, or is left out.

    Raises:
        Malformed: it is anything else.
    """
    value = told.get(name)
    if value is None or (is_number(value) and 0 <= value <= most):
        return value
    raise Malformed(f"{name} is {shown(value)}; it is a number from 0 to {most}")


def whole(told: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """A field that is a whole number between two bounds.

    Raises:
        Malformed: it is missing or it is not.
    """
    value = told.get(name)
    if type(value) is not int or not least <= value <= most:
        raise Malformed(f"{name} is {shown(value)}; it is a whole number from {least} to {most}")
    return value


def flag(told: Mapping[str, Any], name: str) -> bool:
    """A field that is true or false.

    Raises:
        Malformed: it is missing or it is not.
    """
    value = told.get(name)
    if not isinstance(value, bool):
        raise Malformed(f"{name} is {shown(value)}; it is true or false")
    return value


def flag_or_none(told: Mapping[str, Any], name: str) -> bool | None:
    """The same for a field that may be left out."""
    return None if told.get(name) is None else flag(told, name)


def text(told: Mapping[str, Any], name: str, longest: int = LONGEST_ID) -> str:
    """A field that is an id, or a word of the protocol: whole, or it would mean something else.

    Raises:
        Malformed: it is missing, empty or too long, or holds what cannot be printed.
    """
    value = told.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or _UNPRINTABLE.search(value):
        raise Malformed(f"{name} is {shown(value)}; it is a text of 1 to {longest} characters")
    return value


def label(told: Mapping[str, Any], name: str) -> str | None:
    """A field that is what people call something: cut to what the contract holds, and without what cannot be printed.

    Raises:
        Malformed: it is there and no text.
    """
    value = told.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{name} is {shown(value)}; it is a text")
    return _UNPRINTABLE.sub(" ", value[:LONGEST_NAME]).strip() or None


def needed_label(told: Mapping[str, Any], name: str) -> str:
    """The same for a field that has to be there.

    Raises:
        Malformed: it is missing, empty or no text.
    """
    value = label(told, name)
    if value is None:
        raise Malformed(f"{name} is {shown(told.get(name))}; it is a text")
    return value


def microseconds(told: Mapping[str, Any], name: str) -> int | None:
    """An ISO time in microseconds since 1970, or None where it is left out.

    Raises:
        Malformed: it is no time of this century with its time zone.
    """
    value = told.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise Malformed(f"{name} is {shown(value)}; it is an ISO time") from error
    if moment.tzinfo is None or not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise Malformed(f"{name} is {shown(value)}; it is a time of this century, with its time zone")
    return clock.microseconds(moment)


def needed_objects(told: Mapping[str, Any], name: str, most: int) -> list[dict[str, Any]]:
    """The same as ``objects`` for a field that has to be there.

    Raises:
        Malformed: it is missing, or no list of at most so many objects.
    """
    if told.get(name) is None:
        raise Malformed(f"{name} is None; it is a list of objects")
    return objects(told, name, most)


def objects(told: Mapping[str, Any], name: str, most: int) -> list[dict[str, Any]]:
    """A field that is a list of at most so many objects, or is left out.

    Raises:
        Malformed: it is anything else.
    """
    found = told.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(type(each) is dict for each in found):
        raise Malformed(f"{name} is {shown(found)}; it is a list of objects")
    if len(found) > most:
        raise Malformed(f"{name} has {len(found)} entries; it has at most {most}")
    return found
