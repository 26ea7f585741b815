"""The rolling numbers, read from the windows. One statement each, by index, out of the months concerned.

A window is made of whole minutes (a series of whole hours or days, in UTC): those that began within it, the running one
included. Amounts are minor units. What the numbers mean is known to the apps that count them; they read them by these.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from .models import Window
from .rollup import rolled_before
from .windows import BY_HOUR_AND_DAY, HOURLY

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONTH = timedelta(days=30)
ACTIVE = timedelta(minutes=15)
# Whatever the settings say, minutes are kept longer than this.
NEVER_ROLLED = timedelta(days=1)


@dataclass(frozen=True)
class Amount:
    """How many, and how much in minor units of a currency."""

    count: int
    amount: int

    @property
    def mean(self) -> int | None:
        """To the nearest minor unit, halves up; None where there is nothing to divide."""
        return (2 * self.amount + self.count) // (2 * self.count) if self.count else None


@dataclass(frozen=True)
class Attempts:
    """What went through and what did not."""

    succeeded: int = 0
    failed: int = 0

    @property
    def rate(self) -> float | None:
        """The share that went through; None where nothing was tried."""
        tried = self.succeeded + self.failed
        return self.succeeded / tried if tried else None


def events_per_minute(now: datetime, window: timedelta = HOUR) -> dict[datetime, dict[str, int]]:
    """For each minute that had any, how many events of each record type happened in it; for hours of long ago."""
    counted = (
        windows(now, window, "events")
        .values_list("minute", "key")
        .annotate(events=Sum("count"))
        .order_by("minute", "key")
    )
    found: dict[datetime, dict[str, int]] = {}
    for minute, record, events in counted:
        found.setdefault(minute, {})[record] = int(events)
    return found


def active_players_by_jurisdiction(now: datetime, within: timedelta = ACTIVE) -> dict[str, int]:
    """Players seen to do something, each counted once however many topics tell of it."""
    with connection.cursor() as cursor:
        # count(DISTINCT …) sorts all rows; this hashes them, in 0.4 of the time.
        cursor.execute(
            "SELECT jurisdiction, count(*) FROM (SELECT DISTINCT jurisdiction, player_id FROM metrics_activity"
            " WHERE minute > %s AND minute <= %s) seen GROUP BY jurisdiction ORDER BY jurisdiction",
            [now - within, now],
        )
        return dict(cursor.fetchall())


def series(now: datetime, window: timedelta, metric: str) -> dict[datetime, dict[tuple[str, str], int]]:
    """The sums of a metric for each hour or day that had any, by key and currency.

    In plain SQL: for a thousand rows of answer the ORM takes longer than Postgres.
    """
    found: dict[datetime, dict[tuple[str, str], int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT minute, key, currency, sum(amount)::bigint FROM metrics_window"
            " WHERE metric = %s AND minute > %s AND minute <= %s GROUP BY minute, key, currency",
            [metric, now - window, now],
        )
        for at, key, currency, amount in cursor.fetchall():
            found.setdefault(at, {})[key, currency] = amount
    # Sorted here: Postgres would sort all that it sums, text by text.
    return dict(sorted(found.items()))


def amounts(now: datetime, window: timedelta, metric: str) -> dict[tuple[str, str], Amount]:
    """How many and how much, by key and currency."""
    return {(key, currency): Amount(count, amount) for key, currency, count, amount in sums(now, window, metric)}


def sums(now: datetime, window: timedelta, metric: str) -> list[tuple[str, str, int, int]]:
    """Key, currency, count and amount, summed over minutes and partitions."""
    rows = (
        windows(now, window, metric)
        .values_list("key", "currency")
        .annotate(counted=Sum("count"), amounted=Sum("amount"))
        .order_by("key", "currency")
    )
    return [(key, currency, int(count), int(amount)) for key, currency, count, amount in rows]


def windows(now: datetime, window: timedelta, *metrics: str) -> QuerySet[Window]:
    """Rows that add up to the window; where minutes are kept no longer it begins with the first whole hour."""
    minutes = Q(metric__in=metrics, minute__gt=now - window, minute__lte=now)
    if window <= NEVER_ROLLED or now - window >= (rolled := rolled_before()):
        return Window.objects.filter(minutes)
    # Late minutes of these are in their hours already.
    twice = Q(metric__in=BY_HOUR_AND_DAY, minute__lt=rolled)
    hours = Q(metric__in=_hourly(*metrics), minute__gt=now - window, minute__lt=rolled)
    return Window.objects.filter((minutes & ~twice) | hours)


def _hourly(*metrics: str) -> list[str]:
    return [f"{metric}{HOURLY}" for metric in metrics]
