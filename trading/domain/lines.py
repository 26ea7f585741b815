"""The lines of a bet: which of its legs have to win together.

A single is one line of one leg, an accumulator one of all, a system all lines of some sizes. Bankers are in every line;
``sizes`` count the other legs of a line.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from math import comb, prod
from typing import NamedTuple

from .legs import Ratio


class Combination(NamedTuple):
    """``bankers`` are places among the legs, from 0."""

    sizes: tuple[int, ...]
    bankers: tuple[int, ...] = ()


class System(NamedTuple):
    legs: int
    sizes: tuple[int, ...]


# As bookmakers name them. Those that begin with singles are the Lucky ones and the Patent.
SYSTEMS = {
    "trixie": System(3, (2, 3)),
    "patent": System(3, (1, 2, 3)),
    "yankee": System(4, (2, 3, 4)),
    "lucky_15": System(4, (1, 2, 3, 4)),
    "canadian": System(5, (2, 3, 4, 5)),
    "lucky_31": System(5, (1, 2, 3, 4, 5)),
    "heinz": System(6, (2, 3, 4, 5, 6)),
    "lucky_63": System(6, (1, 2, 3, 4, 5, 6)),
    "super_heinz": System(7, (2, 3, 4, 5, 6, 7)),
    "goliath": System(8, (2, 3, 4, 5, 6, 7, 8)),
}


def accumulator(legs: int) -> Combination:
    """All legs in one line: also a single, of one leg."""
    return Combination((legs,))


def count(legs: int, combination: Combination) -> int:
    """How many lines a bet on so many legs has.

    Raises:
        ValueError: such a bet cannot be; nothing is settled.
    """
    sizes, bankers = combination
    free = legs - len(bankers)
    if len(set(bankers)) < len(bankers) or any(not 0 <= banker < legs for banker in bankers):
        raise ValueError(f"bankers {bankers} are no legs of {legs}; nothing is settled")
    if not sizes or len(set(sizes)) < len(sizes) or any(not 0 < size <= free for size in sizes):
        raise ValueError(f"lines of {sizes} legs cannot be made of {free}; nothing is settled")
    return sum(comb(free, size) for size in sizes)


def lines(legs: int, combination: Combination) -> Iterator[tuple[int, ...]]:
    """The places of the legs of each line."""
    free = [place for place in range(legs) if place not in combination.bankers]
    for size in combination.sizes:
        for chosen in combinations(free, size):
            yield *combination.bankers, *chosen


def sum_of_lines(returns: Sequence[int], of: int, combination: Combination) -> Ratio:
    """What all lines give back together for a stake of one each; ``returns`` are parts of ``of``, leg by leg.

    The products of a size sum up to the elementary symmetric polynomial of that degree: no line is counted out.
    """
    sizes, bankers = combination
    free = [value for place, value in enumerate(returns) if place not in bankers]
    largest = max(sizes)
    sums = _symmetric(free, sizes, largest)
    total = sum(sums[size] * of ** (largest - size) for size in sizes)
    return Ratio(prod(returns[banker] for banker in bankers) * total, of ** (len(bankers) + largest))


def _symmetric(values: Sequence[int], wanted: Collection[int], largest: int) -> list[int]:
    """The elementary symmetric polynomials of the values, by degree."""
    if wanted == (len(values),):
        return [0] * largest + [prod(values)]
    sums = [1] + [0] * largest
    for value in values:
        for degree in range(largest, 0, -1):
            sums[degree] += sums[degree - 1] * value
    return sums
