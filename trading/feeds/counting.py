"""What a feed has read and what was wrong with it: for its last line, and for Prometheus while it runs."""

import logging
from dataclasses import dataclass

from prometheus_client import Counter

from .adapter import Taken

MOST_COMPLAINTS = 100

MESSAGES = Counter("pitboss_feed_messages_total", "Messages of a provider that were read.", ("provider",))
TROUBLE = Counter("pitboss_feed_trouble_total", "What was wrong with a provider's messages.", ("provider", "what"))

log = logging.getLogger(__name__)


@dataclass
class Totals:
    """Messages of a provider that were read, and how often there was trouble of each kind; see docs/feeds.md."""

    provider: str = ""
    messages: int = 0
    malformed: int = 0
    conflated: int = 0
    silences: int = 0
    backwards: int = 0
    dropped_versions: int = 0
    lost_segments: int = 0
    unknown_markets: int = 0
    crossed_books: int = 0

    def take(self, line: int, taken: Taken) -> None:
        """Count a message, with what was strange about it; one that was refused is logged."""
        if taken.refused is not None:
            self._refuse(line, taken.refused)
            return
        self.messages += 1
        MESSAGES.labels(self.provider).inc()
        self.trouble("conflated", taken.is_conflated)
        if any(taken.oddities):
            for what, count in taken.oddities._asdict().items():
                self.trouble(what, count)

    def trouble(self, what: str, count: int = 1) -> None:
        """Count some trouble; ``what`` is the name of one of the totals."""
        if count:
            setattr(self, what, getattr(self, what) + count)
            TROUBLE.labels(self.provider, what).inc(count)

    def _refuse(self, line: int, reason: str) -> None:
        """A file full of garbage does not fill the log."""
        self.trouble("malformed")
        if self.malformed <= MOST_COMPLAINTS:
            log.warning("line %d is skipped: %s", line, reason)
        if self.malformed == MOST_COMPLAINTS:
            log.warning("further malformed messages are only counted")
