"""One slice of the operator's life: who comes, what each of them does step by step, and what falls due."""

from collections.abc import Callable

import numpy as np

from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Array, Floats, Ints, shares
from backoffice.simulator.operator.arrivals import close_accounts, found, register
from backoffice.simulator.operator.betting import bet, can_bet
from backoffice.simulator.operator.casino import begin_runs, has_spins, play_on, spin_free
from backoffice.simulator.operator.due import settle_due
from backoffice.simulator.operator.feed import tell_markets
from backoffice.simulator.operator.incidents import happen
from backoffice.simulator.operator.payments import deposit, reverse, wants_reversal, withdraw
from backoffice.simulator.operator.people import bonus_money
from backoffice.simulator.operator.presence import log_in, log_out
from backoffice.simulator.operator.protection import (
    acts_of_protection,
    ask_for_documents,
    change_limits,
    contact,
    exclude,
)
from backoffice.simulator.operator.slices import Slice
from backoffice.simulator.operator.world import World

_SPORTS, _SLOTS, _TABLE, _LIVE = range(4)
_TASTES = shares([verticals for _, verticals in rates.TASTES])
# Microseconds that a choice takes, so that time goes by whatever comes of it.
_THINKING = 1_000
Act = Callable[[World, Ints], None]


def advance(world: World, end: int) -> Slice:
    """Let the operator live up to ``end``; what happened in that time."""
    world.slice = Slice(world.now, end, world.chance)
    if not len(world.players):
        found(world)
    everybody = np.arange(len(world.players))
    settle_due(world, everybody[~world.players["online"]], world.now)
    register(world)
    log_in(world)
    while len(who := _busy(world)):
        settle_due(world, who, world.players["clock"][who] + 1)
        _act(world, who[_is_there(world, who)])
    log_out(world)
    settle_due(world, np.arange(len(world.players)), end)
    close_accounts(world)
    happen(world)
    tell_markets(world)
    world.now = end
    return world.slice


def skip(world: World, end: int) -> Slice:
    """Leave the time up to ``end`` out: visits end, and what falls due is decided, but nobody does anything."""
    world.slice = Slice(world.now, end, world.chance)
    players = world.players
    players["leaves_at"] = np.minimum(players["leaves_at"], world.now)
    log_out(world)
    settle_due(world, np.arange(len(players)), end)
    tell_markets(world)
    world.now = end
    return world.slice


def _busy(world: World) -> Ints:
    return np.flatnonzero(_is_there(world, np.arange(len(world.players))))


def _is_there(world: World, who: Ints) -> Array:
    """Who is here and has time left in the slice and the visit."""
    players = world.players
    until = np.minimum(players["leaves_at"][who], world.slice.end)
    return np.asarray(players["online"][who] & (players["clock"][who] < until))


def _act(world: World, who: Ints) -> None:
    """The next act of each of these players, all who do the same at once."""
    rest = who
    for wants, act in _RARE:
        chosen = wants(world, rest)
        if chosen.any():
            act(world, rest[chosen])
            rest = rest[~chosen]
    ask_for_documents(world, rest)
    players = world.players
    spinning = has_spins(world, rest)
    running = ~spinning & (players["left"][rest] > 0)
    _each(world, rest[spinning], spin_free)
    _each(world, rest[running], play_on)
    _choose(world, rest[~spinning & ~running])


def _choose(world: World, who: Ints) -> None:
    """Without a run of rounds going on: get money, take it out, or play what the player likes."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], world.tick(who, _THINKING)
    funds = np.maximum(players["cash"][who], bonus_money(players, who))
    poor = funds < rates.LEAST_STAKE * players["unit"][who]
    pays = chance.uniform("redeposit", key, at) < rates.REDEPOSIT
    _leave(world, who[poor & ~pays])
    _each(world, who[poor & pays], deposit)
    rich = players["cash"][who] > players["deposit"][who] * players["unit"][who] * rates.WITHDRAW_ABOVE
    cashes = ~poor & rich & (chance.uniform("cash in", key, at) < rates.WITHDRAW)
    _each(world, who[cashes], withdraw)
    plays = ~poor & ~cashes
    _play(world, who[plays], chance.uniform("vertical", key, at)[plays])


def _play(world: World, who: Ints, draws: Floats) -> None:
    taste = _TASTES[world.players["taste"][who]]
    vertical = (draws[:, None] >= taste).sum(axis=1)
    bets = (vertical == _SPORTS) & can_bet(world, who)
    _each(world, who[bets], bet)
    rest = who[~bets]
    if len(rest):
        begin_runs(world, rest, np.maximum(vertical[~bets], _SLOTS) - _SLOTS)


def _leave(world: World, who: Ints) -> None:
    world.players["leaves_at"][who] = world.players["clock"][who]


def _each(world: World, who: Ints, act: Act) -> None:
    if len(who):
        act(world, who)


def _one_in(share: float) -> Callable[[World, Ints], Array]:
    return lambda world, who: acts_of_protection(world, who, share)


# What comes before play, and who wants it.
_RARE: tuple[tuple[Callable[[World, Ints], Array], Act], ...] = (
    (wants_reversal, reverse),
    (_one_in(rates.EXCLUSIONS), exclude),
    (_one_in(rates.LIMIT_CHANGES), change_limits),
    (_one_in(rates.CONTACTS), contact),
)
