"""A provider that goes silent with markets open is suspended by whoever stores its updates: its feed may be dead."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from tests.spine import Spine, until
from tests.trading.feeds.messages import definition, image, mc, mcm, price
from tests.trading.passing import passed
from tests.trading.test_feeds import PLAYING, update
from trading.doubts import EVER, doubted_until
from trading.models import FeedLimit, Market, ProviderSuspension
from trading.selectors import markets_of
from trading.suspending import judge_silence

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOT_YET = timedelta()
ALERTS = "SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id"
ACTIONS = "SELECT value FROM streams_outbox WHERE record = 'OperatorAction' ORDER BY id"


def stored(spine: Spine, market: str = "Winner", **changes: Any) -> None:
    spine.send([update(market, NOT_YET, **changes)])
    spine.drain("trading")


def after(passed: timedelta) -> datetime:
    return datetime.now(UTC) + passed


def shown(market: str = "Winner") -> str:
    (found,) = markets_of(f"event of {market}")
    return found.status


def alerts(spine: Spine) -> list[tuple[str, str, str]]:
    found = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in spine.rows(ALERTS)]
    return [(alert["kind"], alert["status"], alert["alert_id"]) for alert in found]


def test_a_silent_provider_is_suspended_until_it_is_heard_again(spine: Spine) -> None:
    stored(spine, **PLAYING)
    assert judge_silence(after(MINUTE)) == ([], [])

    assert judge_silence(after(3 * MINUTE)) == (["northfeed"], [])
    assert judge_silence(after(4 * MINUTE)) == ([], [])
    assert shown() == "suspended"
    ((kind, status, alert),) = alerts(spine)
    assert (kind, status) == ("provider_silent", "opened")

    ProviderSuspension.objects.update(since=datetime.now(UTC))
    stored(spine, **PLAYING)
    assert judge_silence(after(NOT_YET)) == ([], []), "that may have been told before the silence was noticed"
    passed()
    stored(spine, **PLAYING)
    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])
    assert shown() == "open"
    assert alerts(spine)[1:] == [("provider_silent", "closed", alert)]
    told = [decode(bytes(value), schema("OperatorAction")) for (value,) in spine.rows(ACTIONS)]
    assert [(act["action"], act["subject_id"]) for act in told] == [
        ("provider_suspended", "northfeed"), ("provider_released", "northfeed"),
    ]  # fmt: skip
    believed_since = datetime.fromisoformat(json.loads(told[1]["details"])["markets_believed_since"])
    assert believed_since == ProviderSuspension.objects.get().since + settings.CLOCK_FAST
    assert judge_silence(after(3 * MINUTE)) == (["northfeed"], [])


def test_a_clock_that_was_ahead_for_a_moment_keeps_no_market_shut(spine: Spine) -> None:
    stored(spine, **PLAYING)
    assert judge_silence(after(HOUR)) == (["northfeed"], [])
    assert ProviderSuspension.objects.get().since < after(MINUTE)

    passed()
    stored(spine, **PLAYING)
    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])

    assert shown() == "open"
    for value in [*spine.rows(ALERTS), *spine.rows(ACTIONS)]:
        record = "ComplianceAlert" if value in spine.rows(ALERTS) else "OperatorAction"
        assert decode(bytes(value[0]), schema(record))["occurred_at"] < after(MINUTE)


@pytest.mark.parametrize("cause", ["silence", "bad messages"])
def test_a_suspension_that_is_dated_into_the_future_ends_as_any(spine: Spine, cause: str) -> None:
    stored(spine, **PLAYING)
    ProviderSuspension.objects.create(
        provider="northfeed", cause=cause, reason="of before", since=after(HOUR),
        ended_at=None if cause == "silence" else after(HOUR),
    )  # fmt: skip
    assert judge_silence(after(NOT_YET)) == ([], [])

    passed()
    stored(spine, **PLAYING)
    judge_silence(after(NOT_YET))

    assert shown() == "open"


@pytest.mark.parametrize("appended_at", [None, HOUR])
def test_what_lies_ahead_makes_nobody_heard(spine: Spine, appended_at: timedelta | None) -> None:
    stored(spine, **PLAYING)
    Market.objects.update(version_appended_at=appended_at and after(HOUR), version_taken_at=after(HOUR))

    assert judge_silence(after(NOT_YET)) == (["northfeed"], [])
    assert judge_silence(after(NOT_YET)) == ([], [])


@pytest.mark.parametrize("cause", ["silence", "bad messages"])
def test_a_person_ends_a_suspension_and_that_is_an_act(spine: Spine, cause: str) -> None:
    stored(spine, **PLAYING)
    ProviderSuspension.objects.create(provider="northfeed", cause=cause, reason="bad", since=after(NOT_YET))
    listed, told = StringIO(), StringIO()
    call_command("providers", "list", stdout=listed)
    with pytest.raises(CommandError, match="southfeed is not suspended"):
        call_command("providers", "release", "southfeed", "--reason", "the clock was wrong")
    with pytest.raises(CommandError, match="Say why"):
        call_command("providers", "release", "northfeed", "--reason", " ")
    assert ProviderSuspension.objects.get().ended_at is None

    call_command("providers", "release", "northfeed", "--by", "ann", "--reason", "the clock was wrong", stdout=told)

    assert f"northfeed  since {after(NOT_YET):%Y-%m-%d}" in listed.getvalue()
    assert f"northfeed is released ({cause})" in told.getvalue()
    ((value,),) = spine.rows(ACTIONS)
    act = decode(bytes(value), schema("OperatorAction"))
    assert (act["action"], act["actor"], act["role"]) == ("provider_released", "ann", "operator")
    assert (act["subject_id"], act["reason"]) == ("northfeed", "the clock was wrong")
    assert shown() == "suspended"
    passed()
    stored(spine, **PLAYING)
    assert shown() == "open"


def test_a_market_that_was_told_before_a_silence_opens_when_it_is_told_itself(spine: Spine) -> None:
    stored(spine, **PLAYING)
    stored(spine, "Totals", **PLAYING)
    stored(spine, "Handicap", provider="courtline", **PLAYING)
    ProviderSuspension.objects.create(provider="northfeed", cause="silence", reason="silent", since=datetime.now(UTC))

    passed()
    stored(spine, "Winner", **PLAYING)
    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])

    assert (shown("Winner"), shown("Totals"), shown("Handicap")) == ("open", "suspended", "open")
    stored(spine, "Totals", **PLAYING)
    assert (shown("Winner"), shown("Totals")) == ("open", "open")


def test_a_market_of_whom_bad_messages_came_opens_when_it_is_told_after_the_last(spine: Spine) -> None:
    stored(spine, **PLAYING)
    stored(spine, "Totals", **PLAYING)
    bad = ProviderSuspension.objects.create(provider="northfeed", reason="bad", since=datetime.now(UTC))
    stored(spine, **PLAYING)
    bad.ended_at = datetime.now(UTC)
    bad.save()

    assert (shown("Winner"), shown("Totals")) == ("suspended", "suspended")
    passed()
    stored(spine, "Totals", **PLAYING)
    assert (shown("Winner"), shown("Totals")) == ("suspended", "open")


@pytest.mark.parametrize(
    "changes",
    [
        PLAYING | {"status": "suspended"},
        PLAYING | {"status": "closed"},
        PLAYING | {"status": "settled"},
        {"starts_at": datetime.now(UTC) + 40 * HOUR},
    ],
)
def test_who_has_nothing_open_that_ought_to_be_heard_of_may_be_silent(spine: Spine, changes: dict[str, Any]) -> None:
    stored(spine, **changes)

    assert judge_silence(after(20 * HOUR)) == ([], [])
    assert alerts(spine) == []


def test_a_feed_before_its_matches_is_judged_by_the_limit_meant_for_that(spine: Spine) -> None:
    stored(spine, starts_at=datetime.now(UTC) + HOUR / 2)

    assert judge_silence(after(14 * MINUTE)) == ([], [])
    assert judge_silence(after(16 * MINUTE)) == (["northfeed"], [])


def test_a_slow_feed_has_a_limit_of_its_own_from_a_moment_on(spine: Spine) -> None:
    slow = FeedLimit.objects.get(provider="")
    slow.pk, slow.provider, slow.valid_from, slow.in_play = None, "northfeed", datetime.now(UTC), 10 * MINUTE
    slow.save()
    stored(spine, **PLAYING)
    stored(spine, "Totals", provider="courtline", **PLAYING)

    assert judge_silence(after(9 * MINUTE)) == (["courtline"], [])
    assert judge_silence(after(11 * MINUTE)) == (["northfeed"], [])


def test_one_market_that_is_heard_of_is_enough(spine: Spine) -> None:
    """What is old by its own clock was heard of when the log took it."""
    stored(spine, occurred_at=datetime.now(UTC) - 5 * HOUR, **PLAYING)

    assert judge_silence(after(MINUTE)) == ([], [])


def test_bad_messages_and_silence_are_ended_each_by_itself(spine: Spine) -> None:
    stored(spine, **PLAYING)
    ProviderSuspension.objects.create(provider="northfeed", reason="bad", since=datetime.now(UTC) - HOUR)

    assert judge_silence(after(3 * MINUTE)) == (["northfeed"], [])
    ProviderSuspension.objects.filter(cause="silence").update(since=datetime.now(UTC) - MINUTE)
    stored(spine, **PLAYING)
    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])

    assert doubted_until() == {"northfeed": EVER}
    assert shown() == "suspended"
    told = [decode(bytes(value), schema("OperatorAction"))["action"] for (value,) in spine.rows(ACTIONS)]
    assert told == ["provider_suspended"], "it is not told as released while the other cause stands"


@pytest.mark.parametrize("is_killed", [True, False])
def test_only_a_feed_that_could_not_suspend_its_markets_is_missed(
    spine: Spine, tmp_path: Path, is_killed: bool
) -> None:
    opened = image(mc(d=definition(status="OPEN", inPlay=True), rc=[price(11, 2.0, 2.1), price(12, 1.9, 2.0)]), at=0)
    much_later = mcm(mc(rc=[price(11, 2.2, 2.3)]), at=3_600_000)
    recording = tmp_path / "recording.ndjson"
    recording.write_bytes(b"\n".join([opened, much_later] if is_killed else [opened]) + b"\n")
    feed = subprocess.Popen(
        [sys.executable, "manage.py", "feed", "betfair", str(recording)], env=spine.environ, stdout=subprocess.DEVNULL
    )
    with spine.streaming("trading"):
        last = "open" if is_killed else "suspended"
        until(lambda: spine.rows("SELECT status FROM trading_market") == [(last,)], f"its market is {last}")
        if is_killed:
            feed.kill()
        assert feed.wait(60) == (-9 if is_killed else 0)

    assert judge_silence(after(3 * MINUTE)) == (["betfair"] if is_killed else [], [])


def test_a_log_without_the_brokers_times_is_heard_when_it_is_read(spine: Spine) -> None:
    spine.set_topic("odds-feed", **{"message.timestamp.type": "CreateTime"})
    stored(spine, occurred_at=datetime.now(UTC) - 5 * HOUR, **PLAYING)
    stored(spine, "Totals", **PLAYING)

    assert judge_silence(after(NOT_YET)) == ([], [])
    assert (shown("Winner"), shown("Totals")) == ("open", "open")

    assert judge_silence(after(3 * MINUTE)) == (["northfeed"], [])
    ProviderSuspension.objects.update(since=datetime.now(UTC))
    passed()
    stored(spine, "Winner", **PLAYING)

    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])
    assert (shown("Winner"), shown("Totals")) == ("open", "suspended")


def test_a_log_that_keeps_the_brokers_times_no_more_is_heard_when_it_is_read(spine: Spine) -> None:
    stored(spine, **PLAYING)
    ProviderSuspension.objects.create(provider="northfeed", cause="silence", reason="silent", since=datetime.now(UTC))
    spine.set_topic("odds-feed", **{"message.timestamp.type": "CreateTime"})

    passed()
    stored(spine, **PLAYING)

    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])
    assert shown() == "open"


def test_a_rebuild_takes_over_when_such_a_log_was_read_and_else_nobody_knows(spine: Spine) -> None:
    spine.set_topic("odds-feed", **{"message.timestamp.type": "CreateTime"})
    stored(spine, **PLAYING)
    ProviderSuspension.objects.create(
        provider="northfeed", reason="bad", since=datetime.now(UTC) - HOUR, ended_at=datetime.now(UTC) - MINUTE
    )
    call_command("rebuild", "trading_market", stdout=StringIO())
    assert shown() == "open"
    assert judge_silence(after(NOT_YET)) == ([], [])

    Market.objects.update(version_taken_at=None)
    call_command("rebuild", "trading_market", stdout=StringIO())

    assert shown() == "suspended"
    assert judge_silence(after(NOT_YET)) == (["northfeed"], [])
    passed()
    stored(spine, **PLAYING)
    assert judge_silence(after(NOT_YET)) == ([], ["northfeed"])
    assert shown() == "open"
