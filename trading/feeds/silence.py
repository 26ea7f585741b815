"""Whether a provider that says nothing for a while is gone, or has nothing to say."""

from .pacing import LEAP_MILLISECONDS

# A provider that is not heard for two of its heartbeats is gone. Source: feeds-and-pricing.md §1.
SILENT_HEARTBEATS = 2
# So many messages in a row without a heartbeat's pause between two make a feed that is never still.
BUSY = 100


class Watch:
    """Listens to the provider's clock. ``backwards`` counts how often it went back; ``last`` is its latest time.

    A heartbeat is owed when nothing else was said for so long. So silence means something where heartbeats were heard,
    and where the feed was never still, so that none was owed yet. A recording that was made without them is still again
    and again and goes on as if nothing had been: there silence means nothing.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self.backwards = 0
        self._beats = False
        self._is_still = False
        self._in_a_row = 0

    def hear(self, at: int, heartbeat: int | None, *, is_heartbeat: bool) -> int | None:
        """Take note of a message at ``at`` (milliseconds); since when the provider was gone before it, None if it was
        not. ``heartbeat`` is the agreed one; without (Betfair's historic files) nobody promised to be heard."""
        before = self.last
        self._note(at)
        self._beats = self._beats or is_heartbeat
        if before is None or heartbeat is None:
            return None
        in_a_row = self._in_a_row
        self._in_a_row = in_a_row + 1 if at - before <= heartbeat else 0
        gone_at = before + SILENT_HEARTBEATS * heartbeat
        if at <= gone_at:
            return None
        is_owed = self._beats or (in_a_row >= BUSY and not self._is_still)
        self._is_still = True
        return gone_at if is_owed else None

    def _note(self, at: int) -> None:
        if self.last is None or at >= self.last:
            self.last = at
            return
        self.backwards += 1
        if self.last - at > LEAP_MILLISECONDS:
            self.last = at
