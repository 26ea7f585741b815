"""A provider that is suspended for one cause while it is released from another."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
import pytest
from django.db import connection as default_connection

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.actor import Actor
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.consume.halting.diverting import take_turn
from backoffice.streams.database import connect
from backoffice.streams.outbox.emitting import emit
from tests.spine import Spine, until
from tests.trading.passing import passed
from tests.trading.test_feeds import PLAYING
from tests.trading.test_silent_providers import MINUTE, after, stored
from trading import suspending
from trading.models import ProviderSuspension
from trading.suspending import TOPIC, Providers, judge_silence, release

T = TypeVar("T")
ACTS = "SELECT value FROM streams_outbox WHERE record = 'OperatorAction' ORDER BY position, id"
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def suspend() -> None:
    """As a lane does that diverts."""
    with connect(name="lane") as lane, lane.transaction():
        Providers().suspend(lane, ["northfeed"], "More than 20% are bad", datetime.now(UTC))


def told(spine: Spine) -> list[tuple[str, bool]]:
    """What those who follow are told, in order: the act, and whether markets are to be believed again."""
    acts = [decode(bytes(value), schema("OperatorAction")) for (value,) in spine.rows(ACTS)]
    return [(act["action"], "markets_believed_since" in json.loads(act["details"])) for act in acts]


def test_what_is_told_last_is_what_stands(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a suspension begins between a release's look and its commit, it is told after it."""
    now = datetime.now(UTC)
    ProviderSuspension.objects.create(provider="northfeed", cause="silence", reason="Nothing is heard", since=now)
    begun: list[Future[None]] = []

    with ThreadPoolExecutor() as lanes:

        def meanwhile(*event: Any, **options: Any) -> Any:
            if not begun:
                begun.append(lanes.submit(suspend))
                until(lambda: begun[0].done() or spine.value(WAITING), "the lane has suspended, or waits")
            return emit(*event, **options)

        monkeypatch.setattr(suspending, "emit", meanwhile)
        release("northfeed", actor=Actor(id="ann", role="operator"), reason="It is back", now=now)
        begun[0].result(10)

    assert [each.cause for each in ProviderSuspension.objects.filter(ended_at=None)] == ["bad messages"]
    assert told(spine) == [("provider_released", True), ("provider_suspended", False)]


@pytest.fixture
def turn(spine: Spine) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's turn, until its session is committed or ends."""
    with psycopg.connect(spine.database_url) as other:
        take_turn(other, TOPIC)
        yield other


def in_turn(spine: Spine, turn: psycopg.Connection[Any], act: Callable[[], T], meanwhile: Callable[[], object]) -> T:
    """Something is done while ``act`` waits for its turn."""

    def acting() -> T:
        try:
            return act()
        finally:
            default_connection.close()

    with ThreadPoolExecutor() as others:
        found = others.submit(acting)
        until(lambda: spine.value(WAITING), "it waits for its turn")
        meanwhile()
        turn.commit()
        return found.result(20)


def test_who_is_heard_while_the_judge_waits_is_not_suspended(spine: Spine, turn: psycopg.Connection[Any]) -> None:
    def is_heard() -> None:
        passed()
        stored(spine, **PLAYING)

    stored(spine, **PLAYING)

    judged = in_turn(spine, turn, lambda: judge_silence(after(3 * MINUTE)), is_heard)

    assert judged == ([], [])
    assert not ProviderSuspension.objects.exists()


def test_who_is_silent_all_the_same_is_suspended_from_the_turn_on(spine: Spine, turn: psycopg.Connection[Any]) -> None:
    stored(spine, **PLAYING)
    others: list[datetime] = []

    judged = in_turn(
        spine, turn, lambda: judge_silence(after(3 * MINUTE)), lambda: others.append(PostgresClock().now())
    )

    assert judged == (["northfeed"], [])
    assert ProviderSuspension.objects.get().since > others[0]


def test_a_release_is_dated_by_no_earlier_moment_than_its_turn(spine: Spine, turn: psycopg.Connection[Any]) -> None:
    now = datetime.now(UTC)
    ProviderSuspension.objects.create(provider="northfeed", cause="bad messages", reason="More are bad", since=now)
    others: list[datetime] = []

    actor = Actor(id="ann", role="operator")
    in_turn(
        spine, turn, lambda: release("northfeed", actor=actor, reason="It is back", now=now),
        lambda: others.append(PostgresClock().now()),
    )  # fmt: skip

    ended_at = ProviderSuspension.objects.get().ended_at
    assert ended_at is not None
    assert ended_at > others[0]


def test_a_release_that_comes_after_a_suspension_tells_of_none(spine: Spine) -> None:
    now = datetime.now(UTC)
    ProviderSuspension.objects.create(provider="northfeed", cause="bad messages", reason="More are bad", since=now)
    ProviderSuspension.objects.create(provider="northfeed", cause="silence", reason="Nothing is heard", since=now)

    with connect(name="lane") as lane, lane.transaction():
        Providers().release(lane, ["northfeed"], "stream", now)

    assert [each.cause for each in ProviderSuspension.objects.filter(ended_at=None)] == ["silence"]
    assert told(spine) == []
