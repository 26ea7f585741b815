"""The platform's health and the operator's figures as live publications."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from backoffice.access.roles import ROLES, grant
from backoffice.kernel.clock import milliseconds
from backoffice.live import panels
from backoffice.live.board import Row, Rows, Value
from backoffice.live.keys import key_of
from backoffice.live.panels import Panel, Piece
from backoffice.live.publications import Publication, register
from backoffice.streams.clocks import PostgresClock

from .figures import FIGURES, read_figures
from .status import OF_TOPICS, read_health

SEE = "metrics.view_window"
# What is worked out from others.
_WORKED_OUT = ("lag", "dead_letters", "halted", "diverted", "stalled", "skipped")
Parts = tuple[str, ...]
_SCALARS = (str, int, float, bool, datetime, timedelta, type(None))


def health(_: str) -> Rows:
    """All that is told of the platform's health, whatever fields it has."""
    return health_rows(read_health())


def health_rows(health: Any) -> Rows:
    """A dataclass of facts as rows under ``field/part/part``; a value that stands alone is called ``value``.

    Parts are the keys of a mapping, the names by which a dataclass in a list begins (stream, topic), else its place;
    its place too where another has the same names. What could not be read has no rows, and is named by one of
    ``unread``.
    """
    unread = {*health.unread, *(OF_TOPICS if "topics" in health.unread else ())}
    names = [*_WORKED_OUT, *(field.name for field in fields(health) if field.name != "at")]
    names = [name for name in names if name not in unread]
    return {key_of(*parts): row for name in names for parts, row in _rows((name,), getattr(health, name))}


def _rows(key: Parts, fact: Any) -> Iterator[tuple[Parts, Row]]:
    if isinstance(fact, _SCALARS):
        yield key, {"value": _value(fact)}
    elif is_dataclass(fact):
        held = {field.name: getattr(fact, field.name) for field in fields(fact)}
        if simple := {name: _value(value) for name, value in held.items() if isinstance(value, _SCALARS)}:
            yield key, simple
        for name, value in held.items():
            if name not in simple:
                yield from _rows((*key, name), value)
    else:
        parts = fact.items() if isinstance(fact, Mapping) else _named(fact)
        for part, value in parts:
            called = part if isinstance(part, tuple) else (part,)
            yield from _rows((*key, *map(str, called)), value)


def _named(facts: Sequence[Any]) -> list[tuple[Parts, Any]]:
    """The parts of a list under their names; those that share one have their places too."""
    names = [_called(part, place) for place, part in enumerate(facts)]
    often = Counter(names)
    return [
        ((*name, str(place)) if often[name] > 1 else name, part)
        for place, (name, part) in enumerate(zip(names, facts, strict=True))
    ]


def _called(part: Any, place: int) -> Parts:
    """What a part of a list goes by."""
    if not is_dataclass(part):
        return (part if isinstance(part, str) else str(place),)
    values = (getattr(part, field.name) for field in fields(part))
    return tuple(takewhile(lambda value: isinstance(value, str), values)) or (str(place),)


def _value(fact: Any) -> Value:
    if isinstance(fact, datetime):
        return milliseconds(fact)
    if isinstance(fact, timedelta):
        return round(fact.total_seconds(), 1)
    value: Value = round(fact, 3) if isinstance(fact, float) else fact
    return value


def figures(_: str) -> Rows:
    """The rows of every figure that an app has registered."""
    return figure_rows(read_figures(PostgresClock().now()))


def figure_rows(found: Mapping[str, Any]) -> Rows:
    return {key: row for name, number in found.items() for key, row in FIGURES[name].rows(number).items()}


def register_publications() -> None:
    # Kafka is asked between the statements; no transaction is to wait for it.
    register(Publication("health", SEE, health, every=1.0, at_one_moment=False))
    register(Publication("figures", SEE, figures, every=1.0))
    grant(SEE, *ROLES)


def register_panels() -> None:
    pieces = (
        Piece("tiles", 10, "metrics/tiles.html"), Piece("side", 30, "metrics/streams.html"),
        Piece("side", 70, "metrics/rest.html"),
    )  # fmt: skip
    panels.register(Panel("health", "health", "metrics/health.js", pieces))
