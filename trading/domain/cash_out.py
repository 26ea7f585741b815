"""What is paid for a bet that is not decided yet, whole or in part."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from .legs import MILLION, THOUSAND
from .settlement import Terms


def cash_out(stake: int, odds: Sequence[int], chances: Sequence[int], margin: int) -> int:
    """What is offered now for an open single or accumulator: its fair value less the margin, in minor units.

    ``chances`` (millionths) are those of the legs now: a million for a leg that has won, 0 for one that has lost. A
    void leg has odds of 1,000 and a chance of a million. ``margin`` is in millionths of the fair value. While a leg is
    suspended there is no offer; ask when it is open again.

    Raises:
        ValueError: a chance or the margin is no share of a million; nothing is offered.
    """
    if any(not 0 <= share <= MILLION for share in (*chances, margin)):
        raise ValueError("chances and the margin are millionths between 0 and 1,000,000; nothing is offered")
    values = [leg * chance for leg, chance in zip(odds, chances, strict=True)]
    parts: int = MILLION * (THOUSAND * MILLION) ** len(values)
    return stake * prod(values) * (MILLION - margin) // parts


def remaining(terms: Terms, cashed: int) -> Terms:
    """The bet that goes on when so much of its stake was cashed out, on the terms that it had.

    Raises:
        ValueError: that is not a part of the stake; the bet is as it was.
    """
    if not 0 < cashed < terms.stake:
        raise ValueError(f"{cashed} is no part of a stake of {terms.stake}; the bet is as it was")
    return replace(terms, stake=terms.stake - cashed)
