"""Updates of a provider become events: which one, when, and in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any

from backoffice.kernel.clock import Clock
from backoffice.kernel.ids import derived_uuid7

from .adapter import Update

# What no player causes stands for every brand.
BRAND = "all"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Stamp:
    """Gives each update its envelope, under the licence of ``jurisdiction``, and its version.

    An event happened when Pitboss learnt of it: ``occurred_at`` is the clock's now, for a replay too. So a market's
    age says how long nothing was heard of it, and the windows count what goes on today.

    The version is that moment in microseconds, and at least one above the last. So it rises within a feed, over its
    restarts and over replays of one recording: what was played later is newer than every row of the earlier time, and
    nothing has to be kept between two runs. (Betfair's own version does not do: it changes with the definition only,
    and in a replay it is the old one.) Only a clock that was set back makes a new feed lose, until it has caught up.
    """

    def __init__(self, clock: Clock, jurisdiction: str) -> None:
        self._clock = clock
        self._jurisdiction = jurisdiction
        self._version = 0
        self._shift = 0

    def start(self, provider_time: int) -> None:
        """Say what the provider's clock shows now (milliseconds since 1970): scheduled times move along with it.

        So a match recorded years ago that is on now has a start of today.
        """
        self._shift = self._now() - provider_time * 1_000

    def event(self, update: Update) -> dict[str, Any]:
        """A whole `MarketUpdate`. Its id follows from provider, market and version."""
        now = self._clock.now()
        at = (now - _EPOCH) // _MICROSECOND
        self._version = max(self._version + 1, at)
        starts_at = update["starts_at"]
        names = (update["provider"], update["market_id"], str(self._version))
        return {
            **update,
            "brand": BRAND,
            "jurisdiction": self._jurisdiction,
            "event_id": str(derived_uuid7(now, *names)),
            "occurred_at": at,
            "version": self._version,
            "starts_at": None if starts_at is None else starts_at + self._shift,
        }

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND
