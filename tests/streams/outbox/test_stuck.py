"""Messages that are held for long are told of by one alert for their topic, which ends with the last of them."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import Q

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.actor import Actor
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import ALERT
from backoffice.streams.outbox.handling import discard, held_keys
from backoffice.streams.outbox.stuck import KIND, tell_of_stuck
from tests.spine import Spine
from tests.streams.outbox.relaying import LIMITS, relaying
from tests.streams.outbox.test_relay import DEAD, TOO_LARGE, write


@pytest.mark.parametrize("held", [timedelta(minutes=-6), timedelta(hours=1)])
def test_what_is_held_for_long_is_told_though_a_clock_ahead_has_dated_it(spine: Spine, held: timedelta) -> None:
    (number,) = write(TOO_LARGE)
    with relaying(spine) as rounds:
        rounds.until_idle()
        Outgoing.objects.filter(pk=number).update(held_since=rounds.clock.now() + held)

        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now())

    assert [alert["kind"] for alert in alerts()] == [KIND]


def test_a_topic_whose_messages_are_stuck_is_told_of_once(spine: Spine) -> None:
    for key in "abc":
        write(TOO_LARGE, key=key)
    with relaying(spine) as rounds:
        rounds.until_idle()
        for _ in range(8):
            tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now())
            rounds.clock.advance(timedelta(minutes=2))

    (told,) = alerts()
    assert told["kind"] == KIND
    assert f"holds 3 keys of {DEAD}" in told["summary"]
    assert "too large" in told["summary"]
    assert json.loads(told["evidence"])["keys"] == 3


def test_an_alert_of_stuck_messages_is_over_with_the_last_of_them(spine: Spine) -> None:
    for key in "ab":
        write(TOO_LARGE, key=key)
    with relaying(spine) as rounds:
        rounds.until_idle()
        rounds.clock.advance(timedelta(minutes=6))
        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now())
        first, second = (held.first.pk for held in held_keys(Q()))
        give_up(first, "nobody needs it", rounds.clock.now())
        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now())
        assert len(alerts()) == 1

        give_up(second, "nor that", rounds.clock.now())
        for _ in range(2):
            tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now())

    opened, closed = alerts()
    assert (opened["status"], closed["status"]) == ("opened", "closed")
    assert opened["alert_id"] == closed["alert_id"]


def give_up(number: int, reason: str, now: datetime) -> None:
    (outcome,) = discard(Q(pk=number), actor=Actor("pat", "operator"), reason=reason, now=now)
    assert outcome.done == [number]


def alerts() -> list[dict[str, Any]]:
    rows = Outgoing.objects.filter(record=ALERT).order_by("id")
    return [decode(bytes(row.value or b""), schema(ALERT)) for row in rows]
