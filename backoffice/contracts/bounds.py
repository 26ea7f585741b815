"""What holds for every field of a type, and for every list, where its schema says nothing narrower.

These are limits of what can be stored and read again, not opinions about the business; they hold for every version of
every contract, so that a schema which states them in so many words is no stricter than one that is silent.

- A **whole number** lies within what JSON's readers hold exactly (53 bits), an int within its 32 bits.
- A **double** is a number: neither infinite nor "not a number".
- A **time** lies between 1900 and the end of 9999, less a day, so that it can be told in every time zone: Postgres
  takes more, Python and what is built on it do not. Before 1900 lies nothing but the zero of some language's clock.
- A **date** lies in the same years.
- A **list** of records has a key, its first field unless the schema names another; no two elements of a list have the
  same. It holds at least one element, unless the schema allows none (``"min_items": 0``).

Where something has no end, the field is nullable and empty. A "for ever" such as 9999-12-31T23:59:59 is refused, since
nobody could say whether it is meant or a fault.
"""

import sys
from datetime import UTC, date, datetime
from typing import Any

from backoffice.contracts.avro import value_type

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC)
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9999, 12, 31)
MIN_ITEMS = 1

Number = int | float
LARGEST: dict[str, Number] = {"int": 2**31 - 1, "long": 2**53 - 1, "double": sys.float_info.max}
SMALLEST: dict[str, Number] = {"int": -(2**31), "long": 1 - 2**53, "double": -sys.float_info.max}


def number_bounds(field: dict[str, Any]) -> tuple[Number, Number]:
    """The least and the greatest value of a field that holds numbers."""
    of = value_type(field["type"])
    return field.get("minimum", SMALLEST[of]), field.get("maximum", LARGEST[of])


def item_key(field: dict[str, Any]) -> str:
    """The field that tells the elements of a list apart."""
    return str(field.get("key", field["type"]["items"]["fields"][0]["name"]))


def fewest_items(field: dict[str, Any]) -> int:
    return int(field.get("min_items", MIN_ITEMS))
