"""What a stake of one on one leg of a bet gives back, exactly.

Odds and all shares are in thousandths: odds of 2,500 are 2.50, a void share of 500 is half the stake.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

THOUSAND = 1_000
MILLION = 1_000_000
STAKE_BACK = THOUSAND

Result = Literal["won", "lost", "void", "undecided"]
VoidRule = Literal["void", "void_unless_lost", "repriced"]


class Ratio(NamedTuple):
    """So many parts of ``of``; not reduced."""

    parts: int
    of: int


class Finish(NamedTuple):
    """How the win part or the place part of a leg ended. In a dead heat ``places`` are shared by those who ``tied``."""

    result: Result
    places: int = 1
    tied: int = 1


class PlaceTerms(NamedTuple):
    """A place pays ``parts / of`` of what the odds win: 1/4, 1/5; 1/1 in a race that is all to win for lack of runners.

    They are those that stand when the race is off: where runners are missing, other ones than at acceptance.
    """

    parts: int
    of: int


class Leg(NamedTuple):
    """A leg with its result. ``odds`` are those accepted, or the starting price.

    ``void_share`` comes back as it is; ``deduction`` is taken off what the rest wins, and not off its stake (Rule 4).
    ``place`` and ``terms`` are of a leg that was taken each way.
    """

    odds: int
    win: Finish
    void_share: int = 0
    deduction: int = 0
    place: Finish | None = None
    terms: PlaceTerms | None = None


def win_return(leg: Leg) -> Ratio:
    """What a stake of one on the leg to win gives back.

    Source: the return table of the Unified Odds Feed for results with a void factor; Tattersalls' Rule 4(c) for
    deductions; bookmakers' terms for dead heats (the stake is divided by those who tied, times the places they share).

    Raises:
        ValueError: the leg is not what a leg can be; nothing is settled.
    """
    return _returned(leg, leg.win, PlaceTerms(1, 1))


def place_return(leg: Leg) -> Ratio:
    """What a stake of one on the leg for a place gives back; a leg without place terms counts as it does to win.

    Raises:
        ValueError: as `win_return`.
    """
    if leg.place is None or leg.terms is None:
        return win_return(leg)
    return _returned(leg, leg.place, leg.terms)


def _returned(leg: Leg, finish: Finish, terms: PlaceTerms) -> Ratio:
    _must_be_possible(leg, finish, terms)
    if "void" in (finish.result, leg.win.result):
        return Ratio(1, 1)
    void = Ratio(leg.void_share, THOUSAND)
    if finish.result != "won":
        return void
    profit = (leg.odds - STAKE_BACK) * (THOUSAND - leg.deduction) * terms.parts
    parts = (THOUSAND - leg.void_share) * finish.places * (MILLION * terms.of + profit)
    of = THOUSAND * finish.tied * MILLION * terms.of
    return Ratio(parts + leg.void_share * finish.tied * MILLION * terms.of, of)


def _must_be_possible(leg: Leg, finish: Finish, terms: PlaceTerms) -> None:
    shares_fit = 0 <= leg.void_share <= THOUSAND and 0 <= leg.deduction <= THOUSAND
    if leg.odds < STAKE_BACK or not shares_fit:
        raise ValueError("odds are 1,000 or more, void shares and deductions 0 to 1,000; nothing is settled")
    if not 0 < finish.places <= finish.tied:
        raise ValueError(f"{finish.places} places cannot be shared by {finish.tied}; nothing is settled")
    if not 0 < terms.parts <= terms.of:
        raise ValueError(f"a place cannot pay {terms.parts}/{terms.of} of the odds; nothing is settled")


def built(odds: int, results: Sequence[Result], rule: VoidRule, repriced: int | None = None) -> Leg:
    """A bet builder as the one leg that it is: it wins where all of its selections win, at the odds of the whole.

    They are no product of the selections' odds, so that a void selection cannot just be left out. By ``rule`` the whole
    is void then; or void unless another selection loses, which is known when all are decided; or it goes on at the odds
    that were quoted for the rest.

    Raises:
        ValueError: there is no selection, or no price for the rest; nothing is settled.
    """
    if not results:
        raise ValueError("a bet builder has selections; nothing is settled")
    if "void" not in results:
        return Leg(odds, Finish(_together(results)))
    rest = [result for result in results if result != "void"]
    if rule == "void" or not rest:
        return Leg(odds, Finish("void"))
    together = _together(rest)
    if together == "lost":
        return Leg(odds, Finish("lost"))
    if rule == "void_unless_lost":
        return Leg(odds, Finish("void" if together == "won" else "undecided"))
    if repriced is None:
        raise ValueError("a void selection needs a price for the others; nothing is settled")
    return Leg(repriced, Finish(together))


def _together(results: Sequence[Result]) -> Result:
    if "lost" in results:
        return "lost"
    return "undecided" if "undecided" in results else "won"
