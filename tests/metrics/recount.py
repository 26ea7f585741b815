"""Every rolling number twice: read from the windows, and counted again in plain Python from the messages themselves."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from backoffice.kernel.clock import at_microseconds, microseconds
from backoffice.metrics import selectors
from backoffice.metrics.selectors import Amount, Attempts
from backoffice.simulator.events.envelope import Event
from players import selectors as players
from tests.faults import bookkeeping
from tests.faults.oracle import distinct
from tests.faults.tables import UNLOGGED
from trading import figures as trading
from wallet import selectors as wallet

HOUR = timedelta(hours=1)
Numbers = dict[str, Any]


def read(now: datetime) -> Numbers:
    return {
        "ggr": wallet.ggr_by_vertical(now),
        "ggr by hour": wallet.ggr_by_hour(now),
        "ggr by day": wallet.ggr_by_day(now),
        "stakes": wallet.stakes(now),
        "mean stakes": {key: amount.mean for key, amount in wallet.stakes(now).items()},
        "bets": trading.bets(now),
        "payments": wallet.payment_success(now),
        "logins": players.logins(now),
        "events": selectors.events_per_minute(now),
        "active players": selectors.active_players_by_jurisdiction(now),
    }


def recounted(messages: list[Event], now: datetime) -> Numbers:
    """What ``read`` must give once exactly these messages are stored."""
    once = [event for event in distinct(messages) if event.record not in UNLOGGED]
    counted = bookkeeping.windows([*once, *(event for event in messages if event.record in UNLOGGED)])
    last_hour: dict[str, Counter[Any]] = defaultdict(Counter)
    money: dict[str, Counter[Any]] = defaultdict(Counter)
    series: dict[str, dict[datetime, Counter[Any]]] = defaultdict(lambda: defaultdict(Counter))
    minutes: dict[datetime, dict[str, int]] = defaultdict(dict)
    for (metric, at, key, currency), (count, amount) in counted.items():
        minute = at_microseconds(at)
        if metric == "ggr":
            series["hour"][minute.replace(minute=0)][key, currency] += amount
            series["day"][minute.replace(hour=0, minute=0)][key, currency] += amount
        if now - HOUR < minute <= now:
            last_hour[metric][key, currency] += count
            money[metric][key, currency] += amount
            if metric == "events":
                minutes[minute][key] = count
    stakes, bets = (_amounts(last_hour[metric], money[metric]) for metric in ("stakes", "bets"))
    return {
        "ggr": dict(money["ggr"]),
        "ggr by hour": _recent(series["hour"], now - timedelta(days=1)),
        "ggr by day": _recent(series["day"], now - timedelta(days=30)),
        "stakes": stakes,
        "mean stakes": {key: _nearest(found.amount, found.count) for key, found in stakes.items()},
        "bets": bets,
        "payments": _outcomes(last_hour["deposits_completed"], last_hour["deposits_declined"]),
        "logins": Attempts(last_hour["logins"]["succeeded", ""], last_hour["logins"]["failed", ""]),
        "events": dict(minutes),
        "active players": _active(once, now),
    }


def _amounts(counts: Counter[Any], sums: Counter[Any]) -> dict[Any, Amount]:
    return {key: Amount(counts[key], sums[key]) for key in counts}


def _nearest(amount: int, count: int) -> int:
    whole, rest = divmod(amount, count)
    return whole + (2 * rest >= count)


def _recent(series: dict[datetime, Counter[Any]], after: datetime) -> dict[datetime, dict[Any, int]]:
    return {at: dict(sums) for at, sums in series.items() if at > after}


def _outcomes(completed: Counter[Any], declined: Counter[Any]) -> dict[str, Attempts]:
    providers = {provider for provider, _ in (*completed, *declined)}
    sums = [Counter[str](), Counter[str]()]
    for counter, counts in zip(sums, (completed, declined), strict=True):
        for (provider, _), count in counts.items():
            counter[provider] += count
    return {provider: Attempts(sums[0][provider], sums[1][provider]) for provider in providers}


def _active(events: list[Event], now: datetime) -> dict[str, int]:
    """Players whose last sign was in the last quarter of an hour, each once."""
    since, until = microseconds(now - timedelta(minutes=15)), microseconds(now)
    seen = {
        (jurisdiction, player)
        for (player, _), (_, jurisdiction, minute) in bookkeeping.activity(events).items()
        if since < minute <= until
    }
    return dict(Counter(jurisdiction for jurisdiction, _ in seen))
