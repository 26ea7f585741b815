"""Made-up `bet-events` in a realistic mix: bets with one to four legs, and what becomes of them later."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from backoffice.kernel.clock import microseconds
from backoffice.kernel.ids import uuid7
from backoffice.simulator.events.bets import (
    BetLeg,
    LegResult,
    OfBet,
    bet_cashed_out,
    bet_placed,
    bet_resettled,
    bet_settled,
    bet_voided,
)
from backoffice.simulator.events.envelope import Event, Head

BRANDS = ("northgate", "redcoin", "tipster", "vantage")
LICENCES = (("MT", "EUR"), ("GB", "GBP"), ("SE", "SEK"), ("DE", "EUR"), ("DK", "DKK"))
SPORTS = ("football", "tennis", "basketball", "ice_hockey", "horse_racing")
CHANNELS = ("web", "app", "retail")
SPORT_EVENTS = 600
MARKETS = 12
OPEN_BETS = 2_000
SPREAD = timedelta(minutes=4)


class Player(NamedTuple):
    id: str
    brand: str
    jurisdiction: str
    currency: str


class Bet(NamedTuple):
    """As much of a placed bet as its later events need."""

    id: str
    player: Player
    stake: int
    payout: int
    is_free: bool
    legs: int


class Betting:
    """Events in order, spread evenly over the minutes before ``now``; the same seed gives the same events."""

    def __init__(self, seed: int, now: datetime, players: int = 10_000) -> None:
        self._rng = random.Random(seed)
        self._at = now - SPREAD
        self._end = now
        self._players = [self._player(now) for _ in range(players)]
        self._open: list[Bet] = []
        self._settled: list[Bet] = []

    def events(self, count: int) -> Iterator[Event]:
        step = (self._end - self._at) / count
        for _ in range(count):
            self._at += step
            yield self._next()

    def _next(self) -> Event:
        """Once enough bets are open: 52 placed, 42 settled, 3 cashed out, 2 voided and 1 settled anew in 100 events."""
        drawn = self._rng.random()
        if len(self._open) < OPEN_BETS or drawn < 0.52:
            return self._placed()
        if drawn > 0.99 and self._settled:
            return self._resettled(self._settled.pop())
        bet = self._open.pop(self._rng.randrange(len(self._open)))
        if drawn < 0.94:
            self._settled = [*self._settled[-50:], bet]
            return self._settle(bet)
        return self._cashed_out(bet) if drawn < 0.97 else self._voided(bet)

    def _placed(self) -> Event:
        rng, player = self._rng, self._rng.choice(self._players)
        is_free, is_in_play = rng.random() < 0.03, rng.random() < 0.6
        legs = [self._leg(number + 1, is_in_play) for number in range(rng.choices((1, 2, 3, 4), (55, 20, 15, 10))[0])]
        stake, odds = rng.randint(1, 400) * 25, 1.0
        for leg in legs:
            odds *= leg["odds"] / 1000
        bet = Bet(self._id(), player, stake, int(stake * odds), is_free, len(legs))
        self._open.append(bet)
        return bet_placed(
            self._head(player), bet_id=bet.id, player_id=player.id, currency=player.currency, stake=stake,
            kind="single" if len(legs) == 1 else "multiple", system_size=0, channel=rng.choice(CHANNELS),
            is_in_play=is_in_play, is_free_bet=is_free, bonus_id=self._id() if is_free else None,
            potential_payout=bet.payout, legs=legs,
        )  # fmt: skip

    def _leg(self, number: int, is_in_play: bool) -> BetLeg:
        rng = self._rng
        sport_event = rng.randrange(SPORT_EVENTS)
        name = f"sr:match:{41_000_000 + sport_event * 7}"
        market = f"{name}:{rng.randrange(MARKETS)}"
        return BetLeg(
            leg_no=number, sport=SPORTS[sport_event % len(SPORTS)], sport_event_id=name, market_id=market,
            outcome_id=f"{market}:{rng.randrange(3)}", odds=rng.randint(1_050, 6_000), is_in_play=is_in_play,
        )  # fmt: skip

    def _settle(self, bet: Bet) -> Event:
        won = self._rng.random() < 0.45
        return bet_settled(
            self._head(bet.player), **self._whose(bet), settlement_no=1, payout=bet.payout if won else 0,
            is_free_bet=bet.is_free, legs=_results(bet, won),
        )  # fmt: skip

    def _resettled(self, bet: Bet) -> Event:
        return bet_resettled(
            self._head(bet.player), **self._whose(bet), settlement_no=2, payout=bet.payout, previous_payout=0,
            reason="result corrected", legs=_results(bet, won=True),
        )  # fmt: skip

    def _cashed_out(self, bet: Bet) -> Event:
        return bet_cashed_out(
            self._head(bet.player),
            **self._whose(bet),
            settlement_no=1,
            payout=bet.payout * 2 // 3,
            is_free_bet=bet.is_free,
        )

    def _voided(self, bet: Bet) -> Event:
        return bet_voided(
            self._head(bet.player), **self._whose(bet), settlement_no=1, refund=bet.stake, previous_payout=0,
            was_settled=False, reason="event abandoned", is_free_bet=bet.is_free,
        )  # fmt: skip

    @staticmethod
    def _whose(bet: Bet) -> OfBet:
        return {"bet_id": bet.id, "player_id": bet.player.id, "currency": bet.player.currency, "stake": bet.stake}

    def _player(self, now: datetime) -> Player:
        joined = now - timedelta(days=self._rng.randrange(1, 700))
        return Player(str(uuid7(self._rng, joined)), self._rng.choice(BRANDS), *self._rng.choice(LICENCES))

    def _head(self, player: Player) -> Head:
        return Head(
            event_id=self._id(),
            occurred_at=microseconds(self._at),
            brand=player.brand,
            jurisdiction=player.jurisdiction,
        )

    def _id(self) -> str:
        return str(uuid7(self._rng, self._at))


def _results(bet: Bet, won: bool) -> list[LegResult]:
    return [
        LegResult(leg_no=number + 1, result="won" if won or number else "lost", void_factor=0, dead_heat_factor=1000)
        for number in range(bet.legs)
    ]
