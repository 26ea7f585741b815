"""Bonuses are granted, wagered, and end as cash or as nothing. A player has one at a time."""

import numpy as np

from backoffice.simulator.durations import DAY
from backoffice.simulator.operator.arrays import Flags, Ids, Ints
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.people import FREE_BET, MATCH, NEVER, NO_BONUS, SPINS, none, owners
from backoffice.simulator.operator.world import World

KINDS = ("", "deposit_match", "free_spins", "free_bet")
# How many new players take the welcome bonus, and what it is at the most, in euro cents.
WELCOMED = 0.45
MOST_WELCOME = 10_000
VALID_FOR = 7 * DAY
# Times the amount that has to be staked, in thousandths.
WAGERING = {MATCH: 8_000, SPINS: 5_000, FREE_BET: 1_000}
# Share of visits that begin with an offer taken, and the sums.
OFFERS = {SPINS: 0.035, FREE_BET: 0.02}
SPIN_COUNTS = (10, 20, 50)
FREE_BETS = (500, 1_000, 2_000)
_GIVEN_UP = 0.04


def welcome(world: World, who: Ints) -> None:
    """The first deposit of a new player is matched, where the player wants that."""
    players = world.players
    first = who[~players["welcomed"][who]]
    players["welcomed"][first] = True
    draws = world.chance.uniform("welcome", players["key"][first], players["clock"][first])
    wanted = first[(draws < WELCOMED) | (players["group"][first] > 0)]
    wanted = wanted[players["bonus_kind"][wanted] == NO_BONUS]
    most = (MOST_WELCOME * players["unit"][wanted]).astype(np.int64)
    _grant(world, wanted, MATCH, "welcome", np.minimum(players["deposit_amount"][wanted], most))


def offer(world: World, who: Ints) -> None:
    """Free spins and free bets for some of those who come in."""
    players = world.players
    for kind, campaign in ((SPINS, "weekend"), (FREE_BET, "derby")):
        free = who[(players["bonus_kind"][who] == NO_BONUS) & players["welcomed"][who]]
        key, at = players["key"][free], players["clock"][free]
        taken = world.chance.uniform(campaign, key, at) < OFFERS[kind]
        free, key, at = free[taken], key[taken], at[taken]
        place = (world.chance.uniform("size of offer", key, at) ** 2 * 3).astype(np.int64)
        if kind == SPINS:
            players["spins"][free] = np.array(SPIN_COUNTS)[place]
            _grant(world, free, kind, campaign, np.zeros(len(free), np.int64))
        else:
            sums = np.array(FREE_BETS)[place] * players["unit"][free]
            _grant(world, free, kind, campaign, sums.astype(np.int64))


def bet_with(world: World, who: Ints, at: Ints, stake: Ints, is_bonus: Flags) -> None:
    """Rounds of players with a bonus in force count towards its wagering; then look whether it is done."""
    players = world.players
    counts = (players["bonus_kind"][who] != NO_BONUS) & (players["spins"][who] == 0)
    counts &= players["bonus_kind"][who] != FREE_BET
    if not counts.any():
        return
    who, at, stake, is_bonus = who[counts], at[counts], stake[counts], is_bonus[counts]
    np.subtract.at(players["to_wager"], who, stake)
    round_ids = ids(world.chance, "round", players["key"][who], at)
    _emit_use(world, who, at + 3, np.where(is_bonus, stake, 0), stake, round_id=round_ids)
    review(world, np.unique(who))


def use_free_bet(world: World, who: Ints, at: Ints, amount: Ints, bet_ids: Ids) -> None:
    """The whole of a free bet is staked."""
    world.players["bonus_cash"][who] -= amount
    world.players["bonus_bets"][who] += 1
    _emit_use(world, who, at, amount, amount, bet_id=bet_ids)


def spin_wins(world: World, who: Ints, at: Ints, won: Ints, round_ids: Ids) -> None:
    """A free spin was played; what it won is credited, and has to be wagered."""
    players = world.players
    nothing = np.zeros(len(who), np.int64)
    _emit_use(world, who, at, nothing, nothing, round_id=round_ids)
    players["bonus_cash"][who] += won
    players["to_wager"][who] += won * WAGERING[SPINS] // 1_000
    lucky = won > 0
    world.slice.emit(
        "BonusCredited", owners(players, who[lucky]), at[lucky] + 1,
        amount=won[lucky], bonus_id=players["bonus"][who[lucky]],
    )  # fmt: skip
    review(world, who)


def review(world: World, who: Ints) -> None:
    """End bonuses that are wagered as they have to be, or played out; not while a bet on them is open."""
    players = world.players
    done = (players["bonus_kind"][who] != NO_BONUS) & (players["spins"][who] == 0) & (players["bonus_bets"][who] == 0)
    who = who[done]
    if not len(who):
        return
    out = players["bonus_cash"][who] < np.maximum(20 * players["unit"][who], 1)
    _forfeit(world, who[out], "played out")
    rest = who[~out]
    _convert(world, rest[(players["to_wager"][rest] <= 0)])


def end_bonuses(world: World, who: Ints, until: Ints | int) -> None:
    """Bonuses whose time is over are forfeited."""
    players = world.players
    late = who[(players["bonus_expires"][who] < until) & (players["bonus_bets"][who] == 0)]
    if len(late):
        world.reach(late, players["bonus_expires"][late])
        players["spins"][late] = 0
        _forfeit(world, late, "time is over")


def give_up(world: World, who: Ints) -> None:
    """Some do not want their bonus any more, mostly to withdraw."""
    players = world.players
    who = who[(players["bonus_kind"][who] == MATCH) & (players["bonus_bets"][who] == 0)]
    draws = world.chance.uniform("giving up", players["key"][who], players["clock"][who])
    _forfeit(world, who[draws < _GIVEN_UP], "player request")


def _grant(world: World, who: Ints, kind: int, campaign: str, amount: Ints) -> None:
    if not len(who):
        return
    players = world.players
    at = players["clock"][who].copy()
    players["bonus"][who] = ids(world.chance, "bonus", players["key"][who], at)
    players["bonus_kind"][who] = kind
    players["bonus_cash"][who] = amount
    players["to_wager"][who] = amount * WAGERING[kind] // 1_000
    players["bonus_expires"][who] = at + VALID_FOR
    world.slice.emit(
        "BonusGranted", owners(players, who), world.tick(who),
        bonus_id=players["bonus"][who], campaign=campaign, kind=KINDS[kind], amount=amount,
        spins=players["spins"][who].astype(np.int64), wagering_thousandths=WAGERING[kind], expires_at=at + VALID_FOR,
    )  # fmt: skip
    given = who[amount > 0]
    world.slice.emit(
        "BonusCredited", owners(players, given), world.tick(given),
        amount=amount[amount > 0], bonus_id=players["bonus"][given],
    )  # fmt: skip


def _forfeit(world: World, who: Ints, reason: str) -> None:
    players = world.players
    amount = players["bonus_cash"][who]
    named = {"bonus_id": players["bonus"][who], "amount": amount}
    world.slice.emit("BonusExpired", owners(players, who), world.tick(who), reason=reason, **named)
    _move_rest(world, who, "BonusForfeited")
    _forget(world, who)


def _convert(world: World, who: Ints) -> None:
    players = world.players
    amount = players["bonus_cash"][who]
    named = {"bonus_id": players["bonus"][who], "amount": amount}
    world.slice.emit("BonusCompleted", owners(players, who), world.tick(who), **named)
    players["cash"][who] += amount
    _move_rest(world, who, "BonusConverted")
    _forget(world, who)


def _move_rest(world: World, who: Ints, record: str) -> None:
    players = world.players
    some = who[players["bonus_cash"][who] > 0]
    world.slice.emit(
        record, owners(players, some), world.tick(some),
        amount=players["bonus_cash"][some], bonus_id=players["bonus"][some],
    )  # fmt: skip


def _forget(world: World, who: Ints) -> None:
    players = world.players
    players["bonus"][who] = none(len(who))
    players["bonus_kind"][who] = NO_BONUS
    players["bonus_expires"][who] = NEVER
    for name in ("bonus_cash", "to_wager", "spins"):
        players[name][who] = 0


def _emit_use(world: World, who: Ints, at: Ints, amount: Ints, wagered: Ints, **cause: Ids) -> None:
    players = world.players
    named = {"bonus_id": players["bonus"][who], "amount": amount, "wagered": wagered}
    world.slice.emit("BonusUsed", owners(players, who), at, **named, **cause)
