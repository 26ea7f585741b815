"""When players come and how long they stay."""

import numpy as np

from backoffice.simulator.durations import DAY, SECOND
from backoffice.simulator.operator import rates, seasons
from backoffice.simulator.operator.arrays import Flags, Floats, Ints
from backoffice.simulator.operator.columns import Words
from backoffice.simulator.operator.due import settle_due
from backoffice.simulator.operator.people import ACTIVE, access, harm, owners
from backoffice.simulator.operator.sessions import begin_visits, end_visits
from backoffice.simulator.operator.world import World

_FAILURES = ("wrong password", "wrong second factor", "unknown device", "locked")
_FAILURE_CODES = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 3])
_IDLE_SHARE = 0.3


def log_in(world: World) -> None:
    """Those who are away and whom the hour brings in; each at a moment of its own in the slice."""
    players, chance, span = world.players, world.chance, world.slice
    away = np.flatnonzero(~players["online"] & (players["status"] == ACTIVE) & (players["clock"] < span.end))
    start = np.full(len(away), span.start)
    draws = chance.uniform("moment of visit", players["key"][away], start)
    at = (start + draws * (span.end - span.start)).astype(np.int64)
    hazard = _visits(world, away, at) * (span.end - span.start) / DAY
    comes = chance.uniform("visit", players["key"][away], start) < -np.expm1(-hazard)
    away, at = away[comes], at[comes]
    settle_due(world, away, at)
    world.reach(away, at)
    away = away[(players["exclusion"][away] == b"") & (players["clock"][away] < span.end)]
    _fail(world, away)
    # Who is still trying when the slice ends has given up.
    begin_visits(world, away[players["clock"][away] < span.end])


def log_out(world: World) -> None:
    """End the visits that are over in this slice."""
    players = world.players
    over = players["online"] & (players["leaves_at"] < world.slice.end) & (players["clock"] < world.slice.end)
    who = np.flatnonzero(over)
    players["clock"][who] = np.maximum(players["clock"][who], players["leaves_at"][who])
    draws = world.chance.uniform("idle", players["key"][who], players["clock"][who])
    end_visits(world, who, Words(np.where(draws < _IDLE_SHARE, 0, 1), ("idle", "logout")))


def _visits(world: World, who: Ints, at: Ints) -> Floats:
    """Visits a day, at the hour of these moments."""
    players = world.players
    usual = players["visits"][who] * world.level
    lapsed = players["lapses_at"][who] < at
    season = seasons.visits(players["country"][who].astype(np.int64), players["shift"][who], at)
    return usual * season * harm(players, who, at) * np.where(lapsed, rates.LAPSED_VISITS, 1.0)


def _fail(world: World, who: Ints) -> None:
    """Some need a second try to log in."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    failing: Flags = chance.uniform("failed login", key, at) < rates.FAILED_LOGINS
    who, key, at = who[failing], key[failing], at[failing]
    codes = _FAILURE_CODES[(chance.uniform("failure", key, at) * len(_FAILURE_CODES)).astype(np.int64)]
    reasons = Words(codes, _FAILURES)
    world.slice.emit(
        "LoginFailed", owners(players, who), world.tick(who, 9 * SECOND), reason=reasons, **access(players, who)
    )
