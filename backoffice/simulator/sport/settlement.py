"""What bets give back, exactly: whole minor units, rounded once."""

from collections.abc import Sequence
from math import comb, prod
from typing import Literal, NamedTuple

THOUSAND = 1_000
MILLION = 1_000_000
BILLION = 1_000_000_000

Kind = Literal["single", "multiple", "system"]


class SettledLeg(NamedTuple):
    """One leg with its result: odds and both factors in thousandths; result won, lost, void or undecided."""

    odds: int
    result: str
    void_factor: int = 0
    dead_heat_factor: int = THOUSAND


def returned(stake: int, kind: Kind, system_size: int, legs: Sequence[SettledLeg]) -> int:
    """The payout of a bet in minor units, stake included; ``system_size`` is the m of an m-of-n system, else 0.

    Raises:
        ValueError: kind, size and number of legs do not fit together; the bet is not settled.
    """
    size = _legs_to_a_line(kind, system_size, len(legs))
    total = _sum_over_lines([leg_return(leg) for leg in legs], size)
    return rounded_down(stake * total, comb(len(legs), size) * BILLION**size)


def potential_payout(stake: int, kind: Kind, system_size: int, odds: Sequence[int]) -> int:
    """The payout when every leg wins."""
    return returned(stake, kind, system_size, [SettledLeg(leg_odds, "won") for leg_odds in odds])


def cash_out(stake: int, odds: Sequence[int], chances: Sequence[int], margin: int) -> int:
    """What is offered now for an open single or multiple: its fair value less the margin, in minor units.

    ``chances`` (millionths) are those of the legs now: a million for a leg that has won, 0 for one that has lost. A
    void leg has odds of 1,000 and a chance of a million. ``margin`` is in millionths of the fair value. While a leg is
    suspended there is no offer; ask when it is open again.

    Raises:
        ValueError: a chance or the margin is no share of a million; nothing is offered.
    """
    if any(not 0 <= share <= MILLION for share in (*chances, margin)):
        raise ValueError("chances and the margin are millionths between 0 and 1,000,000; nothing is offered")
    values = [leg * chance for leg, chance in zip(odds, chances, strict=True)]
    return rounded_down(stake * prod(values) * (MILLION - margin), MILLION * BILLION ** len(values))


def leg_return(leg: SettledLeg) -> int:
    """What a stake of 1 gives back, in billionths: the void share as it is, the rest times odds and dead-heat factor
    where it won.

    Source: the return table of the Unified Odds Feed for result, void_factor and dead_heat_factor.
    """
    void = THOUSAND if leg.result == "void" else leg.void_factor
    won = (THOUSAND - void) * leg.odds * leg.dead_heat_factor if leg.result == "won" else 0
    return void * MILLION + won


def rounded_down(amount: int, parts: int) -> int:
    """So many parts of a minor unit in whole ones; what is left over stays with the operator, as its terms say."""
    return amount // parts


def _legs_to_a_line(kind: Kind, system_size: int, legs: int) -> int:
    fits = {"single": legs == 1, "multiple": legs > 1, "system": 0 < system_size < legs}[kind]
    if not fits or (kind != "system" and system_size):
        raise ValueError(f"a {kind} of {legs} legs and size {system_size} is no bet; it is not settled")
    return system_size or legs


def _sum_over_lines(returns: Sequence[int], size: int) -> int:
    """The sum of the products over all lines of ``size`` legs: the elementary symmetric polynomial of that degree."""
    if size == len(returns):
        return prod(returns)
    sums = [1] + [0] * size
    for value in returns:
        for degree in range(size, 0, -1):
            sums[degree] += sums[degree - 1] * value
    return sums[size]
