"""Players open accounts, and close them."""

import numpy as np

from backoffice.simulator.durations import DAY, HOUR, SECOND
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Ints, Rows
from backoffice.simulator.operator.identities import identity
from backoffice.simulator.operator.people import CLOSED, made, owners
from backoffice.simulator.operator.protection import set_first_limits
from backoffice.simulator.operator.sessions import begin_visits
from backoffice.simulator.operator.world import World

# The first players opened their accounts in so many days before the engine's first slice.
FOUNDING_DAYS = 300
_CLOSING = 0.02


def found(world: World) -> None:
    """The players that are there from the beginning; their accounts are older than everything else."""
    numbers = np.arange(world.wanted_now())
    keys = world.chance.keys("founding", numbers)
    age = world.chance.uniform("age of account", keys, numbers) ** 1.5 * FOUNDING_DAYS * DAY
    at = np.sort(world.now - HOUR - age.astype(np.int64))
    world.numbers = len(numbers)
    who = world.join(made(world.chance, numbers, at))
    # Those who came long ago and still come are the ones who stay.
    world.players["lapses_at"] = np.maximum(world.players["lapses_at"], world.now + (at % (90 * DAY)))
    past = world.chance.uniform("deposited before", world.players["key"], at) * rates.CDD_THRESHOLD
    world.players["deposited"] = past * world.players["unit"]
    harmed = world.players["harmed_at"] < world.now
    world.players["harmed_at"][harmed] += world.now - at[harmed]
    open_accounts(world, who)


def register(world: World) -> None:
    """New players of this slice; each of them stays for a first visit."""
    span = world.slice
    mean = world.wanted_now() * (rates.RENEWAL + world.growing()) * (span.end - span.start) / DAY
    count = world.chance.count("arrivals", span.start, mean)
    if count:
        numbers = np.arange(world.numbers, world.numbers + count)
        keys = world.chance.keys("arrival", numbers)
        at = span.start + world.chance.uniform("arrival", keys, numbers) * (span.end - span.start)
        world.numbers += count
        admit(world, made(world.chance, numbers, at.astype(np.int64)))


def admit(world: World, newcomers: Rows) -> Ints:
    """Open accounts for these players, who come in at once; their places."""
    who = world.join(newcomers)
    open_accounts(world, who)
    begin_visits(world, who)
    return who


def close_accounts(world: World) -> None:
    """Some of those who have not come for long and have nothing here any more leave for good."""
    players, end = world.players, world.slice.end
    idle = (players["status"] != CLOSED) & ~players["online"] & (players["lapses_at"] < end - 14 * DAY)
    empty = (players["cash"] == 0) & (players["bonus_kind"] == 0) & (players["open_bets"] == 0)
    quiet = (players["deposit_id"] == b"") & (players["withdrawal_id"] == b"") & (players["document"] == b"")
    who = np.flatnonzero(idle & empty & quiet & (players["clock"] < end))
    draws = world.chance.uniform("closing", players["key"][who], np.full(len(who), end))
    who = who[draws < _CLOSING * (end - world.slice.start) / DAY]
    players["status"][who] = CLOSED
    players["clock"][who] = np.maximum(players["clock"][who], world.slice.start)
    world.slice.emit(
        "PlayerStatusChanged", owners(players, who), world.tick(who),
        status="closed", previous_status="active", reason="player request", actor="player",
    )  # fmt: skip


def open_accounts(world: World, who: Ints) -> None:
    """Tell of new accounts; their players are not there yet."""
    players, chance, emit = world.players, world.chance, world.slice.emit
    key = players["key"][who]
    at = world.tick(who)
    emit("PlayerRegistered", owners(players, who), at, **identity(chance, players, who, at))
    emit(
        "PlayerStatusChanged", owners(players, who), world.tick(who),
        status="active", reason="account opened", actor="system",
    )  # fmt: skip
    emit(
        "PlayerVerified", owners(players, who), world.tick(who),
        verification="pending", method="electronic", provider="identico",
    )  # fmt: skip
    at_once = chance.uniform("verified at once", key, at) < rates.VERIFIED_AT_ONCE
    waiting = np.where(at_once, 20 * SECOND, (1 + chance.uniform("verified", key, at) * 72) * HOUR)
    players["verified_at"][who] = at + waiting.astype(np.int64)
    first = who[chance.uniform("first limit", key, at) < rates.LIMITS_AT_REGISTRATION]
    set_first_limits(world, first)
