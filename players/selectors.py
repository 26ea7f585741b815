"""What players do, read from the windows: one statement each."""

from datetime import datetime, timedelta

from backoffice.metrics import selectors
from backoffice.metrics.selectors import HOUR, Attempts


def logins(now: datetime, window: timedelta = HOUR) -> Attempts:
    counts = {key: count for key, _, count, _ in selectors.sums(now, window, "logins")}
    return Attempts(counts.get("succeeded", 0), counts.get("failed", 0))
