"""How far our own clock is behind or ahead, by the times at which brokers took messages."""

import time
from datetime import UTC, datetime, timedelta

from django.conf import settings

# What a broker said is believed for so long; then its clock, too, may have been set right.
BELIEVED_SECONDS = 300.0


class _Furthest:
    """The time of brokers, less our monotonic time, that is the greatest of what was heard of late (seconds)."""

    def __init__(self) -> None:
        self._heard: tuple[float, float] | None = None

    def hear(self, lead: float) -> None:
        now, heard = time.monotonic(), self._heard
        if heard is None or lead >= heard[0] or now - heard[1] > BELIEVED_SECONDS:
            self._heard = lead, now

    def now(self) -> datetime | None:
        """Their time as it has gone on by our monotonic clock."""
        return None if self._heard is None else datetime.fromtimestamp(self._heard[0] + time.monotonic(), UTC)


class Skew:
    """One for all lanes of a worker; between two messages the time of the brokers goes on by our monotonic clock."""

    def __init__(self) -> None:
        # At the earliest, and at the latest.
        self._earliest, self._latest = _Furthest(), _Furthest()

    def hear(self, appended: int) -> None:
        """A broker took a message at this time (milliseconds since 1970); 0 where it did not say."""
        if appended:
            self._earliest.hear(appended / 1_000 - time.monotonic())

    def hear_of_one_after(self, moment: float, appended: int) -> None:
        """It took one at this time that came to the log after a moment (monotonic, seconds).

        Of several the one says the most that had not waited to be seen, as one of a long transaction does.
        """
        if appended:
            self._latest.hear(appended / 1_000 - moment)

    def behind(self, now: datetime) -> timedelta:
        """What our clock, which says ``now``, lacks; nothing where that may be (`CLOCK_BEHIND`)."""
        theirs = self._earliest.now()
        lacks = timedelta() if theirs is None else theirs - now
        return lacks if lacks > settings.CLOCK_BEHIND else timedelta()

    def ahead(self, now: datetime) -> timedelta:
        """What our clock has too much; nothing where that may be (`CLOCK_FAST`)."""
        theirs = self._latest.now()
        leads = timedelta() if theirs is None else now - theirs
        return leads if leads > settings.CLOCK_FAST else timedelta()
