"""Updates of a provider become events: which one, when, and in which order."""

from typing import Any

from backoffice.kernel.clock import Clock, microseconds
from backoffice.kernel.ids import derived_uuid7

from .adapter import Update

# What no player causes stands for every brand.
BRAND = "all"


class Stamp:
    """Gives each update its envelope, under the licence of ``jurisdiction``, and its version.

    ``subscription`` names which markets of the provider are told, where other feeds tell the rest; it is empty where
    one tells all.

    An event happened when Pitboss learnt of it: ``occurred_at`` is the clock's now, for a replay too. So a market's
    age says how long nothing was heard of it, and the windows count what goes on today.

    The version is that moment in microseconds, and at least one above the last. So it rises within a feed, over its
    restarts and over replays of one recording: what was played later is newer than every row of the earlier time, and
    nothing has to be kept between two runs. (Betfair's own version does not do: it changes with the definition only,
    and in a replay it is the old one.) Only a clock that was set back makes a new feed lose, until it has caught up;
    what the earlier one told is shut meanwhile, for each update says which run it is of.
    """

    def __init__(self, clock: Clock, jurisdiction: str, subscription: str = "") -> None:
        self._clock = clock
        self._jurisdiction = jurisdiction
        self._subscription = subscription
        self._run: str | None = None
        self._version = 0
        self._shift = 0

    def start(self, provider_time: int) -> None:
        """Say what the provider's clock shows now (milliseconds since 1970): scheduled times move along with it.

        So a match recorded years ago that is on now has a start of today.
        """
        self._shift = self._now() - provider_time * 1_000

    def event(self, update: Update) -> dict[str, Any]:
        """A whole `MarketUpdate`. Its id follows from provider, market and version."""
        starts_at = update["starts_at"]
        return {
            **update,
            **self._envelope(update["provider"], update["market_id"]),
            "starts_at": None if starts_at is None else starts_at + self._shift,
            "subscription": self._subscription or None,
            "run": self._run,
        }

    def beginning(self, provider: str) -> dict[str, Any]:
        """A whole `FeedBegan`; all updates to come say that they are of this run."""
        began = self._envelope(provider, "begins", self._subscription)
        del began["version"]
        self._run = began["event_id"]
        return {**began, "provider": provider, "subscription": self._subscription}

    def _envelope(self, *names: str) -> dict[str, Any]:
        now = self._clock.now()
        at = microseconds(now)
        self._version = max(self._version + 1, at)
        return {
            "brand": BRAND,
            "jurisdiction": self._jurisdiction,
            "event_id": str(derived_uuid7(now, *names, str(self._version))),
            "occurred_at": at,
            "version": self._version,
        }

    def _now(self) -> int:
        return microseconds(self._clock.now())
