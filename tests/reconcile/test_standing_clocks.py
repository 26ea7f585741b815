"""A log whose time stands still, for the clock of a broker was ahead, is read again from its middle as it was read at
first."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings

from backoffice.kernel.clock import microseconds
from backoffice.reconcile.models import Checked, Finding, HighWater
from backoffice.reconcile.runs import circle
from backoffice.simulator.events.envelope import Event
from tests.reconcile.conftest import changed, events_of
from tests.reconcile.lives import reconciled
from tests.spine import Spine
from tests.streams.arriving import event_of

TOPIC = "player-events"
OF_PLAYERS = ("Player", "Session", "Login", "Document")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A round takes several runs."""
    monkeypatch.setattr(circle, "PART", 1)
    limits = {"messages_at_least": 30, "messages_at_most": 30, "rows_at_least": 100_000}
    with override_settings(RECONCILE=settings.RECONCILE | limits):
        yield


def rounds() -> int:
    return min(Checked.objects.filter(topic=TOPIC, next__gt=0).values_list("rounds", flat=True))


@pytest.mark.usefixtures("one_broker_was_ahead")
def test_history_is_read_again_at_the_time_that_its_log_had_come_to(spine: Spine) -> None:
    spine.send(event for event in events_of(1_000) if event.record.startswith(OF_PLAYERS))
    spine.drain()
    reconciled(full=False)
    at = microseconds(datetime.now(UTC) + timedelta(minutes=20))
    early = [event_of("LoginSucceeded", event_id=str(uuid4()), player_id=str(uuid4()), occurred_at=at) for _ in "abcd"]
    spine.send([Event("LoginSucceeded", event["player_id"], event) for event in early])
    spine.drain()
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0, "their log had come further"
    assert reconciled(full=False).clean
    assert {offset for (offset,) in HighWater.objects.values_list("offset")} == {1}
    newest = "(SELECT id FROM players_player WHERE status IS NOT NULL ORDER BY status_offset DESC LIMIT 1)"
    changed(spine, f"UPDATE players_player SET status = 'tampered' WHERE id = {newest}")
    assert reconciled(full=True).total == 1

    found, until = set(), rounds() + 3
    while rounds() < until:
        found |= {(one["check"], one["where"]) for one in reconciled(full=False).differences}

    assert {check for check, _ in found} == {"state"}, "each round meets it, and nothing that is right is accused"
    assert Finding.objects.get(ended_at=None).difference["check"] == "state"
