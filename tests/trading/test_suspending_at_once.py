"""A provider that is suspended for one cause while it is released from another."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.actor import Actor
from backoffice.streams.database import connect
from backoffice.streams.outbox.emitting import emit
from tests.spine import Spine, until
from trading import suspending
from trading.models import ProviderSuspension
from trading.suspending import Providers, release

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


def test_a_release_that_comes_after_a_suspension_tells_of_none(spine: Spine) -> None:
    now = datetime.now(UTC)
    ProviderSuspension.objects.create(provider="northfeed", cause="bad messages", reason="More are bad", since=now)
    ProviderSuspension.objects.create(provider="northfeed", cause="silence", reason="Nothing is heard", since=now)

    with connect(name="lane") as lane, lane.transaction():
        Providers().release(lane, ["northfeed"], "stream", now)

    assert [each.cause for each in ProviderSuspension.objects.filter(ended_at=None)] == ["silence"]
    assert told(spine) == []
