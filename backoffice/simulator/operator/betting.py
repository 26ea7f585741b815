"""Bets are placed on the quotes of the moment; what will become of each is worked out with it.

The course of a match is decided by the seed, so that the fate of a bet is known here and waits in its row for the
moment at which the operator knows it.
"""

from collections.abc import Sequence

import numpy as np

from backoffice.simulator.brands import CHANNELS
from backoffice.simulator.durations import MINUTE, SECOND
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Flags, Floats, Ints, Rows
from backoffice.simulator.operator.bonuses import use_free_bet
from backoffice.simulator.operator.columns import Later, Words
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.people import FREE_BET, none, owners
from backoffice.simulator.operator.sportsbook import Choice
from backoffice.simulator.operator.tickets import (
    BET,
    CASHED_OUT,
    KINDS,
    SETTLED,
    TOO_HIGH,
    TOO_LOW,
    VOIDED,
)
from backoffice.simulator.operator.tickets import legs_column as legs_of
from backoffice.simulator.operator.world import World
from backoffice.simulator.sport.quotes import RESULTS
from trading.domain.cash_out import cash_out
from trading.domain.legs import THOUSAND, Leg
from trading.domain.lines import Combination, accumulator
from trading.domain.settlement import Terms, payout, potential_payout

# Legs of a bet: cumulative shares of 1, 2, … legs; how many of the larger ones are systems.
_LEGS = np.cumsum([0.72, 0.12, 0.08, 0.05, 0.03])
_SYSTEMS = 0.2
_MOST_PAYOUT = 25_000_000
_CASH_OUTS, _CASH_OUT_MARGIN = 0.06, 60_000
_VOIDS, _WRONG = 0.004, 0.003
_BETWEEN_BETS = 25.0
_MILLION = 1_000_000


def bet(world: World, who: Ints) -> None:
    """Each of these players looks for a bet; a free bet is used first."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who].copy()
    wanted = np.searchsorted(_LEGS, chance.uniform("legs", key, at) * _LEGS[-1], side="right") + 1
    is_free = _has_free_bet(world, who)
    wanted = np.where(is_free, 1, wanted)
    draws = [
        (chance.uniform(f"match {number}", key, at), chance.uniform(f"outcome {number}", key, at))
        for number in range(int(wanted.max(initial=0)))
    ]
    tickets = [_ticket(world, row, int(at[row]), int(wanted[row]), draws) for row in range(len(who))]
    found = np.array([bool(ticket) for ticket in tickets], bool)
    place_bets(world, who[found], [ticket for ticket in tickets if ticket], _stakes(world, who)[found], is_free[found])
    pause = chance.uniform("pause after bet", key, at) * 2 * _BETWEEN_BETS * SECOND
    world.reach(who, at + 10 + pause.astype(np.int64))


def place_bets(world: World, who: Ints, tickets: Sequence[list[Choice]], stakes: Ints, is_free: Flags) -> None:
    """Place a bet each, with cash or as a free bet; a player comes once."""
    if not len(who):
        return
    players, chance = world.players, world.chance
    stakes = np.where(is_free, players["bonus_cash"][who], np.minimum(stakes, players["cash"][who]))
    at = world.tick(who, 4)
    key = players["key"][who]
    bet_ids = ids(chance, "bet", key, at)
    sizes = _system_sizes(tickets, chance.uniform("system", key, at))
    rows = np.zeros(len(who), BET)
    rows["id"], rows["player"], rows["stake"], rows["is_free"] = bet_ids, who, stakes, is_free
    draws = chance.uniform("fate", key, at)
    waits = chance.uniform("moment of fate", key, at)
    potentials = [
        _foretell(rows, row, ticket, int(sizes[row]), (float(draws[row]), float(waits[row])), int(at[row]))
        for row, ticket in enumerate(tickets)
    ]
    players["open_bets"][who] += 1
    players["cash"][who] -= np.where(is_free, 0, stakes)
    world.bets = np.concatenate([world.bets, rows])
    _emit_bets(world, who, at, rows, tickets, sizes, np.array(potentials, np.int64))
    free = who[is_free]
    use_free_bet(world, free, at[is_free] + 2, stakes[is_free], bet_ids[is_free])


def can_bet(world: World, who: Ints) -> Flags:
    """Who has the money for the least stake, or a free bet."""
    players = world.players
    return np.asarray((players["cash"][who] >= rates.LEAST_BET * players["unit"][who]) | _has_free_bet(world, who))


def _has_free_bet(world: World, who: Ints) -> Flags:
    players = world.players
    return np.asarray((players["bonus_kind"][who] == FREE_BET) & (players["bonus_cash"][who] > 0))


def _ticket(world: World, row: int, at: int, legs: int, draws: Sequence[tuple[Floats, Floats]]) -> list[Choice]:
    """Legs on different fixtures; fewer than wanted where a match takes no bets just now."""
    ticket: dict[str, Choice] = {}
    for match, outcome in draws[:legs]:
        choice = world.sportsbook.choose(at, float(match[row]), float(outcome[row]))
        if choice is not None:
            ticket.setdefault(choice.fixture.id, choice)
    return list(ticket.values())


def _stakes(world: World, who: Ints) -> Ints:
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    cents = chance.lognormal("bet stake", key, at, players["bet_stake"][who], rates.BET_STAKE[2])
    step = np.where(cents < 500, 50, np.where(cents < 2_000, 100, 500))
    rounded = np.maximum(np.round(cents / step) * step, rates.LEAST_BET)
    return np.asarray(np.maximum((rounded * players["unit"][who]).astype(np.int64), 1))


def _system_sizes(tickets: Sequence[list[Choice]], draws: Floats) -> Ints:
    """The m of an m-of-n system; 0 for a bet that is none."""
    counts = np.array([len(ticket) for ticket in tickets])
    return np.where((counts > 2) & (draws < _SYSTEMS), counts - 1, 0)


def _foretell(rows: Rows, row: int, ticket: list[Choice], size: int, draws: tuple[float, float], at: int) -> int:
    """Write down what becomes of a bet, and when; what it pays at the most.

    A bet that could pay too much is cut down to its first leg.
    """
    stake = int(rows["stake"][row])
    terms = Terms(stake, Combination((size,)) if size else accumulator(len(ticket)))
    potential = potential_payout(terms, [leg.odds for leg in ticket])
    if potential > _MOST_PAYOUT and len(ticket) > 1:
        del ticket[1:]
        size, terms = 0, Terms(stake, accumulator(1))
        potential = potential_payout(terms, [ticket[0].odds])
    legs = [leg.settled() for leg in ticket]
    _write_results(rows[row : row + 1], legs)
    rows["payout"][row] = rows["correct"][row] = payout(terms, legs)
    rows["due"][row] = max(leg.known_at for leg in ticket)
    rows["number"][row] = 1
    _choose_fate(rows[row : row + 1], ticket, draws, at, is_plain=size == 0)
    return potential


def _write_results(bet: Rows, legs: list[Leg]) -> None:
    bet["legs"] = len(legs)
    for place, leg in enumerate(legs):
        bet["results"][0, place] = RESULTS.index(leg.win.result)
        bet["voids"][0, place] = leg.void_share
        bet["heats"][0, place] = round(THOUSAND * leg.win.places / leg.win.tied)
        if leg.win.tied > 1:
            bet["places"][0, place], bet["tied"][0, place] = leg.win.places, leg.win.tied


def _choose_fate(bet: Rows, ticket: list[Choice], draws: tuple[float, float], at: int, *, is_plain: bool) -> None:
    """Most bets are settled as they are; some are cashed out before, made void, or settled wrongly at first."""
    fate, wait = draws
    bet["fate"] = SETTLED
    if fate < _VOIDS:
        bet["fate"], bet["due"] = VOIDED, at + int((bet["due"][0] - at) * wait)
    elif fate < _VOIDS + _WRONG and not bet["is_free"][0]:
        is_low = bet["correct"][0] > 0
        bet["fate"] = TOO_LOW if is_low else TOO_HIGH
        bet["payout"] = 0 if is_low else bet["stake"][0] * 2
    elif fate < _VOIDS + _WRONG + _CASH_OUTS and is_plain and not bet["is_free"][0]:
        moment = at + MINUTE + int((bet["due"][0] - at) * wait)
        offer = _offer(int(bet["stake"][0]), ticket, moment)
        if offer and moment < bet["due"][0]:
            bet["fate"], bet["due"], bet["payout"] = CASHED_OUT, moment, offer


def _offer(stake: int, ticket: list[Choice], moment: int) -> int:
    """What is offered for the bet at that moment; 0 while a leg cannot be valued."""
    chances = [_chance(leg, moment) for leg in ticket]
    if any(chance is None for chance in chances):
        return 0
    terms = Terms(stake, accumulator(len(ticket)))
    return cash_out(terms, [leg.odds for leg in ticket], [chance or 0 for chance in chances], _CASH_OUT_MARGIN)


def _chance(leg: Choice, moment: int) -> int | None:
    """In millionths; None while there is no price for it or it is decided."""
    quotes = leg.fixture.quotes(moment)
    place = np.flatnonzero((quotes.row == leg.row) & (quotes.status == 0))
    return int(quotes.chance[place[0]] * _MILLION) if place.size else None


def _emit_bets(
    world: World, who: Ints, at: Ints, rows: Rows, tickets: Sequence[list[Choice]], sizes: Ints, potentials: Ints
) -> None:
    players = world.players
    counts = rows["legs"].astype(np.int64)
    sizes = np.where(counts > 1, sizes, 0)
    is_free, about = rows["is_free"], owners(players, who)
    world.slice.emit(
        "BetPlaced", about, at,
        bet_id=rows["id"], stake=rows["stake"], kind=Words(np.where(sizes > 0, 2, np.minimum(counts - 1, 1)), KINDS),
        system_size=sizes, channel=Words(players["channel"][who].astype(np.int64), CHANNELS),
        is_in_play=np.array([any(leg.is_in_play for leg in ticket) for ticket in tickets], bool), is_free_bet=is_free,
        bonus_id=np.where(is_free, players["bonus"][who], none(len(who))), potential_payout=potentials,
        legs=Later(tickets, legs_of),
    )  # fmt: skip
    world.slice.emit(
        "StakeTaken", about, at + 1,
        amount=np.where(is_free, 0, rows["stake"]), bonus_amount=np.where(is_free, rows["stake"], 0),
        vertical="sports", bet_id=rows["id"],
    )  # fmt: skip
