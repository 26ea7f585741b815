"""How a market ends: winners drawn by their chances, with the pushes, half wins and dead heats of its kind."""

import random

from backoffice.simulator.bets import HALF_LOST, HALF_WON, LOST, VOID, WON, Result, dead_heat
from backoffice.simulator.book import Market, Outcome

_DEAD_HEAT_CHANCE = 0.08
_OF_THREE_CHANCE = 0.25
_PUSH_CHANCE = 0.15
_HALF_CHANCE = 0.4

Results = dict[str, Result]


def draw_results(market: Market, rng: random.Random) -> Results:
    """The result of every outcome, by its id; the outcomes take their final status."""
    if market.line is not None:
        return _total(market, rng)
    ranking = _ranking(market.active(), market.winners + 2, rng)
    results = {outcome.id: VOID if outcome.status == "removed" else LOST for outcome in market.outcomes}
    for outcome in ranking[: market.winners]:
        results[outcome.id] = WON
    if market.type in ("win", "place") and rng.random() < _DEAD_HEAT_CHANCE:
        # The last who won and the first who did not share the place; now and then the next one too.
        tied = ranking[market.winners - 1 :][: 3 if rng.random() < _OF_THREE_CHANCE else 2]
        for outcome in tied:
            results[outcome.id] = dead_heat(1, len(tied))
    _set_statuses(market, ranking[0], results)
    return results


def cancelled_results(market: Market) -> Results:
    return {outcome.id: VOID for outcome in market.outcomes}


def _total(market: Market, rng: random.Random) -> Results:
    """Over or under; a whole line can be hit exactly, a quarter line won or lost by half."""
    winner, loser = _ranking(market.active(), 2, rng)
    winner.status, loser.status = "winner", "loser"
    line = market.line or ""
    if line.endswith((".25", ".75")) and rng.random() < _HALF_CHANCE:
        return {winner.id: HALF_WON, loser.id: HALF_LOST}
    if "." not in line and rng.random() < _PUSH_CHANCE:
        winner.status = loser.status = "removed"
        return {winner.id: VOID, loser.id: VOID}
    return {winner.id: WON, loser.id: LOST}


def _ranking(outcomes: list[Outcome], length: int, rng: random.Random) -> list[Outcome]:
    """The first ``length`` of the outcomes, each drawn by its chance from those that are left."""
    remaining, ranking = list(outcomes), []
    for _ in range(min(length, len(remaining))):
        drawn = rng.choices(remaining, [outcome.chance for outcome in remaining])[0]
        remaining.remove(drawn)
        ranking.append(drawn)
    return ranking


def _set_statuses(market: Market, first: Outcome, results: Results) -> None:
    for outcome in market.active():
        if results[outcome.id].result != "won":
            outcome.status = "loser"
        else:
            outcome.status = "winner" if market.winners == 1 or outcome is first else "placed"
