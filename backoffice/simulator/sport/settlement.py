"""What bets give back, exactly: whole minor units, rounded once."""

from collections.abc import Sequence
from math import comb, lcm, prod
from typing import Literal, NamedTuple

THOUSAND = 1_000
MILLION = 1_000_000
BILLION = 1_000_000_000

Kind = Literal["single", "multiple", "system"]


class SettledLeg(NamedTuple):
    """One leg with its result: odds and both factors in thousandths; result won, lost, void or undecided.

    In a dead heat the win is paid for ``dead_heat_places`` out of ``dead_heat_tied``, exactly; without them
    ``dead_heat_factor`` tells its share, as exactly as it can.
    """

    odds: int
    result: str
    void_factor: int = 0
    dead_heat_factor: int = THOUSAND
    dead_heat_places: int | None = None
    dead_heat_tied: int | None = None

    @property
    def share(self) -> tuple[int, int]:
        """The share of the win that is paid, as a fraction."""
        if self.dead_heat_places is None or self.dead_heat_tied is None:
            return self.dead_heat_factor, THOUSAND
        return self.dead_heat_places, self.dead_heat_tied


def returned(stake: int, kind: Kind, system_size: int, legs: Sequence[SettledLeg]) -> int:
    """The payout of a bet in minor units, stake included; ``system_size`` is the m of an m-of-n system, else 0.

    Raises:
        ValueError: kind, size and number of legs do not fit together; the bet is not settled.
    """
    size = _legs_to_a_line(kind, system_size, len(legs))
    parts = MILLION * lcm(*(leg.share[1] for leg in legs))
    total = _sum_over_lines([leg_return(leg, parts) for leg in legs], size)
    return rounded_down(stake * total, comb(len(legs), size) * parts**size)


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


def leg_return(leg: SettledLeg, parts: int) -> int:
    """What a stake of so many parts gives back: the void share as it is, the rest times odds and share of the win where
    it won. Exact where the parts are a multiple of a million times those who tied.

    Source: the return table of the Unified Odds Feed for result, void_factor and dead_heat_factor; bookmakers' terms
    for dead heats (stake times odds, divided by those who tied, times the places they share).
    """
    void = THOUSAND if leg.result == "void" else leg.void_factor
    returned_void = void * parts // THOUSAND
    if leg.result != "won":
        return returned_void
    places, tied = leg.share
    return returned_void + (THOUSAND - void) * leg.odds * places * parts // (MILLION * tied)


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
