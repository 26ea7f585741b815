"""What a bet pays, worked out another way: every line is counted out, with fractions, from what a rule book says.

Nothing here is shared with what it judges but the shapes that a bet is given in.
"""

from fractions import Fraction
from itertools import combinations
from math import floor

from trading.domain.legs import Finish, Leg
from trading.domain.settlement import Terms

THOUSANDTH = Fraction(1, 1_000)


def paid(terms: Terms, legs: list[Leg]) -> int:
    all_lines = _lines(terms, len(legs))
    unit = Fraction(terms.stake, len(all_lines) * (2 if terms.is_each_way else 1))
    total = sum((_line(terms, unit, [_to_win(legs[n]) for n in line]) for line in all_lines), Fraction(0))
    total += _bonus(terms, unit, legs, total)
    if terms.is_each_way:
        total += sum((_line(terms, unit, [_to_place(legs[n]) for n in line]) for line in all_lines), Fraction(0))
    return min(floor(total), floor(total) if terms.max_payout is None else terms.max_payout)


def _lines(terms: Terms, legs: int) -> list[list[int]]:
    """Every set of legs that is a line, by trying all sets."""
    bankers = set(terms.combination.bankers)
    return [
        list(line)
        for length in range(1, legs + 1)
        for line in combinations(range(legs), length)
        if bankers <= set(line) and length - len(bankers) in terms.combination.sizes
    ]


def _line(terms: Terms, unit: Fraction, returns: list[Fraction]) -> Fraction:
    """The money goes on the first leg, what that gives back on the next one, and so on."""
    money = unit
    for value in returns:
        money *= value
    if terms.is_free:
        return max(money - unit, Fraction(0))
    return money


def _to_win(leg: Leg) -> Fraction:
    return _one(leg, leg.win, (leg.odds - 1_000) * THOUSANDTH)


def _to_place(leg: Leg) -> Fraction:
    if leg.place is None or leg.terms is None:
        return _to_win(leg)
    if leg.win.result == "void":
        return Fraction(1)
    return _one(leg, leg.place, (leg.odds - 1_000) * THOUSANDTH * Fraction(leg.terms.parts, leg.terms.of))


def _one(leg: Leg, finish: Finish, profit: Fraction) -> Fraction:
    """A stake of one, part by part: what is void goes back, of the rest the part that a dead heat leaves is a bet."""
    if finish.result == "void":
        return Fraction(1)
    void = leg.void_share * THOUSANDTH
    if finish.result in ("lost", "undecided"):
        return void
    at_stake = (1 - void) * Fraction(finish.places, finish.tied)
    won = at_stake * profit
    return void + at_stake + won - won * leg.deduction * THOUSANDTH


def _bonus(terms: Terms, unit: Fraction, legs: list[Leg], total: Fraction) -> Fraction:
    if terms.bonus is None or any(leg.void_share or leg.win.result in ("void", "undecided") for leg in legs):
        return Fraction(0)
    won = [leg for leg in legs if leg.win.result == "won"]
    if len(won) == len(legs):
        stakes = unit * len(_lines(terms, len(legs))) if terms.bonus.is_of_winnings else 0
        return max(total - stakes, Fraction(0)) * terms.bonus.all_winners * THOUSANDTH
    if len(won) == 1 and 1 in terms.combination.sizes:
        profit = max(_to_win(won[0]) - 1, Fraction(0))
        return unit * profit * (terms.bonus.one_winner - 1_000) * THOUSANDTH
    return Fraction(0)
