"""Rounds of slots, table and live games, in runs: a game and a stake are chosen, then round follows round.

All rounds of all players' runs in a slice are drawn at once. A run is played with cash, or with bonus money where the
cash is too little for the stake; it ends early when the money does.
"""

from typing import NamedTuple

import numpy as np

from backoffice.simulator.durations import SECOND
from backoffice.simulator.operator import games, rates
from backoffice.simulator.operator.arrays import Flags, Floats, Ints, Keys, places, shares
from backoffice.simulator.operator.bonuses import bet_with, spin_wins
from backoffice.simulator.operator.columns import Column, Words
from backoffice.simulator.operator.faults import overpaid
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.people import SPINS, bonus_money, harm, owners
from backoffice.simulator.operator.slices import of
from backoffice.simulator.operator.world import World

_SECONDS = np.array([game.seconds for game in games.GAMES])
_JACKPOTS = np.array([game.jackpot for game in games.GAMES])
_JACKPOT_SUMS = np.array([cents for cents, _ in games.JACKPOTS], np.float64)
_JACKPOT_SHARES = shares([share for _, share in games.JACKPOTS])
_OF_VERTICAL = tuple(
    np.array([number for number, game in enumerate(games.GAMES) if game.vertical == vertical])
    for vertical in games.VERTICALS
)
_POPULARITY = tuple(shares([games.GAMES[number].popularity for number in numbers]) for numbers in _OF_VERTICAL)
_FREE_SPIN = 10
_CHOOSING = 3 * SECOND
# Microseconds that a round's events take, one each.
_EVENTS_OF_ROUND = 8


class Rounds(NamedTuple):
    """``player`` is the place of the player, ``at`` when the stake is taken; sums in minor units."""

    player: Ints
    at: Ints
    game: Ints
    stake: Ints
    win: Ints
    jackpot: Ints
    is_bonus: Flags


def begin_runs(world: World, who: Ints, vertical: Ints) -> None:
    """Choose a game of the vertical (0 slots, 1 table, 2 live), a stake and how many rounds, and play."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    draws = chance.uniform("game", key, at)
    game = np.zeros(len(who), np.int64)
    for number, (choices, popularity) in enumerate(zip(_OF_VERTICAL, _POPULARITY, strict=True)):
        mine = vertical == number
        game[mine] = choices[np.searchsorted(popularity, draws[mine], side="right")]
    cents = chance.lognormal("stake", key, at, players["casino_stake"][who], rates.CASINO_STAKE[2])
    cents = np.maximum(_round_stake(cents * np.sqrt(harm(players, who, at))), rates.LEAST_STAKE)
    rounds = np.log1p(-chance.uniform("rounds", key, at)) / np.log1p(-1 / rates.RUN_ROUNDS)
    most = np.maximum(players["cash"][who], bonus_money(players, who))
    players["game"][who] = game
    players["stake"][who] = np.clip((cents * players["unit"][who]).astype(np.int64), 1, most)
    world.tick(who, _CHOOSING)
    players["left"][who] = np.maximum(rounds.astype(np.int64) // np.where(vertical == 0, 1, 3), 1)
    play_on(world, who)


def play_on(world: World, who: Ints) -> None:
    """Go on with the runs of these players until they, the visit or the slice end."""
    rounds, left_out = _drawn(world, who)
    players = world.players
    count = np.bincount(rounds.player, minlength=len(players))[who]
    players["left"][who] = np.where(left_out, 0, players["left"][who] - count)
    _settle(world, rounds)
    bet_with(world, rounds.player, rounds.at, rounds.stake, rounds.is_bonus)
    until = np.minimum(players["leaves_at"][who], world.slice.end)
    goes_on = (players["left"][who] > 0) | ((count == 0) & ~left_out)
    world.reach(who, np.where(goes_on, until, 0))


def spin_free(world: World, who: Ints) -> None:
    """One free spin each; what it wins is bonus money that has to be wagered."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who].copy()
    game = np.full(len(who), 2, np.int64)
    value = (_FREE_SPIN * players["unit"][who]).astype(np.int64)
    won = value * games.multiples(game, chance.uniform("free spin", key, at)) // 100
    nothing = np.zeros(len(who), np.int64)
    rounds = Rounds(who, at, game, nothing, won, nothing, np.ones(len(who), bool))
    round_ids = ids(chance, "round", key, at)
    _emit_rounds(world, rounds, round_ids)
    players["spins"][who] -= 1
    players["clock"][who] = at + 4 * SECOND
    spin_wins(world, who, at + 2, won, round_ids)


def _drawn(world: World, who: Ints) -> tuple[Rounds, Flags]:
    """The rounds that fit into the slice and the money, and which players ran out of money."""
    players, chance = world.players, world.chance
    game, stake = players["game"][who].astype(np.int64), players["stake"][who]
    cash, bonus = players["cash"][who], bonus_money(players, who)
    is_bonus = (cash < stake) & (bonus >= stake)
    gap = (_SECONDS[game] * players["tempo"][who] * SECOND).astype(np.int64)
    start = players["clock"][who]
    until = np.minimum(players["leaves_at"][who], world.slice.end)
    count = np.minimum(players["left"][who], -(-(until - start) // gap))
    owner, place = places(np.maximum(count, 0))
    key = players["key"][who][owner]
    at = start[owner] + place * gap[owner]
    at += (chance.uniform("pause", key, at) * (gap[owner] - _EVENTS_OF_ROUND)).astype(np.int64)
    win, jackpot = _wins(world, key, at, game[owner], stake[owner], players["unit"][who][owner])
    gain = win - stake[owner] + np.where(is_bonus[owner], 0, jackpot)
    before = np.where(is_bonus, bonus, cash)[owner] + _sums_before(gain, owner, place)
    broke = _any_up_to(before < stake[owner], owner, place)
    keep = ~broke & (at < until[owner])
    rounds = Rounds(who[owner], at, game[owner], stake[owner], win, jackpot, is_bonus[owner])
    ruined = np.bincount(owner[broke & (at < until[owner])], minlength=len(who)) > 0
    return Rounds(*(column[keep] for column in rounds)), ruined


def _wins(world: World, key: Keys, at: Ints, game: Ints, stake: Ints, unit: Floats) -> tuple[Ints, Ints]:
    """What the rounds pay: by the game's table, and as a jackpot beside it."""
    chance = world.chance
    paid = overpaid(world.faults, games.multiples(game, chance.uniform("round", key, at)), game, at)
    hits = chance.uniform("jackpot", key, at) < _JACKPOTS[game]
    jackpot = np.zeros(len(at), np.int64)
    sums = _JACKPOT_SUMS[chance.pick("jackpot level", key[hits], at[hits], _JACKPOT_SHARES)]
    jackpot[hits] = (sums * unit[hits]).astype(np.int64)
    return stake * paid // 100, jackpot


def _settle(world: World, rounds: Rounds) -> None:
    """Move the money of the rounds and tell of it: the stake, the round, what it won."""
    players, who = world.players, rounds.player
    if not len(who):
        return
    round_ids = ids(world.chance, "round", players["key"][who], rounds.at)
    cash_stake, cash_win, bonus_stake, bonus_win = _purses(rounds)
    size = len(players)
    np.add.at(players["cash"], who, cash_win - cash_stake)
    np.add.at(players["bonus_cash"], who, bonus_win - bonus_stake)
    last = np.zeros(size, np.int64)
    np.maximum.at(last, who, rounds.at)
    played = np.unique(who)
    players["clock"][played] = last[played] + _EVENTS_OF_ROUND
    about = owners(players, who)
    vertical = Words(rounds.game, games.GAME_VERTICALS)
    world.slice.emit(
        "StakeTaken", about, rounds.at,
        amount=cash_stake, bonus_amount=bonus_stake, vertical=vertical, round_id=round_ids,
    )  # fmt: skip
    _emit_rounds(world, rounds, round_ids)
    won = np.flatnonzero(rounds.win + rounds.jackpot)
    world.slice.emit(
        "WinningsPaid", of(about, won), rounds.at[won] + 2,
        amount=cash_win[won], bonus_amount=bonus_win[won], round_id=round_ids[won],
        vertical=Words(rounds.game[won], games.GAME_VERTICALS),
    )  # fmt: skip


def _purses(rounds: Rounds) -> tuple[Ints, Ints, Ints, Ints]:
    """Stake and winnings in cash, jackpots among them, and in bonus money."""
    bonus_stake = np.where(rounds.is_bonus, rounds.stake, 0)
    bonus_win = np.where(rounds.is_bonus, rounds.win, 0)
    return rounds.stake - bonus_stake, rounds.win - bonus_win + rounds.jackpot, bonus_stake, bonus_win


def _emit_rounds(world: World, rounds: Rounds, round_ids: Column) -> None:
    players, who = world.players, rounds.player
    cash_stake, cash_win, bonus_stake, bonus_win = _purses(rounds)
    began = rounds.at - (_SECONDS[rounds.game] * SECOND * 0.7).astype(np.int64)
    world.slice.emit(
        "RoundCompleted", owners(players, who), rounds.at + 1,
        round_id=round_ids, game_id=Words(rounds.game, games.IDS), provider=Words(rounds.game, games.PROVIDERS),
        vertical=Words(rounds.game, games.GAME_VERTICALS), stake=cash_stake, win=cash_win - rounds.jackpot,
        jackpot_win=rounds.jackpot, bonus_stake=bonus_stake, bonus_win=bonus_win,
        session_id=players["session"][who], started_at=began,
    )  # fmt: skip


def _sums_before(values: Ints, owner: Ints, place: Ints) -> Ints:
    """For each element the sum of those before it in its run."""
    sums = np.cumsum(values) - values
    first = np.flatnonzero(place == 0)
    return sums - sums[first][np.cumsum(place == 0) - 1] if len(owner) else sums


def _any_up_to(flags: Flags, owner: Ints, place: Ints) -> Flags:
    """Whether the flag of an element, or of one before it in its run, is set."""
    return (_sums_before(flags.astype(np.int64), owner, place) + flags) > 0


def _round_stake(cents: Floats) -> Floats:
    """Stakes as the games offer them."""
    step = np.where(cents < 100, 10, np.where(cents < 500, 50, np.where(cents < 2_000, 100, 500)))
    return np.asarray(np.round(cents / step) * step)


def has_spins(world: World, who: Ints) -> Flags:
    players = world.players
    return np.asarray((players["bonus_kind"][who] == SPINS) & (players["spins"][who] > 0))
