"""The markets of a fixture, and their outcomes laid end to end in arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Offer:
    """A market before it belongs to a fixture; ``margin`` is its overround per winner."""

    type: str
    name: str
    outcomes: tuple[str, ...]
    margin: float
    line: str | None = None
    winners: int = 1


@dataclass(frozen=True, slots=True)
class OutcomeSpec:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class MarketSpec:
    id: str
    type: str
    name: str
    line: str | None
    winners: int
    margin: float
    outcomes: tuple[OutcomeSpec, ...]


@dataclass(frozen=True)
class Board:
    """The markets in order. A row is one outcome; the rows of a market are neighbours, from its offset on."""

    markets: tuple[MarketSpec, ...]
    sizes: Ints = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", np.array([len(market.outcomes) for market in self.markets], dtype=np.int64))

    @cached_property
    def offsets(self) -> Ints:
        """The first row of each market."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def market_of(self) -> Ints:
        """For each row, the number of its market."""
        return np.repeat(np.arange(len(self.markets)), self.sizes)

    @cached_property
    def outcome_of(self) -> Ints:
        """For each row, the number of its outcome in the market."""
        return np.arange(int(self.sizes.sum())) - self.offsets[self.market_of]

    @cached_property
    def winners(self) -> Ints:
        """For each market, how many of its outcomes win."""
        return np.array([market.winners for market in self.markets], dtype=np.int64)

    @cached_property
    def margins(self) -> Floats:
        """For each market, its overround per winner."""
        return np.array([market.margin for market in self.markets])


def laid_out(fixture_id: str, offers: Sequence[Offer]) -> Board:
    """The offers as markets of a fixture: their ids are its own with the number of the market and of the outcome."""
    return Board(tuple(_market(f"{fixture_id}-{number}", offer) for number, offer in enumerate(offers, 1)))


def _market(market_id: str, offer: Offer) -> MarketSpec:
    outcomes = tuple(OutcomeSpec(f"{market_id}-{number}", name) for number, name in enumerate(offer.outcomes, 1))
    return MarketSpec(market_id, offer.type, offer.name, offer.line, offer.winners, offer.margin, outcomes)
