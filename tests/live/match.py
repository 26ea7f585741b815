"""A real match as its feed would tell of it, played by a test."""

import random
import threading
from datetime import UTC, datetime

from backoffice.kernel.clock import microseconds
from backoffice.kernel.ids import uuid7
from backoffice.simulator.events.envelope import Event, Head
from backoffice.simulator.events.markets import MarketOutcome, market_update
from tests.spine import Spine

EVENT, MARKET, NAME = "betfair-31520167", "1.200806927", "Netherlands v Papua New Guinea"
RUNNERS = {"237486": "Netherlands", "2578471": "Papua New Guinea"}
EVERY_SECONDS = 0.2


class Match(threading.Thread):
    """Sends an update every fifth of a second until it is ended; ``status`` can be set at any time."""

    def __init__(self, spine: Spine) -> None:
        super().__init__(name="match", daemon=True)
        self.status = "open"
        self.version = 0
        self._spine = spine
        self._rng = random.Random("match")
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(EVERY_SECONDS):
            self.play(self.status)

    def play(self, *statuses: str) -> None:
        """One update for each status, all at once."""
        self._spine.send([self._update(status) for status in statuses])

    def end(self) -> None:
        self._ending.set()
        self.join(30)
        assert not self.is_alive()

    def _update(self, status: str) -> Event:
        self.version += 1
        now = datetime.now(UTC)
        head: Head = {
            "event_id": str(uuid7(self._rng, now)), "occurred_at": microseconds(now), "brand": "all",
            "jurisdiction": "MT",
        }  # fmt: skip
        return market_update(
            head, provider="betfair", sport_event_id=EVENT, sport="cricket", competition="ICC T20 World Cup",
            event_name=NAME, starts_at=microseconds(now), market_id=MARKET, market_type="MATCH_ODDS",
            market_name="Match Odds", status=status, is_in_play=True, bet_delay=5, winners=1, version=self.version,
            currency="GBP", traded_volume=100_000_00 + self.version * 37_00,
            outcomes=[self._runner(number, name) for number, name in RUNNERS.items()],
        )  # fmt: skip

    def _runner(self, number: str, name: str) -> MarketOutcome:
        back = 1_500 + 10 * self._rng.randrange(100)
        return {
            "outcome_id": number, "name": name, "status": "active", "back_odds": back,
            "back_size": self._rng.randrange(1_00, 900_00), "lay_odds": back + 20,
            "lay_size": self._rng.randrange(1_00, 900_00), "last_odds": back + 10,
        }  # fmt: skip
