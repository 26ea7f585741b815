"""A bet as long as it is remembered, and what it pays, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb, prod
from typing import NamedTuple

from backoffice.simulator.accounts import Account, Bonus
from backoffice.simulator.events.bets import BetLeg, LegResult

THOUSAND = 1_000
MILLION = 1_000_000
BILLION = 1_000_000_000


class Result(NamedTuple):
    """How an outcome ended; factors in thousandths. In a dead heat so many places are shared by those who tied."""

    result: str
    void_factor: int
    dead_heat_factor: int
    dead_heat_places: int | None = None
    dead_heat_tied: int | None = None

    @property
    def share(self) -> Fraction:
        """The share of the win that is paid."""
        if self.dead_heat_places is None or self.dead_heat_tied is None:
            return Fraction(self.dead_heat_factor, THOUSAND)
        return Fraction(self.dead_heat_places, self.dead_heat_tied)


def dead_heat(places: int, tied: int) -> Result:
    return Result("won", 0, round(THOUSAND * places / tied), places, tied)


WON = Result("won", 0, THOUSAND)
LOST = Result("lost", 0, THOUSAND)
VOID = Result("void", THOUSAND, THOUSAND)
HALF_WON = Result("won", THOUSAND // 2, THOUSAND)
HALF_LOST = Result("lost", THOUSAND // 2, THOUSAND)
UNDECIDED = Result("undecided", 0, THOUSAND)


@dataclass(slots=True, eq=False)
class Leg:
    body: BetLeg
    result: Result | None = None


@dataclass(slots=True, eq=False)
class Bet:
    """``cash`` and ``bonus_money`` together are the stake."""

    id: str
    account: Account
    cash: int
    bonus_money: int
    bonus: Bonus | None
    is_free: bool
    # All legs for a single or a multiple, fewer for a system.
    lines_of: int
    legs: list[Leg]
    undecided: int = field(init=False)
    is_open: bool = True
    settlement_no: int = 0
    payout: int = 0

    def __post_init__(self) -> None:
        self.undecided = len(self.legs)

    @property
    def stake(self) -> int:
        return self.cash + self.bonus_money

    @property
    def is_system(self) -> bool:
        return self.lines_of < len(self.legs)

    def decide(self, leg: Leg, result: Result) -> None:
        leg.result = result
        self.undecided -= 1

    def is_decided(self) -> bool:
        """Every leg is, or one has lost so that nothing can be won any more."""
        if not self.undecided:
            return True
        return not self.is_system and any(
            leg.result and not leg_return(leg.body["odds"], leg.result) for leg in self.legs
        )


def leg_return(odds: int, result: Result) -> Fraction:
    """What a stake of 1 on one leg gives back.

    The void share comes back as it is; the rest wins the odds (thousandths) times the share of a dead heat, or nothing.

    Source: the rule of the Unified Odds Feed for void_factor and dead_heat_factor.
    """
    void = Fraction(result.void_factor, THOUSAND)
    return void + (1 - void) * Fraction(odds, THOUSAND) * result.share if result.result == "won" else void


def payout(stake: int, lines_of: int, returns: Sequence[Fraction]) -> int:
    """What the stake gives back over all lines of ``lines_of`` legs, in minor units, rounded down once.

    ``returns`` are those of ``leg_return``. Over all n legs there is one line: a single or a multiple.
    """
    lines = comb(len(returns), lines_of)
    total = prod(returns, start=Fraction(1)) if lines == 1 else _sum_of_products(returns, lines_of)
    return stake * total // lines


def potential_payout(stake: int, lines_of: int, odds: Sequence[int]) -> int:
    """The payout when every leg wins."""
    return payout(stake, lines_of, [Fraction(leg, THOUSAND) for leg in odds])


def bet_payout(bet: Bet) -> int:
    returns = [leg_return(leg.body["odds"], leg.result or UNDECIDED) for leg in bet.legs]
    return payout(bet.stake, bet.lines_of, returns)


def leg_results(bet: Bet) -> list[LegResult]:
    return [_leg_result(leg) for leg in bet.legs]


def _leg_result(leg: Leg) -> LegResult:
    result = leg.result or UNDECIDED
    told: LegResult = {
        "leg_no": leg.body["leg_no"],
        "result": result.result,
        "void_factor": result.void_factor,
        "dead_heat_factor": result.dead_heat_factor,
        "dead_heat_places": result.dead_heat_places,
        "dead_heat_tied": result.dead_heat_tied,
    }
    return told


def _sum_of_products(values: Sequence[Fraction], size: int) -> Fraction:
    """Elementary symmetric polynomial: the sum of the products over all choices of ``size`` values."""
    sums = [Fraction(1)] + [Fraction(0)] * size
    for value in values:
        for place in range(size, 0, -1):
            sums[place] += sums[place - 1] * value
    return sums[size]
