"""What is told of a kind of findings, however they come and go; in the outbox each telling is an event of its own."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.reconcile.alerts import alert_of, close_over, how_many, telling_of
from backoffice.reconcile.differences import Difference
from backoffice.reconcile.kinds import Kind, Weight
from backoffice.reconcile.models import Finding, Rest
from backoffice.reconcile.telling import standing
from tests.spine import Spine

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KIND = Kind(Weight.DIFFERENCE, "trading", "bet-events", "rows")
ALERTS = "SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id"


def note(number: int, now: datetime) -> Finding:
    found = Difference(KIND.check, "It is not.", KIND.topic, 0, "BetPlaced", (number, number), stream=KIND.stream)
    return Finding.objects.create(
        id=found.fingerprint(), difference=found.as_json(), alert_id=alert_of(KIND, now), first_seen_at=now,
        last_seen_at=now,
    )  # fmt: skip


def rest(number: int, now: datetime) -> Rest:
    return Rest.objects.create(
        weight=KIND.weight, stream=KIND.stream, topic=KIND.topic, fault=KIND.check, place="trading/bet-events/1/0",
        first=0, last=9, number=number, alert_id=alert_of(KIND, now), first_seen_at=now, last_seen_at=now,
    )  # fmt: skip


def test_rests_are_accepted_by_themselves(spine: Spine) -> None:
    """What is noted stands, and its alert."""
    with telling_of([KIND], NOW):
        first = note(1, NOW)
        rest(7, NOW)

    call_command("findings", "accept", "--check", KIND.check, "--rests", "--reason", "It is looked into")

    assert not Rest.objects.exists()
    assert [one.pk for one in Finding.objects.filter(ended_at=None)] == [first.pk]
    assert [status for _, status in tellings(spine)] == ["opened"]


def tellings(spine: Spine) -> list[tuple[str, str]]:
    """Event and status of each, in order; all of one alert."""
    found = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in spine.rows(ALERTS)]
    assert len({alert["alert_id"] for alert in found}) == 1
    return [(alert["event_id"], alert["status"]) for alert in found]


def test_what_is_found_while_only_a_rest_stands_is_told_anew(spine: Spine) -> None:
    """A rest of which nobody knows how many it has keeps the alert open."""
    with telling_of([KIND], NOW):
        first = note(1, NOW)
        rest(0, NOW)
    Finding.objects.filter(pk=first.pk).update(ended_at=NOW)
    close_over([first.alert_id], "It is mended.", NOW)
    assert (how_many(KIND), standing().differences.count) == (1, 1)

    later = NOW + timedelta(minutes=5)
    with telling_of([KIND], later):
        note(2, later)
        note(3, later)

    events, statuses = zip(*tellings(spine), strict=True)
    assert statuses == ("opened", "opened")
    assert len(set(events)) == 2


@pytest.mark.parametrize("number", [0, 7])
def test_an_alert_is_closed_with_the_last_that_it_tells_of(spine: Spine, number: int) -> None:
    with telling_of([KIND], NOW):
        first = note(1, NOW)
        more = rest(number, NOW)
    Finding.objects.filter(pk=first.pk).update(ended_at=NOW)
    more.delete()
    close_over([first.alert_id], "It is mended.", NOW)

    assert [status for _, status in tellings(spine)] == ["opened", "closed"]
    assert (how_many(KIND), standing().differences.count) == (0, 0)
