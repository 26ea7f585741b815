"""The windows say what was sent, exactly, and are read in one statement by index."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from backoffice.kernel.clock import at_microseconds
from backoffice.metrics import selectors
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from players import selectors as players
from tests import databases
from tests.spine import Spine
from trading import figures as trading
from wallet import selectors as wallet

NOW = datetime(2026, 3, 1, 1, 0, 30, tzinfo=UTC)
# Late in a month, so that its partition is worth an index.
LATE = NOW + timedelta(days=27)
SELECTORS = [
    wallet.ggr_by_vertical,
    wallet.ggr_by_hour,
    wallet.ggr_by_day,
    wallet.stakes,
    trading.bets,
    wallet.payment_success,
    players.logins,
    selectors.events_per_minute,
    selectors.active_players_by_jurisdiction,
]


def happened(event: Event) -> datetime:
    return at_microseconds(int(str(event.body["occurred_at"])))


def recent(events: list[Event], within: timedelta) -> list[Event]:
    """Those whose minute began in the window, each event once."""
    known = {str(event.body["event_id"]): event for event in events}
    return [e for e in known.values() if NOW - within < happened(e).replace(second=0, microsecond=0) <= NOW]


@pytest.fixture(scope="module")
def sent_once(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[str, list[Event]]]:
    """The address of a database with what was sent, and that."""
    url = settings.DATABASE_URL
    with django_db_blocker.unblock(), databases.copied(url, template) as name:
        address = databases.beside(url, name)
        with databases.default_database(address), Spine.on_servers(name) as spine:
            events = send(spine)
        yield address, events


@pytest.fixture
def sent(sent_once: tuple[str, list[Event]], django_db_blocker: DjangoDbBlocker) -> Iterator[list[Event]]:
    address, events = sent_once
    with django_db_blocker.unblock(), databases.default_database(address):
        yield events


def send(spine: Spine) -> list[Event]:
    """Two hours of events until now: later half first, so that the others come late; some of them twice."""
    start = NOW - timedelta(hours=2)
    events = list(generate(seed=3, start=start, events=2_400, step=timedelta(seconds=3), players=40))
    kept = [event for event in events if event.record not in ("MarketUpdate", "MarketPrice")]
    spine.send(events[len(events) // 2 :])
    spine.drain()
    spine.send(reversed(events[: len(events) // 2]))
    spine.send(kept[::7])
    spine.drain()
    return events


def test_windows_are_what_was_sent(sent: list[Event]) -> None:
    events = recent(sent, timedelta(hours=1))
    of = defaultdict(list)
    for event in events:
        of[event.record].append(event.body)

    stakes: Counter[tuple[Any, Any]] = Counter()
    revenue: Counter[tuple[Any, Any]] = Counter()
    for body in of["RoundCompleted"]:
        stakes[body["vertical"], body["currency"]] += body["stake"]
        revenue[body["vertical"], body["currency"]] += body["stake"] - body["win"] - body["jackpot_win"]
    for body in of["BetPlaced"]:
        if not body["is_free_bet"]:
            stakes["sports", body["currency"]] += body["stake"]
    for record, sign in (("BetSettled", 1), ("BetCashedOut", 1), ("BetVoided", -1), ("BetResettled", 0)):
        for body in of[record]:
            revenue["sports", body["currency"]] += settled(record, sign, body)

    assert {k: v.amount for k, v in wallet.stakes(NOW).items()} == dict(stakes)
    assert wallet.ggr_by_vertical(NOW) == dict(revenue)
    assert sum(found.count for found in trading.bets(NOW).values()) == len(of["BetPlaced"])
    assert players.logins(NOW) == selectors.Attempts(len(of["LoginSucceeded"]), len(of["LoginFailed"]))
    completed = Counter(body["provider"] for body in of["DepositCompleted"])
    declined = Counter(body["provider"] for body in of["DepositDeclined"])
    assert wallet.payment_success(NOW) == {
        provider: selectors.Attempts(completed[provider], declined[provider]) for provider in completed | declined
    }


def settled(record: str, sign: int, body: dict[str, Any]) -> int:
    stake = 0 if body.get("is_free_bet") else body["stake"]
    if record == "BetVoided":
        return int(body["previous_payout"] - stake) if body["was_settled"] else 0
    return int(sign * stake - body["payout"] + (body["previous_payout"] if not sign else 0))


def test_events_per_minute_are_what_was_sent(sent: list[Event]) -> None:
    wanted: dict[datetime, Counter[str]] = defaultdict(Counter)
    for event in recent(sent, timedelta(minutes=30)):
        if event.record not in ("MarketUpdate", "MarketPrice"):
            wanted[happened(event).replace(second=0, microsecond=0)][event.record] += 1

    found = selectors.events_per_minute(NOW, timedelta(minutes=30))

    without_markets = {
        minute: {record: n for record, n in records.items() if record not in ("MarketUpdate", "MarketPrice")}
        for minute, records in found.items()
    }
    assert without_markets == {minute: dict(records) for minute, records in wanted.items()}


def test_a_player_is_active_once_whatever_tells_of_it(sent: list[Event]) -> None:
    signs = ("LoginSucceeded", "SessionStarted", "DepositCompleted", "RoundCompleted", "BetPlaced")
    seen = {
        (event.body["jurisdiction"], event.body["player_id"])
        for event in recent(sent, timedelta(minutes=15))
        if event.record in signs
    }

    assert selectors.active_players_by_jurisdiction(NOW) == Counter(jurisdiction for jurisdiction, _ in seen)


def test_an_installation_that_has_minutes_gets_their_hours_and_days(sent: list[Event]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        before = longer(cursor)
        cursor.execute("DELETE FROM metrics_window WHERE metric IN ('ggr_hour', 'ggr_day')")

        cursor.execute(import_module("backoffice.metrics.migrations.0003_revenue_by_hour_and_day").FILL)

        assert longer(cursor) == before
        assert len(before) > 20
        transaction.set_rollback(True)


def longer(cursor: Any) -> list[tuple[Any, ...]]:
    cursor.execute("SELECT * FROM metrics_window WHERE metric IN ('ggr_hour', 'ggr_day') ORDER BY 1, 2, 3, 4, 5, 6")
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


@pytest.fixture(scope="module")
def filled_once(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a database that is filled."""
    url = settings.DATABASE_URL
    with django_db_blocker.unblock(), databases.copied(url, template) as name:
        with databases.default_database(databases.beside(url, name)):
            fill()
        yield databases.beside(url, name)


@pytest.fixture
def filled(filled_once: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), databases.default_database(filled_once):
        yield


def fill() -> None:
    """Four months of windows and many players, so that reading all of a table would be noticed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metrics_window SELECT metric, minute, 'k' || n, 'EUR', 't', 0, 1, 100"
            " FROM generate_series(%s::timestamptz - interval '115 days', %s, interval '10 minutes') minute,"
            " unnest(ARRAY['ggr', 'ggr_hour', 'ggr_day', 'stakes', 'bets', 'logins', 'events', 'deposits_completed',"
            " 'deposits_declined']) metric,"
            " generate_series(1, 2) n",
            [LATE, LATE],
        )
        cursor.execute(
            "INSERT INTO metrics_activity SELECT gen_random_uuid(), 't', 'b', 'MT', %s - n * interval '5 seconds'"
            " FROM generate_series(1, 200000) n",
            [LATE],
        )
        cursor.execute("SELECT count(*) FROM metrics_window")
        assert cursor.fetchone()[0] >= 200_000
        cursor.execute("VACUUM ANALYZE metrics_window")
        cursor.execute("VACUUM ANALYZE metrics_activity")


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: selector.__name__)
def test_one_statement_reads_by_index_and_only_the_months_concerned(filled: None, selector: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert selector(LATE)

    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan, plan
    months = {word for word in plan.replace('"', " ").split() if word.startswith("metrics_window_20")}
    concerned = {"202602", "202603"} if selector is wallet.ggr_by_day else {"202603"}
    assert {month.removeprefix("metrics_window_")[:6] for month in months} <= concerned, plan
