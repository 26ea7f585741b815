"""What housekeeping has done to a table since its rows were stored, done to its successor as well.

A rebuild makes the rows as the messages tell them. Where the clock has changed them since (minutes were added up to
hours), whoever does that registers it here, and a rebuilt table is the same as the one whose place it takes.
"""

from collections.abc import Callable

from ..database import Connection

# Called with the name of the successor: once most of its rows are there, and again within the transaction of the swap.
# What it goes by stays locked until that ends.
Tidy = Callable[[Connection, str], None]

_TIDIES: dict[str, Tidy] = {}


def register(table: str, tidy: Tidy) -> None:
    _TIDIES[table] = tidy


def tidy(connection: Connection, table: str, successor: str) -> None:
    if table in _TIDIES:
        _TIDIES[table](connection, successor)
