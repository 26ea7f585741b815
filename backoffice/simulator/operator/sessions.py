"""Visits begin and end."""

import numpy as np

from backoffice.simulator.durations import MINUTE
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Ints
from backoffice.simulator.operator.columns import Words
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.people import access, none, owners
from backoffice.simulator.operator.world import World

_LONGEST_MINUTES = 600


def begin_visits(world: World, who: Ints) -> None:
    """Begin a visit of these players."""
    players = world.players
    at = players["clock"][who].copy()
    minutes = world.chance.lognormal("visit minutes", players["key"][who], at, *rates.VISIT_MINUTES)
    players["session"][who] = ids(world.chance, "session", players["key"][who], at)
    players["online"][who] = True
    players["left"][who] = 0
    players["leaves_at"][who] = at + np.minimum(minutes, _LONGEST_MINUTES) * MINUTE
    columns = {"session_id": players["session"][who], **access(players, who)}
    world.slice.emit("LoginSucceeded", owners(players, who), world.tick(who), **columns)
    world.slice.emit("SessionStarted", owners(players, who), world.tick(who), **columns)


def end_visits(world: World, who: Ints, reason: Words | str) -> None:
    """End the visits of these players now; they have one."""
    players = world.players
    columns = {"session_id": players["session"][who], "reason": reason, **access(players, who)}
    world.slice.emit("SessionEnded", owners(players, who), world.tick(who), **columns)
    players["online"][who] = False
    players["session"][who] = none(len(who))
