"""A `marketDefinition`: what a market is, as opposed to what is offered on it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from trading.feeds.adapter import Malformed

Key = tuple[int, float]
"""Selection id and handicap (0 where there is none): what tells the runners of a market apart."""

_LONGEST_ID = 64
_LONGEST_NAME = 200
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2099
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNPRINTABLE = re.compile("[\0-\x1f]")


@dataclass(frozen=True, slots=True)
class RunnerDefinition:
    """``starting_price`` is the Betfair SP once it is reconciled."""

    status: str
    name: str | None
    sort_priority: int
    adjustment_factor: float | None
    starting_price: float | None
    removed_at: str | None


@dataclass(frozen=True, slots=True)
class Definition:
    """``starts_at`` in microseconds since 1970; ``each_way_divisor`` 4 pays a quarter of the odds for a place."""

    version: int
    status: str
    in_play: bool
    bet_delay: int
    winners: int
    each_way_divisor: float | None
    event_id: str
    event_type_id: str
    market_type: str
    starts_at: int | None
    name: str | None
    event_name: str | None
    venue: str | None
    # In the order of their priority.
    runners: dict[Key, RunnerDefinition]


def definition(told: object) -> Definition:
    """Read a `marketDefinition`.

    Raises:
        Malformed: a field is missing or of the wrong kind.
    """
    if not isinstance(told, dict):
        raise Malformed(f"marketDefinition is {told!r:.40}; it is an object")
    return Definition(
        version=whole(told, "version", 0, 2**53),
        status=text(told, "status", _LONGEST_ID),
        in_play=_flag(told, "inPlay"),
        bet_delay=whole(told, "betDelay", 0, 3_600),
        winners=whole(told, "numberOfWinners", 0, 1_000),
        each_way_divisor=_number_or_none(told, "eachWayDivisor"),
        event_id=text(told, "eventId", _LONGEST_ID),
        event_type_id=text(told, "eventTypeId", _LONGEST_ID),
        market_type=text(told, "marketType", _LONGEST_ID),
        starts_at=_microseconds(told, "marketTime"),
        name=_text_or_none(told, "name"),
        event_name=_text_or_none(told, "eventName"),
        venue=_text_or_none(told, "venue"),
        runners=_runners(told.get("runners")),
    )


def runner_key(told: Mapping[str, Any]) -> Key:
    """The key of a runner or of its change.

    Raises:
        Malformed: there is no selection id, or the handicap is no number.
    """
    handicap = told.get("hc")
    if handicap is None:
        return whole(told, "id", 0, 2**53), 0
    if not is_number(handicap) or not -1_000_000 <= handicap <= 1_000_000:
        raise Malformed(f"hc is {handicap!r:.40}; a handicap is a number")
    return whole(told, "id", 0, 2**53), handicap


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a JSON number; true and false are none."""
    return type(value) is int or type(value) is float


def price_or_none(value: object, name: str) -> float | None:
    """A starting price: a number, or the texts "NaN" and "Infinity", which stand in its place while there is none.

    Raises:
        Malformed: it is anything else.
    """
    if value is None or is_number(value):
        return value
    if value in ("NaN", "Infinity"):
        return float(str(value))
    raise Malformed(f'{name} is {value!r:.40}; it is a number, "NaN" or "Infinity"')


def whole(told: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """A field that is a whole number between two bounds.

    Raises:
        Malformed: it is missing or it is not.
    """
    value = told.get(name)
    if type(value) is not int or not least <= value <= most:
        raise Malformed(f"{name} is {value!r:.40}; it is a whole number from {least} to {most}")
    return value


def text(told: Mapping[str, Any], name: str, longest: int = _LONGEST_NAME) -> str:
    """A field that is a text which every table can hold.

    Raises:
        Malformed: it is missing, empty or too long, or holds what cannot be printed.
    """
    value = told.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or _UNPRINTABLE.search(value):
        raise Malformed(f"{name} is {value!r:.40}; it is a text of 1 to {longest} characters")
    return value


def _text_or_none(told: Mapping[str, Any], name: str) -> str | None:
    return text(told, name) if told.get(name) else None


def _flag(told: Mapping[str, Any], name: str) -> bool:
    value = told.get(name)
    if not isinstance(value, bool):
        raise Malformed(f"{name} is {value!r:.40}; it is true or false")
    return value


def _number_or_none(told: Mapping[str, Any], name: str) -> float | None:
    value: float | None = told.get(name)
    if value is not None and not is_number(value):
        raise Malformed(f"{name} is {value!r:.40}; it is a number")
    return value


def _microseconds(told: Mapping[str, Any], name: str) -> int | None:
    value = told.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise Malformed(f"{name} is {value!r:.40}; it is an ISO time") from error
    if moment.tzinfo is None or not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise Malformed(f"{name} is {value!r:.40}; it is a time of this century, with its time zone")
    return (moment - _EPOCH) // _MICROSECOND


def _runners(told: object) -> dict[Key, RunnerDefinition]:
    if not isinstance(told, list) or not all(isinstance(runner, dict) for runner in told):
        raise Malformed(f"runners is {told!r:.40}; it is a list of objects")
    found = {
        runner_key(runner): RunnerDefinition(
            status=text(runner, "status", _LONGEST_ID),
            name=_text_or_none(runner, "name"),
            sort_priority=whole(runner, "sortPriority", 0, 2**31),
            adjustment_factor=_number_or_none(runner, "adjustmentFactor"),
            starting_price=price_or_none(runner.get("bsp"), "bsp"),
            removed_at=_text_or_none(runner, "removalDate"),
        )
        for runner in told
    }
    return dict(sorted(found.items(), key=lambda entry: entry[1].sort_priority))
