"""Which feeds and markets are silent, after their updates went through the broker and the worker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from auditlog.models import LogEntry
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from backoffice.kernel.clock import microseconds
from backoffice.metrics.silence import Source
from backoffice.simulator.events.envelope import Event
from tests import databases
from tests.spine import Spine
from tests.streams.arriving import event_of
from trading.models import FeedLimit
from trading.selectors import feeds

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PLAYING: dict[str, Any] = {"is_in_play": True, "starts_at": NOW - HOUR}


def update(market: str, heard_ago: timedelta, **changes: Any) -> Event:
    """The only update of an open market, of a sport event of its own."""
    body = event_of(
        "MarketUpdate", event_id=str(uuid4()), occurred_at=NOW - heard_ago, provider="northfeed", market_id=market,
        market_name=market, event_name="Ashford v Carrow", sport_event_id=f"event of {market}", status="open",
        is_in_play=False, starts_at=None,
    ) | changes  # fmt: skip
    times = {name: microseconds(body[name]) for name in ("occurred_at", "starts_at") if body[name] is not None}
    return Event("MarketUpdate", body["sport_event_id"], body | times)


def told(spine: Spine, *updates: Event, now: datetime = NOW) -> list[Source]:
    spine.send(updates)
    spine.drain("trading")
    return feeds(now)


# Ago, what is special about the market, how many are then watched and silent; None where nobody listens any more.
CASES: dict[str, tuple[timedelta, dict[str, Any], tuple[int, int] | None]] = {
    "in play and silent": (3 * MINUTE, PLAYING, (1, 1)),
    "in play and heard": (1 * MINUTE, PLAYING, (1, 0)),
    "suspended": (3 * MINUTE, PLAYING | {"status": "suspended"}, (0, 0)),
    "soon and silent": (20 * MINUTE, {"starts_at": NOW + HOUR / 2}, (1, 1)),
    "soon and heard": (10 * MINUTE, {"starts_at": NOW + HOUR / 2}, (1, 0)),
    "much later": (3 * HOUR, {"starts_at": NOW + 5 * HOUR}, (0, 0)),
    "never turned in play": (20 * MINUTE, {"starts_at": NOW - 10 * MINUTE}, (1, 1)),
    "closed": (3 * MINUTE, PLAYING | {"status": "closed"}, None),
    "given up": (13 * HOUR, PLAYING, None),
}


def test_open_markets_are_watched_in_play_and_before_their_start(spine: Spine) -> None:
    """Each case is a provider of its own with one market."""
    sources = told(spine, *(update(name, ago, **changes, provider=name) for name, (ago, changes, _) in CASES.items()))

    assert {source.name: (source.watched, source.silent) for source in sources} == {
        name: counts for name, (_, _, counts) in CASES.items() if counts
    }
    assert all(len(source.longest) == source.silent for source in sources)
    assert {source.name: source.heard_at for source in sources}.items() <= {
        name: NOW - ago for name, (ago, _, _) in CASES.items()
    }.items()


def test_the_longest_silent_markets_are_named_first(spine: Spine) -> None:
    updates = [update(f"Market {minutes}", minutes * MINUTE, **PLAYING) for minutes in (9, 3, 7, 5, 4, 8, 6)]

    (source,) = told(spine, *updates, update("Heard", MINUTE / 2, **PLAYING))

    assert (source.watched, source.silent) == (8, 7)
    assert [market.name for market in source.longest] == [
        f"Market {minutes}, Ashford v Carrow" for minutes in (9, 8, 7, 6, 5)
    ]
    assert {market.limit for market in source.longest} == {2 * MINUTE}
    assert not source.is_silent(NOW)


def test_a_provider_is_silent_when_nothing_comes_of_it_and_something_should(spine: Spine) -> None:
    playing = update("Winner", 2 * MINUTE, **PLAYING)
    later = update("Totals", 3 * HOUR, provider="courtline", starts_at=NOW + 5 * HOUR)
    elsewhere = update("Places", 4 * MINUTE, provider="exchange", **PLAYING)
    speaking = update("Draw", MINUTE / 2, provider="exchange", status="suspended", **PLAYING)

    sources = told(spine, playing, later, elsewhere, speaking)

    assert {source.name: source.is_silent(NOW) for source in sources} == {
        "courtline": False, "exchange": False, "northfeed": True,
    }  # fmt: skip


def test_limits_are_those_of_the_moment_and_of_the_provider(spine: Spine) -> None:
    patient = FeedLimit.objects.get(provider="")
    patient.pk = None
    patient.valid_from, patient.in_play = NOW - HOUR, 10 * MINUTE
    patient.save()
    patient.pk, patient.provider, patient.in_play = None, "courtline", MINUTE
    patient.save()
    at = [update("Winner", 5 * MINUTE, **PLAYING), update("Totals", 5 * MINUTE, **PLAYING, provider="courtline")]
    before = [
        update("Winner", 2 * HOUR + 5 * MINUTE, **PLAYING),
        update("Totals", 2 * HOUR + 5 * MINUTE, **PLAYING, provider="courtline"),
    ]

    earlier = told(spine, *before, now=NOW - 2 * HOUR)
    now = told(spine, *(Event(e.record, e.key, e.body | {"version": 1_000_000}) for e in at))

    assert {source.name: source.silent for source in earlier} == {"courtline": 1, "northfeed": 1}
    assert {source.name: source.silent for source in now} == {"courtline": 1, "northfeed": 0}


def test_people_set_limits_from_a_moment_on_and_change_none(database: str) -> None:
    User.objects.create_superuser("ana", password="only-for-tests")
    client = Client()
    client.login(username="ana", password="only-for-tests")
    limit = {
        "provider": "northfeed", "valid_from_0": "2026-03-01", "valid_from_1": "12:00:00", "any_market": "0:00:30",
        "in_play": "0:00:45", "before_start": "0:05:00", "soon": "2:00:00", "given_up_after": "12:00:00",
    }  # fmt: skip
    first = FeedLimit.objects.get()

    added = client.post("/admin/trading/feedlimit/add/", limit)
    changed = client.post(f"/admin/trading/feedlimit/{first.pk}/change/", limit)
    deleted = client.post(f"/admin/trading/feedlimit/{first.pk}/delete/", {"post": "yes"})

    assert (added.status_code, changed.status_code, deleted.status_code) == (302, 403, 403)
    assert FeedLimit.objects.get(provider="northfeed").in_play == timedelta(seconds=45)
    assert FeedLimit.objects.get(pk=first.pk).in_play == first.in_play
    (entry,) = LogEntry.objects.get_for_model(FeedLimit)
    assert (entry.action, entry.actor.username) == (LogEntry.Action.CREATE, "ana")
    assert entry.changes["in_play"] == ["None", "0:00:45"]


@pytest.fixture
def filled(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The markets of a year, 3,000 of them live, a few silent."""
    url = settings.DATABASE_URL
    with (
        django_db_blocker.unblock(),
        databases.copied(url, template) as name,
        databases.default_database(databases.beside(url, name)),
    ):
        fill()
        yield


def fill() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trading_sportevent SELECT 'e' || n, 'northfeed', 'football', 'c', 'A v B',"
            " %s - n * interval '30 minutes', %s, %s, n + 10 FROM generate_series(-10, 20000) n",
            [NOW, NOW, NOW],
        )
        cursor.execute(
            "INSERT INTO trading_market SELECT 'm' || n, 'e' || n / 10, 'feed-' || n %% 3, 'winner', 'Winner', NULL,"
            " CASE WHEN n < 3000 THEN 'open' ELSE 'settled' END, n %% 10 = 0, 0, 1, 'EUR', NULL, 1,"
            " %s - n * interval '0.3 seconds', %s, n FROM generate_series(0, 199999) n",
            [NOW, NOW],
        )
        cursor.execute("VACUUM ANALYZE trading_market, trading_sportevent")


def test_silence_is_read_in_few_statements_and_only_from_markets_that_live(filled: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        sources = feeds(NOW)

    assert sum(source.watched for source in sources) > 500
    assert sum(source.silent for source in sources) > 50
    assert len(queries) == 2 + len(sources)
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan on trading_market" not in plan, plan
            assert "Seq Scan on trading_sportevent" not in plan, plan
