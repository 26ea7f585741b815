"""Randomness without a stream: each draw follows from the seed, what is drawn, for whom and at which moment.

So no draw depends on how many there were before it: what one player does, or a fault does to one player, leaves all
others as they were, and a slice that is made again is made the same.

Source of the mixing: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
"""

import hashlib
from functools import cache
from math import cos, exp, log1p, pi, sqrt

import numpy as np

from backoffice.simulator.operator.arrays import Array, Floats, Ints, Keys

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_BITS = 2.0**-53


class Chance:
    """``what`` names the draw, ``key`` is the 64-bit key of the player (or of the house), ``at`` the moment."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def bits(self, what: str, key: Keys, at: Ints) -> Keys:
        """64 random bits for each key and moment."""
        value: Keys = key + at.astype(np.uint64) * _GOLDEN + _salt(self._seed, what)
        value = (value ^ (value >> np.uint64(30))) * _FIRST
        value = (value ^ (value >> np.uint64(27))) * _SECOND
        return value ^ (value >> np.uint64(31))

    def uniform(self, what: str, key: Keys, at: Ints) -> Floats:
        """From 0 up to 1."""
        return (self.bits(what, key, at) >> np.uint64(11)).astype(np.float64) * _BITS

    def normal(self, what: str, key: Keys, at: Ints) -> Floats:
        """Mean 0, deviation 1.

        Source: Box and Muller, A note on the generation of random normal deviates (1958).
        """
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(f"{what}, radius", key, at)))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(f"{what}, angle", key, at)))

    def lognormal(self, what: str, key: Keys, at: Ints, median: float | Floats, sigma: float) -> Floats:
        return np.asarray(median * np.exp(sigma * self.normal(what, key, at)))

    def pick(self, what: str, key: Keys, at: Ints, cumulative: Floats) -> Ints:
        """Which of several, by their cumulative shares."""
        return np.searchsorted(cumulative, self.uniform(what, key, at), side="right")

    def keys(self, what: str, numbers: Array) -> Keys:
        """Keys of their own for numbered things."""
        return self.bits(what, np.zeros(len(numbers), np.uint64), np.asarray(numbers, np.int64))

    def one(self, what: str, at: int) -> float:
        """A single draw of the house, from 0 up to 1."""
        return float(self.uniform(what, np.zeros(1, np.uint64), np.array([at]))[0])

    def count(self, what: str, at: int, mean: float) -> int:
        """A whole number with this mean, by Poisson's law where it is small.

        Source: inversion by sequential search; the normal approximation from 50 on.
        """
        draw = self.one(what, at)
        if mean > 50:
            angle = self.one(f"{what}, angle", at)
            return max(0, round(mean + sqrt(-2.0 * mean * log1p(-draw)) * cos(2.0 * pi * angle)))
        number, share = 0, exp(-mean)
        total = share
        while draw >= total and number < 200:
            number += 1
            share *= mean / number
            total += share
        return number


@cache
def _salt(seed: int, what: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(f"{seed}\x1f{what}".encode()).digest()[:8], "big"))
