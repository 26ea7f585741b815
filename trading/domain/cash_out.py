"""What is paid for a bet that is not decided yet, whole or in part."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from .legs import MILLION
from .lines import accumulator
from .settlement import Terms, potential_payout


def cash_out(terms: Terms, odds: Sequence[int], chances: Sequence[int], margin: int) -> int:
    """What is offered now for an open single or accumulator: its fair value less the margin, in minor units.

    The value is what it would pay, by its cap and without the stake of a free bet, times the chance of that.
    ``chances`` (millionths) are those of the legs now: a million for a leg that has won, 0 for one that has lost. A
    void leg has odds of 1,000 and a chance of a million. ``margin`` is in millionths of the fair value. While a leg is
    suspended there is no offer; ask when it is open again.

    Raises:
        ValueError: it is another kind of bet, a chance or the margin is no share of a million, or legs and chances are
            not as many; nothing is offered.
    """
    if terms.combination != accumulator(len(odds)) or terms.is_each_way:
        raise ValueError("singles and accumulators can be cashed out, systems and each way not; nothing is offered")
    if len(chances) != len(odds):
        raise ValueError("there is not a chance for each leg; nothing is offered")
    if any(not 0 <= share <= MILLION for share in (*chances, margin)):
        raise ValueError("chances and the margin are millionths between 0 and 1,000,000; nothing is offered")
    parts: int = MILLION ** (len(chances) + 1)
    return potential_payout(terms, odds) * prod(chances) * (MILLION - margin) // parts


def remaining(terms: Terms, cashed: int, paid: int) -> Terms:
    """The bet that goes on when so much of its stake was cashed out for ``paid``: on the terms that it had, under what
    that has left of its cap.

    Raises:
        ValueError: that is not a part of the stake, or not within the cap; the bet is as it was.
    """
    if not 0 < cashed < terms.stake:
        raise ValueError(f"{cashed} is no part of a stake of {terms.stake}; the bet is as it was")
    left = None if terms.max_payout is None else terms.max_payout - paid
    if paid < 0 or (left is not None and left < 0):
        raise ValueError(f"{paid} is not within a cap of {terms.max_payout}; the bet is as it was")
    return replace(terms, stake=terms.stake - cashed, max_payout=left)
