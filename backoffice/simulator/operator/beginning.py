"""How a run begins: where the last one stopped, or with an operator of its own and, where wanted, a history."""

from collections.abc import Callable
from dataclasses import dataclass
from math import expm1, log
from pathlib import Path

from backoffice.kernel.errors import Rejected
from backoffice.simulator.durations import DAY, SECOND
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.running import level_for
from backoffice.simulator.operator.state import load
from backoffice.simulator.operator.world import World

# What the whole way through Kafka and the projections takes in a second, with some room.
HISTORY_RATE = 35_000
# The share of the rate that players cause; the rest are moves of prices.
PLAY_SHARE = 0.7
# What the feeds and the price lists say in a day of history, and what share of the time is the players' all the same.
MARKET_EVENTS_A_DAY = 14_000
LEAST_HISTORY_SHARE = 0.2
FEWEST_PLAYERS, MOST_PLAYERS = 100, 100_000


@dataclass(frozen=True)
class Wanted:
    """``rate`` in events a second, ``start`` and ``history`` in microseconds; ``players`` None: as the rate needs."""

    seed: int
    rate: float
    players: int | None
    start: int
    history: int
    history_seconds: float
    faults: tuple[Fault, ...]


def begin(wanted: Wanted, state: Path | None, say: Callable[[str], object]) -> tuple[World, bool]:
    """The world to go on with, and whether it is a new one.

    Raises:
        Rejected: the state is not one of this seed, or cannot be read.
    """
    if state is None or not state.exists():
        return _new(wanted, say), True
    world = load(state)
    if world.seed != wanted.seed:
        raise Rejected(f"{state} is of seed {world.seed}; give that seed, or another file.")
    say("History is there already; going on from the state." if wanted.history else "Going on from the state.")
    return world, False


def _new(wanted: Wanted, say: Callable[[str], object]) -> World:
    rate = wanted.rate * PLAY_SHARE
    if wanted.history and rate > (affordable := _affordable_rate(wanted)):
        say(
            f"{wanted.history / DAY:g} days of history, growing up to {affordable:.3g} player events a second instead"
            f" of {rate:.3g}: fewer players, so that it takes no longer than about {wanted.history_seconds:g} s."
        )
        rate = affordable
    players = wanted.players or _players_for(rate)
    return World(
        seed=wanted.seed,
        now=wanted.start - wanted.history,
        wanted=players,
        level=level_for(rate, players),
        growth=_growth(wanted),
        grown_at=wanted.start,
        faults=wanted.faults,
    )


def _affordable_rate(wanted: Wanted) -> float:
    """Player events a second at the end of the history that can be stored in the time given, with all before them.

    What the markets say in it takes its share of the time. Newcomers play from their first day on.
    """
    events = HISTORY_RATE * wanted.history_seconds - MARKET_EVENTS_A_DAY * wanted.history / DAY
    most = max(events, LEAST_HISTORY_SHARE * HISTORY_RATE * wanted.history_seconds)
    growth = _growth(wanted)
    grown = growth * wanted.history / DAY
    mean = -expm1(-grown) / grown
    newcomers = 1 + growth / rates.MEAN_VISITS
    return most / (wanted.history / SECOND) / (mean * newcomers)


def _growth(wanted: Wanted) -> float:
    """By how much a day, as an exponent, the operator grows over its history."""
    return min(rates.GROWTH, log(rates.MOST_GROWN) / (wanted.history / DAY)) if wanted.history else 0.0


def _players_for(rate: float) -> int:
    """As many as cause the rate by visiting as often as players usually do."""
    return min(max(round(level_for(rate, 1)), FEWEST_PLAYERS), MOST_PLAYERS)
