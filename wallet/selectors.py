"""What the operator turns over, read from the windows: one statement each. Amounts are minor units."""

from datetime import datetime, timedelta

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from backoffice.metrics import selectors
from backoffice.metrics.selectors import DAY, HOUR, MONTH, Amount, Attempts
from backoffice.metrics.windows import DAILY, HOURLY


def ggr_by_vertical(now: datetime, window: timedelta = HOUR) -> dict[tuple[str, str], int]:
    """Gross gaming revenue for each vertical and currency: sports at settlement, casino at the end of the round."""
    return {(key, currency): amount for key, currency, _, amount in selectors.sums(now, window, "ggr")}


def ggr_by_hour(now: datetime, window: timedelta = DAY) -> dict[datetime, dict[tuple[str, str], int]]:
    """The same for each hour that had any. For long windows take days: 30 days of hours are read in tens of ms."""
    return selectors.series(now, window, f"ggr{HOURLY}")


def ggr_by_day(now: datetime, window: timedelta = MONTH) -> dict[datetime, dict[tuple[str, str], int]]:
    """The same for each day that had any."""
    return selectors.series(now, window, f"ggr{DAILY}")


def stakes(now: datetime, window: timedelta = HOUR) -> dict[tuple[str, str], Amount]:
    """Real-money stakes for each vertical and currency; the mean stake is their ``mean``."""
    return selectors.amounts(now, window, "stakes")


def payment_success(now: datetime, window: timedelta = HOUR) -> dict[str, Attempts]:
    """Deposits completed and declined, for each provider."""
    rows = (
        selectors.windows(now, window, "deposits_completed", "deposits_declined")
        .values("key")
        .annotate(
            completed=Coalesce(Sum("count", filter=Q(metric__startswith="deposits_completed")), 0),
            declined=Coalesce(Sum("count", filter=Q(metric__startswith="deposits_declined")), 0),
        )
        .values_list("key", "completed", "declined")
    )
    return {provider: Attempts(int(completed), int(declined)) for provider, completed, declined in rows}
