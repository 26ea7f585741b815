"""How far our own clock is behind, by what brokers say: none takes a message at a time that is still to come."""

import time
from datetime import UTC, datetime, timedelta

from django.conf import settings

# What a broker said is believed for so long; then its clock, too, may have been set right.
BELIEVED_SECONDS = 300.0


class Skew:
    """One for all lanes of a worker; between two messages the time of the brokers goes on by our monotonic clock."""

    def __init__(self) -> None:
        # The newest time of a broker, less the monotonic time at which it was heard; and that time itself.
        self._heard: tuple[float, float] | None = None

    def hear(self, appended: int) -> None:
        """A broker took a message at this time (milliseconds since 1970); 0 where it did not say."""
        now = time.monotonic()
        lead, heard = appended / 1_000 - now, self._heard
        if appended and (heard is None or lead >= heard[0] or now - heard[1] > BELIEVED_SECONDS):
            self._heard = lead, now

    def behind(self, now: datetime) -> timedelta:
        """What our clock, which says ``now``, lacks; nothing where that may be (`CLOCK_BEHIND`)."""
        if self._heard is None:
            return timedelta()
        lacks = datetime.fromtimestamp(self._heard[0] + time.monotonic(), UTC) - now
        return lacks if lacks > settings.CLOCK_BEHIND else timedelta()
