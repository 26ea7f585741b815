"""A `marketDefinition`: what a market is, as opposed to what is offered on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.feeds.adapter import Malformed

from .values import (
    flag,
    is_number,
    label,
    microseconds,
    needed_objects,
    number_or_none,
    price_or_none,
    shown,
    text,
    whole,
)

Key = tuple[int, float]
"""Selection id and handicap (0 where there is none): what tells the runners of a market apart."""

MOST_RUNNERS = 1_000
_LARGEST_ID = 2**53
_LARGEST_HANDICAP = 1_000_000
_LARGEST_FACTOR = 1_000
# Betting types whose prices are odds; those of LINE and RANGE are goals, runs or points.
_IN_ODDS = frozenset(("ODDS", "ASIAN_HANDICAP_SINGLE_LINE", "ASIAN_HANDICAP_DOUBLE_LINE", "FIXED_ODDS"))
_LINE = "LINE"


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
    """``starts_at`` in microseconds since 1970; ``each_way_divisor`` 4 pays a quarter of the odds for a place.

    ``betting_type`` is what the prices are; ODDS where the provider does not say (its older files do not).
    """

    version: int
    status: str
    in_play: bool
    bet_delay: int
    winners: int
    betting_type: str
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

    @property
    def is_in_odds(self) -> bool:
        """Whether prices are odds. A kind that we do not know is none."""
        return self.betting_type in _IN_ODDS

    @property
    def is_line(self) -> bool:
        """Whether prices are lines, each at even money."""
        return self.betting_type == _LINE


def definition(told: object) -> Definition:
    """Read a `marketDefinition`.

    Raises:
        Malformed: a field is missing or of the wrong kind.
    """
    if not isinstance(told, dict):
        raise Malformed(f"marketDefinition is {shown(told)}; it is an object")
    return Definition(
        version=whole(told, "version", 0, _LARGEST_ID),
        status=text(told, "status"),
        in_play=flag(told, "inPlay"),
        bet_delay=whole(told, "betDelay", 0, 3_600),
        winners=whole(told, "numberOfWinners", 0, 1_000),
        betting_type="ODDS" if told.get("bettingType") is None else text(told, "bettingType"),
        each_way_divisor=number_or_none(told, "eachWayDivisor", _LARGEST_FACTOR),
        event_id=text(told, "eventId"),
        event_type_id=text(told, "eventTypeId"),
        market_type=text(told, "marketType"),
        starts_at=microseconds(told, "marketTime"),
        name=label(told, "name"),
        event_name=label(told, "eventName"),
        venue=label(told, "venue"),
        runners=_runners(told),
    )


def runner_key(told: Mapping[str, Any]) -> Key:
    """The key of a runner or of its change.

    Raises:
        Malformed: there is no selection id, or the handicap is no number.
    """
    handicap = told.get("hc")
    if handicap is None:
        return whole(told, "id", 0, _LARGEST_ID), 0
    if not is_number(handicap) or not -_LARGEST_HANDICAP <= handicap <= _LARGEST_HANDICAP:
        raise Malformed(f"hc is {shown(handicap)}; a handicap is a number")
    return whole(told, "id", 0, _LARGEST_ID), handicap


def _runners(told: Mapping[str, Any]) -> dict[Key, RunnerDefinition]:
    found: dict[Key, RunnerDefinition] = {}
    for runner in needed_objects(told, "runners", MOST_RUNNERS):
        key = runner_key(runner)
        if key in found:
            raise Malformed(f"runners has {shown(key)} twice; each runner is there once")
        found[key] = RunnerDefinition(
            status=text(runner, "status"),
            name=label(runner, "name"),
            sort_priority=whole(runner, "sortPriority", 0, 2**31),
            adjustment_factor=number_or_none(runner, "adjustmentFactor", _LARGEST_FACTOR),
            starting_price=price_or_none(runner.get("bsp"), "bsp"),
            removed_at=label(runner, "removalDate"),
        )
    return dict(sorted(found.items(), key=lambda entry: entry[1].sort_priority))
