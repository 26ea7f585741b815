"""A broker's clock that was ahead for a moment: its partition's log stays ahead, and what is told there is judged by
when it was told itself."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.clock import milliseconds
from backoffice.streams.consume.halting import diverting
from backoffice.streams.database import connect
from backoffice.streams.models import DeadLetter
from tests.spine import Spine
from tests.streams.outbox.relaying import relaying
from tests.trading.passing import passed
from tests.trading.test_feed_runs import HOUR, MINUTE, began, shown, told
from tests.trading.test_feeds import PLAYING, update
from trading.models import FeedRun, Market, ProviderSuspension
from trading.selectors import feeds
from trading.suspending import judge_silence

NAMES = tuple(f"Winner {number}" for number in range(6))
SECOND = timedelta(seconds=1)


def now() -> datetime:
    return datetime.now(UTC)


def pin(spine: Spine, partition: int) -> None:
    """As if a broker had taken one message of it with a clock an hour ahead, before that was set right."""
    ahead = milliseconds(now() + HOUR)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE streams_offset SET logged = %s WHERE topic = 'odds-feed' AND partition = %s", [ahead, partition]
        )


@pytest.fixture
def run(spine: Spine) -> str:
    """A run whose markets stand in several partitions, all but that of its beginning an hour ahead."""
    first = began(spine)
    ((own,),) = spine.rows("SELECT source_partition FROM streams_event WHERE record = 'FeedBegan'")
    for (partition,) in spine.rows("SELECT partition FROM streams_offset WHERE topic = 'odds-feed'"):
        if partition != own:
            pin(spine, partition)
    for name in NAMES:
        told(spine, name, first)
    assert len(ahead()) in range(1, len(NAMES))
    return first


def ahead() -> list[str]:
    return list(Market.objects.filter(version_logged_at__gt=now() + MINUTE).values_list("name", flat=True))


def all_of(status: str) -> tuple[str, ...]:
    return (status,) * len(NAMES)


def test_a_run_that_begins_shuts_what_another_told_before_and_no_more_in_whatever_partition(
    spine: Spine, run: str
) -> None:
    assert shown(*NAMES) == all_of("open")

    second = began(spine)

    assert shown(*NAMES) == all_of("suspended")
    passed()
    for number, name in enumerate(NAMES):
        told(spine, name, (run, second)[number % 2])
    assert {*ahead()} & {*NAMES[::2]}
    assert shown(*NAMES) == all_of("open")


def test_a_run_that_begins_in_such_a_partition_shuts_what_was_told_before_and_no_more(spine: Spine) -> None:
    first = began(spine)
    ((own,),) = spine.rows("SELECT source_partition FROM streams_event WHERE record = 'FeedBegan'")
    told(spine, "Winner", first)
    pin(spine, own)
    second = began(spine)
    assert FeedRun.objects.get().began_logged_at > now() + MINUTE
    assert shown("Winner") == ("suspended",)

    passed()
    told(spine, "Winner", first)
    told(spine, "Totals", second)

    assert shown("Winner", "Totals") == ("open", "open")


@pytest.mark.usefixtures("run")
def test_nothing_that_is_told_no_more_is_heard(spine: Spine) -> None:
    assert judge_silence(now() + 30 * MINUTE) == (["northfeed"], [])
    assert shown(*NAMES) == all_of("suspended")

    ProviderSuspension.objects.update(since=now())
    assert judge_silence(now()) == ([], [])
    assert shown(*NAMES) == all_of("suspended")

    (one,) = ahead()[:1]
    passed()
    told(spine, one)
    assert judge_silence(now()) == ([], ["northfeed"])


@pytest.mark.usefixtures("run")
def test_a_market_that_is_told_after_a_diversion_ended_is_open_in_whatever_partition(spine: Spine) -> None:
    streams = spine.rows("SELECT stream, partition FROM streams_offset WHERE topic = 'odds-feed' ORDER BY logged DESC")
    bad = diverting.Bad(streams[0][0], "odds-feed", 0, streams[0][1], 1, 0, "bad", 0.5)
    with connect() as session:
        diverting.divert(session, bad, now())
        ProviderSuspension.objects.create(provider="northfeed", reason="bad", since=now())
        session.execute("UPDATE streams_diversion SET sources = '{northfeed}'")
        diverting.end(session, stream=bad.stream, topic=bad.topic, partitions=[bad.partition], by="stream")
    assert ProviderSuspension.objects.get().ended_at is not None
    assert shown(*NAMES) == all_of("suspended")

    passed()
    for name in NAMES:
        told(spine, name)

    assert shown(*NAMES) == all_of("open")


@pytest.mark.usefixtures("run")
def test_a_rebuild_knows_when_each_was_told(spine: Spine) -> None:
    second = began(spine)
    told(spine, NAMES[0], second)
    runs, markets = (
        "SELECT run, began_appended_at, began_taken_at FROM trading_feedrun",
        "SELECT id, version_appended_at, version_taken_at FROM trading_market ORDER BY 1",
    )
    before = spine.rows(runs), spine.rows(markets), shown(*NAMES)
    assert None not in [value for rows in before[:2] for row in rows for value in row]

    for table in ("trading_feedrun", "trading_market"):
        call_command("rebuild", table, stdout=StringIO())

    assert (spine.rows(runs), spine.rows(markets), shown(*NAMES)) == before


def test_a_message_that_a_broker_took_with_a_clock_ahead_was_told_when_it_was_read(spine: Spine) -> None:
    """So its own provider is heard, for no longer than by any other; against a run its time is worth nothing."""
    first = began(spine)
    told(spine, "Winner", first)
    Market.objects.update(version_appended_at=now() + HOUR)
    assert judge_silence(now() + MINUTE) == ([], [])
    assert judge_silence(now() + 3 * MINUTE) == (["northfeed"], [])
    ProviderSuspension.objects.all().delete()

    began(spine)
    Market.objects.update(version_taken_at=now() + MINUTE / 4)

    assert shown("Winner") == ("suspended",)


@pytest.mark.parametrize(("of_the_market", "of_the_run", "lag"), [(0, -2, 0), (2, 0, 5), (20, -9, 60), (0, 0, 0)])
def test_what_was_told_just_before_a_run_began_is_shut_whatever_brokers_right_clocks_say(
    spine: Spine, of_the_market: int, of_the_run: int, lag: int
) -> None:
    """It was told by a broker whose clock is so many seconds ahead, and the beginning by another, a second later."""
    told(spine, "Winner", began(spine))
    second = began(spine)
    at = now() - 2 * MINUTE
    Market.objects.update(
        version_appended_at=at + of_the_market * SECOND, version_taken_at=at + SECOND / 9 + lag * SECOND
    )
    FeedRun.objects.update(
        began_appended_at=at + SECOND + of_the_run * SECOND, began_taken_at=at + SECOND + SECOND / 9 + lag * SECOND
    )

    assert shown("Winner") == ("suspended",)
    told(spine, "Winner", second)
    assert shown("Winner") == ("open",)


@pytest.mark.parametrize("cause", ["silence", "bad messages"])
def test_what_was_told_just_before_a_suspension_is_not_believed_though_its_brokers_clock_is_ahead(
    spine: Spine, cause: str
) -> None:
    """And read a while later. Nor is its provider heard by it."""
    told(spine, "Winner")
    at = now() - MINUTE
    Market.objects.update(version_appended_at=at + 20 * SECOND, version_taken_at=at + 30 * SECOND)
    ended_at = None if cause == "silence" else at + 10 * SECOND
    suspension = ProviderSuspension.objects.create(
        provider="northfeed", cause=cause, reason="", since=at + 10 * SECOND, ended_at=ended_at
    )
    assert judge_silence(now()) == ([], [])
    ProviderSuspension.objects.update(ended_at=now() if cause == "silence" else suspension.ended_at)
    assert shown("Winner") == ("suspended",)

    told(spine, "Winner")
    assert shown("Winner") == ("open",)


def test_what_nobody_could_date_is_not_believed_while_it_lies_ahead(spine: Spine) -> None:
    told(spine, "Winner")
    Market.objects.update(version_appended_at=now() + HOUR, version_taken_at=None)

    assert judge_silence(now()) == (["northfeed"], [])
    assert judge_silence(now()) == ([], [])
    assert shown("Winner") == ("suspended",)
    assert [source.name for source in feeds(now())] == ["northfeed"]


def test_what_was_stored_before_was_told_when_its_log_says_unless_that_lies_ahead(spine: Spine) -> None:
    told(spine, "Winner")
    run = began(spine)
    told(spine, "Totals", run)
    before = spine.rows("SELECT name, version_appended_at FROM trading_market ORDER BY 1")
    call_command("migrate", "trading", "0017", verbosity=0)
    # Of a log that keeps the broker's times nothing said then when it was read.
    spine.rows("UPDATE trading_market SET version_taken_at = NULL RETURNING 1")
    call_command("migrate", verbosity=0)

    assert spine.rows("SELECT name, version_appended_at FROM trading_market ORDER BY 1") == before
    assert shown("Winner", "Totals") == ("suspended", "open")
    call_command("reconcile", "--full", "--anew", stdout=StringIO())

    call_command("migrate", "trading", "0017", verbosity=0)
    spine.rows("UPDATE trading_market SET version_logged_at = now() + interval '1 hour' RETURNING 1")
    call_command("migrate", verbosity=0)
    assert judge_silence(now()) == (["northfeed"], [])


def ahead_by(milliseconds: int) -> None:
    """So far ahead was the clock that led the log to where the dead letter stands, if it keeps times."""
    DeadLetter.objects.exclude(standing_logged=0).update(standing_logged=F("standing_logged") + milliseconds)


def letter_sent_again(spine: Spine, folder: Path, market: str) -> None:
    """What could not be read of a market, mended: whoever reads it first or again knows when it was told."""
    event = update(market, timedelta(), **PLAYING)
    value = frame(spine.registry.register(event.record), encode(event.record, event.body))
    spine.send_bytes("odds-feed", [value + b"\0"], key=event.key.encode())
    spine.drain("trading")
    # As if its log had come there by a clock that was a moment ahead, and has caught up since.
    ahead_by(1)
    mended = folder / "mended.json"
    mended.write_text(json.dumps(event.body))
    number = spine.value("SELECT max(id) FROM streams_deadletter")
    call_command("deadletters", "replay", str(number), "--reason", "mended", "--event", str(mended), stdout=StringIO())
    with relaying(spine) as rounds:
        rounds.until_idle()
    spine.drain("trading")
    ahead_by(-1)


@pytest.mark.parametrize("times", ["LogAppendTime", "CreateTime"])
def test_a_dead_letter_that_is_sent_again_was_told_when_the_broker_took_it_at_first(
    spine: Spine, tmp_path: Path, times: str
) -> None:
    spine.set_topic("odds-feed", **{"message.timestamp.type": times})
    letter_sent_again(spine, tmp_path, "Winner")

    ((told_at, logged),) = spine.rows("SELECT standing_appended, standing_logged FROM streams_deadletter")
    rows = "SELECT version_appended_at, version_logged_at, version_taken_at FROM trading_market"
    ((appended_at, logged_at, taken_at),) = spine.rows(rows)
    is_kept = times == "LogAppendTime"
    assert told_at == logged if is_kept else told_at == 0
    assert (milliseconds(appended_at) if appended_at else 0) == told_at
    assert milliseconds(logged_at) == logged + is_kept
    assert (taken_at is None) is not is_kept
    before = spine.rows(rows)
    call_command("rebuild", "trading_market", stdout=StringIO())
    assert spine.rows(rows) == before


def test_of_one_that_was_sent_again_before_its_message_said_so_nobody_knows_when_it_was_told(
    spine: Spine, tmp_path: Path
) -> None:
    told(spine, "Totals")
    letter_sent_again(spine, tmp_path, "Winner")
    ahead_by(1)
    names = "SELECT name, version_appended_at IS NOT NULL, version_taken_at IS NOT NULL FROM trading_market ORDER BY 1"
    assert spine.rows(names) == [("Totals", True, True), ("Winner", True, True)]

    call_command("migrate", "trading", "0018", verbosity=0)
    call_command("migrate", verbosity=0)

    assert spine.rows(names) == [("Totals", True, True), ("Winner", False, False)]
