"""What a bet gives back: whole minor units, rounded once, whatever it was made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import NamedTuple

from . import lines
from .legs import THOUSAND, Finish, Leg, PlaceTerms, Ratio, place_return, win_return
from .lines import Combination


class LuckyBonus(NamedTuple):
    """What is added to the win part of a Lucky 15, 31 or 63, in thousandths.

    Where one leg wins and all others lose, its single is paid as if it had won ``one_winner`` of what it wins (2,000
    are double odds). Where all win, ``all_winners`` of the returns come on top, or, ``is_of_winnings``, of what they
    are above the stakes. A void leg leaves neither. The terms are the operator's, and dated: they come with the bet.
    """

    one_winner: int = THOUSAND
    all_winners: int = 0
    is_of_winnings: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a bet was accepted on. ``stake`` is for all of its lines, in minor units.

    Each way one half of it goes on the legs to win and the other on them for a place, each with all lines. The stake of
    a free bet is not among what it gives back. A payout is never above ``max_payout``.
    """

    stake: int
    combination: Combination
    is_each_way: bool = False
    is_free: bool = False
    bonus: LuckyBonus | None = None
    max_payout: int | None = None


def payout(terms: Terms, legs: Sequence[Leg]) -> int:
    """The payout in minor units, stake included; what is left over of a minor unit stays with the operator.

    Raises:
        ValueError: the legs are no such bet, or no legs; nothing is settled.
    """
    if terms.stake < 0:
        raise ValueError("a stake is not negative; nothing is settled")
    number = lines.count(len(legs), terms.combination)
    win = _won(terms, legs)
    if not terms.is_each_way:
        return _capped(terms, terms.stake * win.parts // (number * win.of))
    place = _part(terms, legs, place_return)
    total = win.parts * place.of + place.parts * win.of
    return _capped(terms, terms.stake * total // (2 * number * win.of * place.of))


def potential_payout(terms: Terms, odds: Sequence[int], place_terms: Sequence[PlaceTerms | None] = ()) -> int:
    """The payout where every leg wins; ``place_terms`` are those of the legs of an each-way bet.

    Raises:
        ValueError: as `payout`.
    """
    won = Finish("won")
    places = place_terms or [None] * len(odds)
    legs = [Leg(leg, won, place=each and won, terms=each) for leg, each in zip(odds, places, strict=True)]
    return payout(terms, legs)


def _won(terms: Terms, legs: Sequence[Leg]) -> Ratio:
    """What the lines to win give back for a stake of one each, with the bonus."""
    won, bonus = _part(terms, legs, win_return), terms.bonus
    results = [leg.win.result for leg in legs]
    if bonus is None or not {"won", "lost"}.issuperset(results) or any(leg.void_share for leg in legs):
        return won
    if "lost" not in results:
        counted = won.parts - (lines.count(len(legs), terms.combination) * won.of if bonus.is_of_winnings else 0)
        return Ratio(won.parts * THOUSAND + max(counted, 0) * bonus.all_winners, won.of * THOUSAND)
    if results.count("won") != 1 or 1 not in terms.combination.sizes:
        return won
    single = win_return(legs[results.index("won")])
    more = max(single.parts - single.of, 0) * (bonus.one_winner - THOUSAND)
    return Ratio(won.parts * single.of * THOUSAND + more * won.of, won.of * single.of * THOUSAND)


def _part(terms: Terms, legs: Sequence[Leg], returned: Callable[[Leg], Ratio]) -> Ratio:
    returns = [returned(leg) for leg in legs]
    of = lcm(*(each.of for each in returns))
    parts = [each.parts * (of // each.of) for each in returns]
    if terms.is_free:
        return _profits(parts, of, terms.combination)
    return lines.sum_of_lines(parts, of, terms.combination)


def _profits(returns: Sequence[int], of: int, combination: Combination) -> Ratio:
    """What all lines give back above their stakes; a line that gives back less than its stake gives nothing."""
    longest = len(combination.bankers) + max(combination.sizes)
    total = 0
    for line in lines.lines(len(returns), combination):
        value = prod(returns[place] for place in line) * of ** (longest - len(line))
        total += max(value - of**longest, 0)
    return Ratio(total, of**longest)


def _capped(terms: Terms, amount: int) -> int:
    return amount if terms.max_payout is None else min(amount, terms.max_payout)
