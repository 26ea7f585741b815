"""An alert of the platform about itself: an event of its contract, in the transaction of whoever raises it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.kernel.ids import derived_id
from backoffice.streams.database import connect
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import ALERT, close_alert, raise_alert
from backoffice.streams.outbox.emitting import Executes
from tests.spine import Spine
from tests.streams.arriving import batch_of, decoded, message
from tests.streams.outbox.relaying import relaying

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class GivenUpError(Exception):
    pass


@contextmanager
def over_the_streams_own() -> Iterator[Executes]:
    with connect() as connection, connection.transaction():
        yield connection


@contextmanager
def over_djangos() -> Iterator[None]:
    with transaction.atomic():
        yield None


def raised() -> list[dict[str, Any]]:
    rows = Outgoing.objects.filter(record=ALERT).order_by("id")
    alerts = [decode(bytes(row.value or b""), schema(ALERT)) for row in rows]
    assert all(row.topic == "compliance-alerts" for row in rows)
    assert [bytes(row.key or b"").decode() for row in rows] == [alert["alert_id"] for alert in alerts]
    return alerts


@pytest.mark.parametrize("own", [over_the_streams_own, over_djangos])
def test_it_is_raised_over_whichever_connection_has_the_transaction(database: str, own: Any) -> None:
    with own() as connection:
        found = raise_alert("lane_stuck", "wallet stands still", rule="no_progress", now=NOW, over=connection)

    (alert,) = raised()
    assert (alert["alert_id"], alert["event_id"], alert["occurred_at"]) == (str(found), str(found), NOW)
    assert (alert["kind"], alert["rule"], alert["queue"], alert["status"]) == (
        "lane_stuck", "no_progress", "platform", "opened",
    )  # fmt: skip
    assert alert["summary"] == "wallet stands still"


@pytest.mark.parametrize("own", [over_the_streams_own, over_djangos])
def test_it_is_gone_with_a_transaction_that_does_not_end_well(database: str, own: Any) -> None:
    def gives_up() -> None:
        with own() as connection:
            raise_alert("lane_stuck", "wallet stands still", now=NOW, over=connection)
            raise GivenUpError

    with pytest.raises(GivenUpError):
        gives_up()

    assert raised() == []


def test_whatever_it_tells_of_keeps_to_the_contract(database: str) -> None:
    raise_alert("clash", "x\x00" * 5_000, evidence={"what": '"\\é\n' * 50_000, "at": NOW}, now=NOW)

    (alert,) = raised()
    assert not decoded(batch_of("compliance-alerts", [message(ALERT, alert)])).dead
    assert "what" in json.loads(alert["evidence"])["beginning"]


def test_a_matter_with_an_id_of_its_own_gives_it_to_the_alert_and_any_other_is_of_its_moment(database: str) -> None:
    own = derived_id("a finding")

    assert raise_alert("found", "once", alert_id=own, now=NOW) == own
    assert raise_alert("found", "once", now=NOW) != raise_alert("found", "once", now=NOW.replace(minute=1))


def test_an_alert_that_cannot_be_sent_holds_up_no_other_and_its_end_waits_for_it(spine: Spine) -> None:
    stuck = raise_alert("lane_stuck", "wallet stands still", now=NOW)
    Outgoing.objects.update(record="NoSuchRecord")
    close_alert(stuck, "lane_stuck", "wallet goes on", now=NOW)
    other = raise_alert("lane_stuck", "trading stands still", now=NOW)

    with relaying(spine) as rounds:
        rounds.until_idle()
        told = [decode(unframe(value or b"")[1], schema(ALERT)) for _, value, _ in spine.read("compliance-alerts")]
        assert [alert["alert_id"] for alert in told] == [str(other)]

        Outgoing.objects.filter(record="NoSuchRecord").update(record=ALERT)
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()

    keys: dict[str, list[str]] = {str(stuck): [], str(other): []}
    for key, value, _ in spine.read("compliance-alerts"):
        keys[(key or b"").decode()].append(decode(unframe(value or b"")[1], schema(ALERT))["status"])
    assert keys == {str(stuck): ["opened", "closed"], str(other): ["opened"]}
