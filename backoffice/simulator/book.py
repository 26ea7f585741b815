"""The sport events and markets on offer: chances, prices, status. Chances are millionths, odds thousandths."""

import random
from dataclasses import dataclass, field

from backoffice.simulator.bets import BILLION, MILLION, Bet, Leg
from backoffice.simulator.pool import Pool

# No chance leaves these bounds, so that every price stays above 1.00 and below 100.
SMALLEST = 10_000
GREATEST = 950_000
LOWEST_ODDS = 1_010
LADDER_STEP = 10


@dataclass(slots=True, eq=False)
class Outcome:
    id: str
    name: str
    chance: int
    status: str = "active"
    odds: int = 0
    last_odds: int | None = None


@dataclass(slots=True, eq=False)
class Market:
    """``margin`` is what is put on the fair chances; ``bets`` are the legs that wait for the result."""

    id: str
    type: str
    name: str
    line: str | None
    winners: int
    margin: int
    outcomes: list[Outcome]
    fixture: "Fixture"
    status: str = "open"
    bet_delay: int = 0
    version: int = 0
    traded: int = 0
    bets: list[tuple[Bet, Leg, Outcome]] = field(default_factory=list)

    def active(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status == "active"]

    def reprice(self) -> None:
        for outcome in self.outcomes:
            outcome.odds = priced(outcome.chance, self.margin)


@dataclass(slots=True, eq=False)
class Fixture:
    """A sport event. Its life is counted in updates of its markets: ``kick_off`` and ``end`` are such counts."""

    id: str
    sport: str
    competition: str
    name: str
    provider: str
    starts_at: int | None
    kick_off: int
    end: int
    markets: list[Market] = field(default_factory=list)
    is_in_play: bool = False
    updates: int = 0


@dataclass(slots=True)
class Book:
    fixtures: Pool[Fixture] = field(default_factory=Pool)
    open_markets: Pool[Market] = field(default_factory=Pool)
    markets: dict[str, Market] = field(default_factory=dict)

    def take_in(self, fixture: Fixture) -> None:
        self.fixtures.add(fixture)
        for market in fixture.markets:
            self.markets[market.id] = market

    def set_status(self, market: Market, status: str) -> None:
        self.open_markets.discard(market)
        market.status = status
        if status == "open":
            self.open_markets.add(market)

    def drop(self, fixture: Fixture) -> None:
        self.fixtures.discard(fixture)
        for market in fixture.markets:
            del self.markets[market.id]
            market.bets.clear()


def priced(chance: int, margin: int) -> int:
    """The odds of a chance with the margin on it (multiplicative), down to the next step of the ladder."""
    odds = BILLION * MILLION // (chance * (MILLION + margin))
    return max(odds - odds % LADDER_STEP, LOWEST_ODDS)


def overround(market: Market) -> int:
    """What the implied chances of the prices sum to, above the fair sum."""
    return sum(BILLION // outcome.odds for outcome in market.active()) - market.winners * MILLION


def drift(market: Market, rng: random.Random) -> None:
    """One outcome becomes likelier, another less so."""
    rising, falling = rng.sample(market.active(), 2)
    shift = min(rng.randrange(1_000, 30_000), falling.chance - SMALLEST, GREATEST - rising.chance)
    rising.chance += shift
    falling.chance -= shift
    market.reprice()


def remove(market: Market, outcome: Outcome) -> None:
    """Take an outcome out of the market and share its chance among the others."""
    rest, outcome.status = outcome.chance, "removed"
    remaining = market.active()
    for place, other in enumerate(remaining):
        share = min(-(-rest // (len(remaining) - place)), GREATEST - other.chance)
        other.chance += share
        rest -= share
    market.reprice()


def shares(weights: list[int], total: int) -> list[int]:
    """``total`` in the proportion of the weights, to the last millionth."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    parts[0] += total - sum(parts)
    return parts
