"""The rolling numbers of the operator's business. Apps count them, and register here how each is read and told:

    register(Figure("logins", made_of=("player-events",), read=selectors.logins, rows=…, document=asdict))

The live page, `manage.py status` and its document for machines show whatever is registered, in that order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backoffice.live.board import Row, Rows

from .selectors import Attempts


@dataclass(frozen=True)
class Line:
    """A line of the screen: what the number is called, and its text."""

    label: str
    text: Callable[[Any], str]


@dataclass(frozen=True)
class Column:
    """A column of the screen's table of money: a text for each group (a vertical) and currency.

    ``title`` is what it is called above the table, ``head`` above the column; ``nothing`` stands where there is none.
    """

    title: str
    head: str
    cells: Callable[[Any], Mapping[tuple[str, str], str]]
    nothing: str = "–"


@dataclass(frozen=True)
class Figure:
    """``read`` takes the present moment and gives the number (of the last hour, or whatever the name says).

    ``made_of`` are the topics whose events it counts. ``rows`` are its part of the publication ``figures``;
    ``document`` is what machines are told (amounts in minor units); ``brief`` stands on the line of ``status --line``.
    """

    name: str
    made_of: tuple[str, ...]
    read: Callable[[datetime], Any]
    rows: Callable[[Any], Rows]
    document: Callable[[Any], Any]
    line: Line | None = None
    column: Column | None = None
    brief: Callable[[Any], str] | None = None


FIGURES: dict[str, Figure] = {}


def register(*figures: Figure) -> None:
    FIGURES.update({figure.name: figure for figure in figures})


def read_figures(now: datetime) -> dict[str, Any]:
    """Each read once."""
    return {name: figure.read(now) for name, figure in FIGURES.items()}


def attempts_row(attempts: Attempts) -> Row:
    """What the publication ``figures`` tells of something that goes through or does not."""
    rate = None if attempts.rate is None else round(attempts.rate, 4)
    return {"succeeded": attempts.succeeded, "failed": attempts.failed, "rate": rate}


def share(attempts: Attempts) -> str:
    """The same for a terminal."""
    rate = attempts.rate
    return "none" if rate is None else f"{rate:.1%} of {attempts.succeeded + attempts.failed:,} ok"


def in_all(what: str, counts: Mapping[str, int]) -> str:
    """The sum, and its parts by size."""
    parts = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
    return f"{sum(counts.values()):,} {what}" + (f": {parts}" if parts else "")
