"""What the engine carries from slice to slice."""

from dataclasses import dataclass, field
from math import exp

import numpy as np

from backoffice.simulator.durations import DAY
from backoffice.simulator.operator.arrays import Ints, Rows
from backoffice.simulator.operator.chance import Chance
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.people import PLAYER
from backoffice.simulator.operator.slices import Slice
from backoffice.simulator.operator.sportsbook import Sportsbook
from backoffice.simulator.operator.tickets import BET


@dataclass
class World:
    """``level`` multiplies visits so that the wanted rate comes about, ``feed_rate`` are moves of prices a second.

    ``wanted`` is the number of players to keep once the operator is grown; until ``grown_at`` their number rises by the
    factor e to the ``growth`` a day. ``numbers`` counts those that ever came. ``now`` is the end of the last slice,
    ``planned`` that of the next where it is known already. ``is_live``: history has caught up with the clock.
    """

    seed: int
    now: int
    wanted: int
    level: float
    growth: float = 0.0
    grown_at: int = 0
    feed_rate: float = 0.0
    planned: int = 0
    is_live: bool = False
    faults: tuple[Fault, ...] = ()
    numbers: int = 0
    players: Rows = field(default_factory=lambda: np.zeros(0, PLAYER))
    bets: Rows = field(default_factory=lambda: np.zeros(0, BET))
    slice: Slice = field(init=False)

    def __post_init__(self) -> None:
        self.chance = Chance(self.seed)
        self.sportsbook = Sportsbook(self.seed)

    def growing(self) -> float:
        """By how much a day, as an exponent, the number of players rises just now."""
        return self.growth if self.now < self.grown_at else 0.0

    def wanted_now(self) -> int:
        return max(round(self.wanted * exp(-self.growing() * (self.grown_at - self.now) / DAY)), 1)

    def join(self, newcomers: Rows) -> Ints:
        """Take new players in; their places."""
        first = len(self.players)
        self.players = np.concatenate([self.players, newcomers])
        return np.arange(first, first + len(newcomers))

    def reach(self, who: Ints, moments: Ints) -> None:
        """Move the clocks of these players on to the moments, where they are not there yet."""
        self.players["clock"][who] = np.maximum(self.players["clock"][who], moments)

    def tick(self, who: Ints, microseconds: int = 1) -> Ints:
        """The moment of the next thing that each of these players does; their clocks move on behind it."""
        at: Ints = self.players["clock"][who]
        self.players["clock"][who] = at + microseconds
        return at
