"""A feed that begins anew: what it was told before is shut until it is told again, whatever the clocks say."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from backoffice.kernel.clock import microseconds
from backoffice.simulator.events.envelope import Event
from backoffice.streams.kafka.sending import Sender
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.trading.feeds.messages import definition, image, mc, mcm, price
from tests.trading.feeds.test_feed_command import CLOSED, MATCH, beginnings, sent, written
from tests.trading.feeds.test_feed_command import run as play
from tests.trading.passing import passed
from tests.trading.test_feeds import PLAYING, update
from trading import live
from trading.feeds.adapter import Update
from trading.feeds.publishing import Publisher
from trading.models import ProviderSuspension
from trading.selectors import feeds, markets_of
from trading.suspending import judge_silence

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AHEAD = timedelta(minutes=9)
Start = Callable[..., "subprocess.Popen[bytes]"]


def beginning(run: str, subscription: str = "", **changes: Any) -> Event:
    body = event_of(
        "FeedBegan", event_id=run, provider="northfeed", subscription=subscription,
        occurred_at=microseconds(datetime.now(UTC)),
    )  # fmt: skip
    return Event("FeedBegan", "northfeed", body | changes)


def began(spine: Spine, subscription: str = "", **changes: Any) -> str:
    """A run whose beginning is stored."""
    run = str(uuid4())
    spine.send([beginning(run, subscription, **changes)])
    spine.drain("trading")
    return run


def told(spine: Spine, market: str, run: str | None = None, **changes: Any) -> None:
    spine.send([update(market, timedelta(), run=run, **(PLAYING | changes))])
    spine.drain("trading")


def shown(*markets: str) -> tuple[str, ...]:
    """The status of each, as the tables say and as a page that is opened now shows it."""
    found = tuple(state.status for market in markets for state in markets_of(f"event of {market}"))
    assert found == tuple(live.prices(f"event of {market}").rows[market]["status"] for market in markets)
    return found


def test_what_was_told_before_the_newest_run_is_shut_until_it_tells_it(spine: Spine) -> None:
    for market in ("Winner", "Totals"):
        told(spine, market)
    told(spine, "Handicap", provider="courtline")
    first = began(spine)
    assert shown("Winner", "Totals", "Handicap") == ("suspended", "suspended", "open")
    told(spine, "Winner", first)
    told(spine, "Totals", first)
    assert shown("Winner", "Totals") == ("open", "open")

    second = began(spine)
    told(spine, "Winner", second)

    assert shown("Winner", "Totals") == ("open", "suspended")
    for table in ("trading_feedrun", "trading_market"):
        call_command("rebuild", table, stdout=StringIO())
        assert shown("Winner", "Totals") == ("open", "suspended")
    call_command("reconcile", "--full", stdout=StringIO())
    told(spine, "Totals", second)
    assert shown("Totals") == ("open",)


def test_no_clock_of_a_run_that_was_killed_keeps_open_what_it_told(spine: Spine) -> None:
    """It was ahead; or a version was the greatest there is, which no other follows."""
    ahead = datetime.now(UTC) + AHEAD
    first = began(spine, occurred_at=microseconds(ahead))
    told(spine, "Winner", first, occurred_at=ahead, version=microseconds(ahead))
    told(spine, "Totals", first, version=2**53 - 1)
    assert shown("Winner", "Totals") == ("open", "open")

    second = began(spine)

    assert shown("Winner", "Totals") == ("suspended", "suspended")
    told(spine, "Winner", second, version=microseconds(datetime.now(UTC)))
    assert shown("Winner") == ("suspended",), "what is stored of it is still of the first run"
    told(spine, "Winner", second, version=microseconds(ahead) + 1)
    assert shown("Winner") == ("open",)


def test_what_is_of_the_run_stands_however_late_its_beginning_is_read_or_dated(spine: Spine) -> None:
    run = str(uuid4())
    told(spine, "Winner", run)
    spine.send([beginning(run, occurred_at=microseconds(datetime.now(UTC) + AHEAD))])
    spine.drain("trading")

    assert shown("Winner") == ("open",)


def test_a_beginning_that_comes_again_shuts_nothing_that_was_told_since(spine: Spine) -> None:
    first, second = str(uuid4()), str(uuid4())
    beginnings = [beginning(first), beginning(second)]
    spine.send(beginnings)
    told(spine, "Winner", second)
    spine.send([*beginnings, beginnings[0]])
    spine.drain("trading")

    assert shown("Winner") == ("open",)
    assert spine.value("SELECT count(*) FROM streams_repeat WHERE topic = 'odds-feed'") == 3
    call_command("rebuild", "trading_feedrun", stdout=StringIO())
    assert shown("Winner") == ("open",)
    call_command("reconcile", "--full", stdout=StringIO())


def test_feeds_with_subscriptions_of_their_own_leave_one_another_alone(spine: Spine) -> None:
    tennis, cricket = began(spine, "tennis"), began(spine, "cricket")
    told(spine, "Winner", tennis, subscription="tennis")
    told(spine, "Totals", cricket, subscription="cricket")
    told(spine, "Handicap")

    again = began(spine, "tennis")
    assert shown("Winner", "Totals", "Handicap") == ("suspended", "open", "open")
    told(spine, "Winner", again, subscription="tennis")
    assert shown("Winner", "Totals") == ("open", "open")

    whole = began(spine)
    assert shown("Winner", "Totals", "Handicap") == ("suspended",) * 3
    told(spine, "Handicap", whole)
    passed()
    told(spine, "Totals", cricket, subscription="cricket")
    assert shown("Winner", "Totals", "Handicap") == ("suspended", "open", "open")


def test_two_runs_of_one_subscription_at_once_take_turns(spine: Spine) -> None:
    first, second = began(spine), began(spine)

    told(spine, "Winner", second)
    told(spine, "Winner", first)
    assert shown("Winner") == ("suspended",), "by the broker's clock that may have been before the second began"

    passed()
    told(spine, "Winner", first)
    assert shown("Winner") == ("open",)


def test_where_the_log_has_no_times_only_the_newest_runs_own_word_counts(spine: Spine) -> None:
    spine.set_topic("odds-feed", **{"message.timestamp.type": "CreateTime"})
    whole, tennis = began(spine), began(spine, "tennis")
    told(spine, "Winner", tennis, subscription="tennis")
    told(spine, "Totals", whole)
    told(spine, "Handicap", str(uuid4()))

    assert shown("Winner", "Totals", "Handicap") == ("open", "open", "suspended")


def test_a_market_that_only_an_earlier_run_told_is_no_reason_to_be_heard_once_another_is_told(spine: Spine) -> None:
    now = datetime.now(UTC)
    told(spine, "Winner")
    run = began(spine)
    assert [each.name for each in feeds(now)] == ["northfeed"]
    assert judge_silence(now + 3 * MINUTE) == (["northfeed"], []), "the new run tells nothing"

    ProviderSuspension.objects.all().delete()
    told(spine, "Totals", run, is_in_play=False, starts_at=now + 40 * HOUR)
    assert judge_silence(now + 3 * MINUTE) == ([], [])
    (source,) = feeds(now + 3 * MINUTE)
    assert (source.watched, source.silent) == (0, 0)


def test_what_an_earlier_run_left_open_is_not_missed_once_all_that_this_one_told_is_over(spine: Spine) -> None:
    now = datetime.now(UTC)
    told(spine, "Winner")
    run = began(spine)
    told(spine, "Totals", run)
    told(spine, "Totals", run, status="closed")

    assert judge_silence(now + 3 * MINUTE) == ([], [])
    assert [source.name for source in feeds(now + 3 * MINUTE) if source.is_silent(now + 3 * MINUTE)] == []
    assert shown("Winner") == ("suspended",)


def test_what_a_feed_with_a_name_left_open_is_not_missed_once_one_of_all_markets_tells(spine: Spine) -> None:
    now = datetime.now(UTC)
    tennis = began(spine, "tennis")
    told(spine, "Winner", tennis, subscription="tennis")
    whole = began(spine)
    assert judge_silence(now + 3 * MINUTE) == (["northfeed"], []), "the new run tells nothing"
    ProviderSuspension.objects.all().delete()

    told(spine, "Totals", whole, is_in_play=False, starts_at=now + 40 * HOUR)

    assert shown("Winner") == ("suspended",)
    assert judge_silence(now + 3 * MINUTE) == ([], [])
    (source,) = feeds(now + 3 * MINUTE)
    assert (source.watched, source.silent) == (0, 0)


def test_a_run_that_tells_nothing_is_missed_though_another_ones_markets_are_over(spine: Spine) -> None:
    now = datetime.now(UTC)
    cricket, tennis = began(spine, "cricket"), began(spine, "tennis")
    told(spine, "Totals", cricket, subscription="cricket", status="closed")
    told(spine, "Winner", tennis, subscription="tennis")
    began(spine, "tennis")

    assert judge_silence(now + 3 * MINUTE) == (["northfeed"], [])


@pytest.fixture
def start(spine: Spine, tmp_path: Path) -> Iterator[Start]:
    """Starts feeds of these markets, which are open from its first message on."""
    running: list[subprocess.Popen[bytes]] = []
    playing = definition(status="OPEN", inPlay=True)

    def started(*markets: str, subscription: str = "") -> "subprocess.Popen[bytes]":
        opening = image(*(mc(market=each, d=playing, rc=[price(11, 2.0, 2.1)]) for each in markets), at=0)
        file = tmp_path / f"run {len(running)}"
        file.write_bytes(b"\n".join([opening, mcm(mc(market=markets[0], rc=[price(11, 2.2, 2.3)]), at=3_600_000)]))
        command = [sys.executable, "manage.py", "feed", "betfair", str(file), "--subscription", subscription]
        running.append(subprocess.Popen(command, env=spine.environ, stdout=subprocess.DEVNULL))
        return running[-1]

    yield started
    for feed in running:
        feed.kill()
        feed.wait(60)


def statuses() -> dict[str, str]:
    return {market.id.removeprefix("betfair:"): market.status for market in markets_of("betfair:77")}


def killed(feed: "subprocess.Popen[bytes]") -> None:
    feed.kill()
    feed.wait(60)


def test_a_feed_that_is_killed_and_started_again_leaves_nothing_open_that_it_does_not_tell(
    spine: Spine, start: Start
) -> None:
    """It is back long before its silence is noticed, and one of its markets is over by then."""
    with spine.streaming("trading"):
        first = start("1.5", "1.6")
        until(lambda: statuses() == {"1.5": "open", "1.6": "open"}, "its markets are open")
        killed(first)
        start("1.6", "1.7")
        until(lambda: statuses().get("1.7") == "open", "the second run has told")
        assert statuses() == {"1.5": "suspended", "1.6": "open", "1.7": "open"}
    assert judge_silence(datetime.now(UTC)) == ([], [])


def test_two_feeds_of_a_provider_each_with_a_name_do_not_shut_each_other(spine: Spine, start: Start) -> None:
    with spine.streaming("trading"):
        start("1.5", subscription="tennis")
        cricket = start("1.6", "1.7", subscription="cricket")
        until(lambda: statuses() == dict.fromkeys(("1.5", "1.6", "1.7"), "open"), "all markets are open")
        killed(cricket)
        start("1.6", subscription="cricket")
        until(lambda: statuses()["1.7"] == "suspended", "what the second does not tell is shut")
        until(lambda: statuses() == {"1.5": "open", "1.6": "open", "1.7": "suspended"}, "what it tells is open")


def test_a_run_says_that_it_begins_before_it_tells_anything(spine: Spine, tmp_path: Path) -> None:
    file = written(tmp_path / "match", [*MATCH, CLOSED])
    play(file)
    play(file, "--speed", "max", "--subscription", "cricket")

    events, (first, second) = sent(spine), beginnings(spine)
    told = [(event["run"], event["subscription"]) for event in events]
    assert (first["subscription"], second["subscription"]) == ("", "cricket")
    assert told == [(first["event_id"], None)] * 5 + [(second["event_id"], "cricket")] * 5
    assert first["occurred_at"] <= events[0]["occurred_at"] <= second["occurred_at"] <= events[5]["occurred_at"]


def test_a_run_tells_nothing_before_kafka_has_its_beginning(
    spine: Spine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    def settled(sender: Sender) -> bool:
        is_settled = settle(sender)
        happened.append(f"Kafka has {sum(spine.ends().values())}")
        return is_settled

    def published(publisher: Publisher, updates: Iterable[Update]) -> None:
        happened.append("told")
        publish(publisher, updates)

    settle, publish = Sender.settle, Publisher.publish
    monkeypatch.setattr(Sender, "settle", settled)
    monkeypatch.setattr(Publisher, "publish", published)
    play(written(tmp_path / "match", [*MATCH, CLOSED]))

    assert happened[:2] == ["Kafka has 1", "told"]


def test_a_run_with_nothing_to_tell_does_not_begin(spine: Spine, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no message"):
        play(written(tmp_path / "empty", []))

    assert beginnings(spine) == []
