"""Minutes that are long past become hours and days, and nothing is lost or counted twice."""

import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from backoffice.metrics import rollup, selectors
from backoffice.metrics.models import Rolled, Window
from backoffice.metrics.tasks import roll_windows
from players import selectors as players
from tests import databases
from tests.spine import until
from trading import figures as trading
from wallet import selectors as wallet

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
BORDER = rollup.border(NOW)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEYS = (("stakes", "sports", "EUR"), ("bets", "single", "EUR"), ("events", "BetPlaced", ""), ("logins", "failed", ""),
        ("ggr", "slots", "SEK"), ("deposits_completed", "p", "EUR"), ("deposits_declined", "p", "EUR"))  # fmt: skip
Places = Counter[tuple[Any, ...]]

pytestmark = pytest.mark.usefixtures("database")


def fill(seed: int, count: int, first: datetime, last: datetime) -> None:
    """Events at random minutes, each in its window; those of revenue in their hour and day too."""
    rng = random.Random(seed)
    minutes = int((last - first).total_seconds() // 60)
    for _ in range(count):
        metric, key, currency = rng.choice(KEYS)
        at, partition = first + timedelta(minutes=rng.randrange(minutes)), rng.randrange(3)
        add(metric, at, key, currency, partition, rng.randrange(-500, 900))


def add(metric: str, at: datetime, key: str, currency: str, partition: int, amount: int) -> None:
    hour = at.replace(minute=0)
    spans = [("_hour", hour), ("_day", hour.replace(hour=0))] if metric == "ggr" else []
    with connection.cursor() as cursor:
        for suffix, moment in [("", at), *spans]:
            cursor.execute(
                "INSERT INTO metrics_window AS w VALUES (%s, %s, %s, %s, 't', %s, 1, %s)"
                " ON CONFLICT (metric, minute, key, currency, topic, partition)"
                " DO UPDATE SET count = w.count + 1, amount = w.amount + excluded.amount",
                [metric + suffix, moment, key, currency, partition, amount],
            )


def rows() -> list[tuple[Any, ...]]:
    names = ("metric", "minute", "key", "currency", "partition", "count", "amount")
    return list(Window.objects.order_by(*names[:5]).values_list(*names))


def summed(found: list[tuple[Any, ...]], suffix: str, *, fold: bool) -> tuple[Places, Places]:
    """Counts and amounts by hour or day: of such rows, or with ``fold`` of the minutes before the border."""
    counts, amounts = Places(), Places()
    for metric, minute, key, currency, partition, count, amount in found:
        is_longer = metric.endswith(("_hour", "_day"))
        if fold and not is_longer and minute < BORDER:
            at = minute.replace(minute=0) if suffix == "_hour" else minute.replace(hour=0, minute=0)
            place = (metric + suffix, at, key, currency, partition)
        elif not fold and metric.endswith(suffix) and minute < BORDER:
            place = (metric, minute, key, currency, partition)
        else:
            continue
        counts[place] += count
        amounts[place] += amount
    return counts, amounts


def test_hours_and_days_are_the_sums_of_the_minutes() -> None:
    fill(1, 3_000, BORDER - 20 * DAY, NOW)
    before = rows()

    roll_windows()

    after = rows()
    for suffix in ("_hour", "_day"):
        assert summed(after, suffix, fold=False) == summed(before, suffix, fold=True)
    recent = [row for row in before if row[1] >= BORDER]
    assert [row for row in after if row[1] >= BORDER] == recent
    assert not [row for row in after if row[1] < BORDER and not row[0].endswith(("_hour", "_day"))]
    assert len(recent) > 500
    assert rollup.rolled_before() == BORDER


def test_again_changes_nothing() -> None:
    fill(2, 500, BORDER - 3 * DAY, NOW)
    roll_windows()
    before = rows()

    roll_windows()

    assert rows() == before


def test_what_comes_late_is_added_to_its_hour_and_day() -> None:
    fill(3, 800, BORDER - 5 * DAY, BORDER)
    before = rows()
    roll_windows()
    fill(4, 800, BORDER - 5 * DAY, BORDER)

    roll_windows()

    late = rows()
    Window.objects.all().delete()
    fill(3, 800, BORDER - 5 * DAY, BORDER)
    fill(4, 800, BORDER - 5 * DAY, BORDER)
    for suffix in ("_hour", "_day"):
        assert summed(late, suffix, fold=False) == summed(rows(), suffix, fold=True)
    assert len(before) > 300


def test_what_is_being_stored_meanwhile_is_rolled_up_the_next_time(database: str) -> None:
    at = BORDER - DAY + timedelta(minutes=7)
    add("bets", at, "single", "EUR", 0, 100)
    with psycopg.connect(databases.beside(settings.DATABASE_URL, database)) as stream:
        stream.execute("INSERT INTO metrics_window VALUES ('bets', %s, 'system', 'EUR', 't', 0, 1, 70)", [at])
        roll_windows()
        stream.commit()
    assert Window.objects.get(metric="bets").key == "system"

    roll_windows()

    assert not Window.objects.filter(metric="bets").exists()
    days = Window.objects.filter(metric="bets_day", minute=BORDER - DAY).values_list("key", "count", "amount")
    assert sorted(days) == [("single", 1, 100), ("system", 1, 70)]


def test_killed_on_its_way_it_goes_on_where_it_was(database: str) -> None:
    fill(5, 6_000, BORDER - 40 * DAY, BORDER)
    before = rows()
    url = databases.beside(settings.DATABASE_URL, database)
    program = "import django; django.setup(); from backoffice.metrics.tasks import roll_windows; roll_windows()"
    environ = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "backoffice.settings.test", "PATH": ""}
    with subprocess.Popen([sys.executable, "-c", program], env=environ) as rolling:
        until(lambda: Rolled.objects.get().before > BORDER - 38 * DAY, "a few days are rolled up")
        rolling.send_signal(signal.SIGKILL)
    until(lambda: others_at_work() == 0, "its backend is gone")
    assert Rolled.objects.get().before < BORDER
    halfway = rows()
    assert len(halfway) < len(before)

    roll_windows()

    for suffix in ("_hour", "_day"):
        assert summed(rows(), suffix, fold=False) == summed(before, suffix, fold=True)


def others_at_work() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


def test_numbers_are_the_same_across_the_border() -> None:
    fill(6, 3_000, BORDER - 10 * DAY, NOW)
    window = NOW - (BORDER - 6 * DAY - timedelta(minutes=1))
    asked: tuple[Any, ...] = (
        wallet.stakes,
        trading.bets,
        players.logins,
        wallet.payment_success,
        wallet.ggr_by_vertical,
    )
    before = [selector(NOW, window) for selector in asked]

    roll_windows()
    assert [selector(NOW, window) for selector in asked] == before

    add("ggr", BORDER - DAY, "slots", "SEK", 0, 1_000)
    add("stakes", BORDER - DAY, "sports", "EUR", 0, 1_000)
    stakes, revenue = wallet.stakes(NOW, window), wallet.ggr_by_vertical(NOW, window)
    roll_windows()
    assert (wallet.stakes(NOW, window), wallet.ggr_by_vertical(NOW, window)) == (stakes, revenue)
    assert revenue[("slots", "SEK")] == before[4][("slots", "SEK")] + 1_000
    assert stakes[("sports", "EUR")].amount == before[0][("sports", "EUR")].amount + 1_000


def test_events_of_long_ago_are_told_by_the_hour() -> None:
    at = BORDER - DAY + timedelta(minutes=7)
    add("events", at, "BetPlaced", "", 0, 0)

    roll_windows()

    found = selectors.events_per_minute(NOW, NOW - BORDER + 3 * DAY)
    assert found == {at.replace(minute=0): {"BetPlaced": 1}}


def test_a_month_that_is_rolled_up_gives_its_room_back() -> None:
    month = (BORDER.replace(day=1) - DAY).replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metrics_window SELECT 'bets', minute, 'k' || n, 'EUR', 't', 0, 1, 1 FROM"
            " generate_series(%s::timestamptz, %s, interval '1 minute') minute, generate_series(1, 20) n",
            [month, month + 3 * DAY],
        )

    def size() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [f"metrics_window_{month:%Y%m}"])
            return int(cursor.fetchone()[0])

    full = size()
    roll_windows()

    assert size() < full / 10
    assert rollup.give_back(BORDER) == []


def test_a_month_that_is_being_read_keeps_its_size_until_tomorrow(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "_PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr(rollup, "_MOSTLY_AIR", 0)
    with psycopg.connect(databases.beside(settings.DATABASE_URL, database)) as reader:
        reader.execute("SELECT count(*) FROM metrics_window")
        assert rollup.give_back(BORDER) == []
        assert rollup.rolled_before() < BORDER


def test_another_table_is_rolled_up_in_the_same_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE beside (LIKE metrics_window INCLUDING ALL, is_open boolean NOT NULL)")
    monkeypatch.setattr(rollup, "_TABLES", ["metrics_window"])
    rollup.register("beside")
    at = BORDER - DAY
    add("bets", at, "single", "EUR", 0, 100)
    add("bets", at + timedelta(minutes=1), "single", "EUR", 0, 50)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO beside SELECT *, extract(minute FROM minute) = 1 FROM metrics_window")
        cursor.execute("ALTER TABLE beside ADD CHECK (metric <> 'bets_day') NOT VALID")

    with pytest.raises(Exception, match="violates check constraint"), transaction.atomic():
        rollup.roll(BORDER)
    assert Window.objects.filter(metric="bets").count() == 2

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE beside DROP CONSTRAINT beside_metric_check")
    rollup.roll(BORDER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT metric, count, amount, is_open FROM beside ORDER BY metric")
        assert cursor.fetchall() == [("bets_day", 2, 150, True), ("bets_hour", 2, 150, True)]
