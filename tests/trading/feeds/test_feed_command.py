"""``manage.py feed`` against real servers: what was recorded is in the trading tables, whatever happens meanwhile."""

import errno
import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.kernel.errors import Rejected
from backoffice.localstack.stack import Stack
from tests.spine import Spine, until
from tests.trading.feeds.messages import definition, image, mc, mcm, price, runner
from tests.trading.feeds.recordings import CRICKET, STREAMS, needed, stream
from trading.feeds import providers
from trading.feeds.adapter import Update
from trading.feeds.recording import beside, lines
from trading.management.commands.feed import _adapter

# What the key of a run that begins is.
PROVIDER = b"betfair"
ROOT = Path(__file__).parents[3]
Start = Callable[..., "subprocess.Popen[str]"]

# Seconds of a made-up match: it turns in-play and is not closed.
MATCH = [
    image(mc(d=definition(), rc=[price(11, 1.5, 1.6), price(12, 2.5, 2.6)])),
    mcm(mc(d=definition(inPlay=True, betDelay=5, version=101)), at=8_000),
    mcm(mc(rc=[price(11, 1.55)], tv=100), at=8_200),
    mcm(mc(rc=[price(12, 2.4)], tv=101), at=8_400),
]
CLOSED = mcm(
    mc(d=definition(runner(11, status="WINNER"), runner(12, status="LOSER"), status="CLOSED", version=102)), at=8_600
)


def written(file: Path, messages: list[bytes]) -> Path:
    file.write_bytes(b"".join(message + b"\n" for message in messages))
    return file


def run(file: Path, *words: str) -> dict[str, Any]:
    """Play the file here, as fast as it goes; what the last line says."""
    out = StringIO()
    call_command("feed", "betfair", str(file), *(words or ("--speed", "max")), stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return told


def last_updates(messages: Iterator[bytes], file: Path) -> dict[str, Update]:
    """Each market as its book stands after the messages."""
    adapter = providers.provider("betfair").adapter()
    for document in beside(file):
        for line in lines(document):
            adapter.learn(line)
    return {update["market_id"]: update for message in messages for update in adapter.take(message).updates}


EVENT = {
    "id": "sport_event_id",
    "provider": "provider",
    "sport": "sport",
    "competition": "competition",
    "name": "event_name",
}
MARKET = {
    "id": "market_id", "sport_event_id": "sport_event_id", "provider": "provider", "type": "market_type",
    "name": "market_name", "line": "line", "is_in_play": "is_in_play", "bet_delay": "bet_delay", "winners": "winners",
    "currency": "currency", "traded_volume": "traded_volume", "status": "status",
}  # fmt: skip
OUTCOME = (
    "market_id", "outcome_id", "name", "status", "back_odds", "back_size", "lay_odds", "lay_size", "last_odds"
)  # fmt: skip


def check_tables(spine: Spine, expected: dict[str, Update], **differing: Any) -> None:
    """Events, markets and outcomes are as the updates say; but for what ``differing`` says of the markets."""
    told: list[dict[str, Any]] = [{**update, **differing} for update in expected.values()]
    assert spine.rows(f"SELECT {', '.join(EVENT)} FROM trading_sportevent") == [
        tuple(update[name] for name in EVENT.values()) for update in told
    ]
    assert spine.rows(f"SELECT {', '.join(MARKET)} FROM trading_market") == [
        tuple(update[name] for name in MARKET.values()) for update in told
    ]
    assert sorted(spine.rows(f"SELECT {', '.join(OUTCOME)} FROM trading_outcome")) == sorted(
        (update["market_id"], *outcome.values()) for update in told for outcome in update["outcomes"]
    )


@pytest.fixture
def start(spine: Spine) -> Iterator[Start]:
    """Starts feeds in processes of their own; none outlives the test."""
    running: list[subprocess.Popen[str]] = []

    def started(*words: str, **environ: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "feed", "betfair", *words]
        pipe, environment = subprocess.PIPE, spine.environ | environ
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True))
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGTERM) -> dict[str, Any]:
    """End the feed as a supervisor does; what its last line says."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


def sent(spine: Spine) -> list[dict[str, Any]]:
    """All updates of odds-feed; those of one sport event in their order."""
    events = [(key, unframe(value or b"")[1]) for key, value, _ in spine.read("odds-feed")]
    return [decode(body, schema("MarketUpdate")) for key, body in events if key != PROVIDER]


def beginnings(spine: Spine) -> list[dict[str, Any]]:
    """What was told of runs that began."""
    events = [(key, unframe(value or b"")[1]) for key, value, _ in spine.read("odds-feed")]
    return [decode(body, schema("FeedBegan")) for key, body in events if key == PROVIDER]


@needed
@pytest.mark.parametrize("name", STREAMS)
def test_a_recording_is_in_the_tables_as_its_book_stands(spine: Spine, name: str) -> None:
    told = run(stream(name))
    spine.drain("trading")

    assert (told["malformed"], told["undelivered"]) == (0, 0)
    assert told["messages"] == sum(1 for _ in lines(stream(name)))
    check_tables(spine, last_updates(lines(stream(name)), stream(name)))
    assert spine.value("SELECT status FROM trading_market") == "settled"
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0


@needed
def test_the_first_messages_are_in_the_tables_and_a_replay_wins_over_them(spine: Spine, tmp_path: Path) -> None:
    """The feed ends in the midst of the match, so its market is suspended; all else is as the book stands."""
    for document in beside(stream(CRICKET)):
        (tmp_path / document.name).symlink_to(document)
    for count in (2_500, 1_100):
        cut = written(tmp_path / f"{CRICKET}.ndjson", list(islice(lines(stream(CRICKET)), count)))
        before = datetime.now(UTC)
        run(cut)
        spine.drain("trading")

        check_tables(spine, last_updates(lines(cut), cut), status="suspended")
        assert spine.value("SELECT name FROM trading_sportevent") == "Netherlands v Papua New Guinea"
        assert before <= spine.value("SELECT version_at FROM trading_market") <= datetime.now(UTC)
    call_command("reconcile", "--full", stdout=StringIO())


def test_malformed_messages_change_nothing_and_end_nothing(spine: Spine, tmp_path: Path) -> None:
    garbage = [
        b"{",
        b"[]",
        b'{"op":"rcm"}',
        b"\xff\xfe",
        mcm(mc(rc=[{"id": 11, "atb": [["much", 1]]}])),
        mcm({"rc": []}),
    ]
    mixed = [message for good in MATCH for message in (good, *garbage)]
    whole = gzip.compress(b"".join(message + b"\n" for message in mixed))
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(whole[:-9])

    told = run(cut)
    spine.drain("trading")

    assert told["messages"] == len(MATCH)
    assert told["malformed"] == len(MATCH) * len(garbage) + 1
    check_tables(spine, last_updates(iter(MATCH), cut), status="suspended")
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0


def test_every_message_is_an_event_of_now_under_the_key_of_its_sport_event(spine: Spine, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    told = run(written(tmp_path / "match", [*MATCH, CLOSED]))

    events = sent(spine)
    assert told["updates"] == len(events) == 5
    assert {key for key, *_ in spine.read("odds-feed")} == {b"betfair:77", PROVIDER}
    versions = [event["version"] for event in events]
    assert versions == sorted(set(versions))
    assert all(before <= event["occurred_at"] <= datetime.now(UTC) for event in events)
    assert len({event["event_id"] for event in events}) == 5
    assert {(event["brand"], event["jurisdiction"]) for event in events} == {("all", "MT")}
    # Half an hour before the first message, in the recording and so today.
    start = events[0]["starts_at"] + timedelta(minutes=30)
    assert before - timedelta(seconds=1) <= start <= datetime.now(UTC)


def test_it_plays_over_and_over_and_suspends_what_is_open_when_it_is_ended(
    spine: Spine, start: Start, tmp_path: Path
) -> None:
    file = written(tmp_path / "match", [*MATCH, CLOSED])
    process = start(str(file), "--loop", "--from-in-play")
    until(lambda: sum(spine.ends().values()) >= 10, "played more than twice")

    told = ended(process)

    events = sent(spine)
    assert told["updates"] == len(events)
    assert [event["status"] for event in events[:8]] == ["open", "open", "open", "settled"] * 2
    assert events[-1]["status"] != "open"
    (began,) = beginnings(spine)
    assert began["occurred_at"] <= events[0]["occurred_at"]
    assert {event["run"] for event in events} == {began["event_id"]}, "a run begins once, however often it plays"
    assert all(one["version"] < other["version"] for one, other in pairwise(events))
    # In step: the second message of each run comes a fifth of a second after the first.
    assert events[1]["occurred_at"] - events[0]["occurred_at"] >= timedelta(milliseconds=190)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_any_signal_to_end_leaves_nothing_open(
    spine: Spine, start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    file = written(tmp_path / "match", [MATCH[0], mcm(ct="HEARTBEAT", at=3_600_000)])
    process = start(str(file))
    until(lambda: sum(spine.ends().values()) > 1, "the market is open")

    told = ended(process, number)

    assert [event["status"] for event in sent(spine)] == ["open", "suspended"]
    assert told["undelivered"] == 0


def test_a_message_that_cannot_be_read_suspends_and_is_counted(spine: Spine, tmp_path: Path) -> None:
    whole = mcm(mc(img=True, d=definition(version=102), rc=[price(11, 1.5)]), at=9_000)
    garbage = [mcm(mc(rc=[{"id": 11, "atb": [["much", 1]]}]), at=8_500), b"[" * 1_000]

    told = run(written(tmp_path / "match", [MATCH[0], garbage[0], *MATCH[1:], whole, garbage[1], CLOSED]))

    assert [event["status"] for event in sent(spine)] == ["open", *["suspended"] * 4, "open", "suspended", "settled"]
    assert (told["provider"], told["messages"], told["malformed"]) == ("betfair", 6, 2)


@needed
def test_the_demo_plays_the_match_from_in_play_on(spine: Spine, start: Start) -> None:
    process = start("--demo", PITBOSS_DATA=str(settings.RECORDED_DATA))
    with spine.streaming("trading"):
        until(lambda: spine.rows("SELECT 1 FROM trading_market WHERE is_in_play"), "the match is on")

    told = ended(process)

    assert told["updates"] >= 1
    assert spine.value("SELECT name FROM trading_sportevent") == "Netherlands v Papua New Guinea"
    assert {name for (name,) in spine.rows("SELECT name FROM trading_outcome")} == {"Netherlands", "Papua New Guinea"}


def test_the_demo_is_silent_where_nothing_is_recorded(tmp_path: Path) -> None:
    out = StringIO()
    with override_settings(RECORDED_DATA=tmp_path, SCHEMA_REGISTRY_URL="http://127.0.0.1:9"):
        call_command("feed", "betfair", "--demo", stdout=out, stderr=out)

    assert out.getvalue() == ""


def test_a_file_that_is_none_is_told(spine: Spine, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "prose").write_text("Once upon a time\nthere was a feed.\n")
    written(tmp_path / "before", MATCH[:1])
    for words, reason in (
        ([str(tmp_path / "nothing")], r"nothing cannot be read .*name a recording"),
        ([str(tmp_path)], "cannot be read"),
        ([str(tmp_path / "empty")], r"holds no message \(0 lines"),
        ([str(tmp_path / "prose"), "--loop"], r"holds no message \(2 lines .* name a recording"),
        ([str(tmp_path / "before"), "--from-in-play", "--loop"], "play it without --from-in-play"),
        ([], "Name a FILE"),
    ):
        with pytest.raises(CommandError, match=reason):
            call_command("feed", "betfair", *words)


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "quick"])
def test_a_speed_that_is_none_is_refused(speed: str) -> None:
    with pytest.raises(CommandError, match="factor"):
        call_command("feed", "betfair", "file", f"--speed={speed}")


def test_a_provider_that_is_not_known_is_refused() -> None:
    with pytest.raises(CommandError, match="betfair"):
        call_command("feed", "nobody", "file")


@pytest.mark.servers
def test_without_topics_it_says_how_to_make_them(tmp_path: Path) -> None:
    file = written(tmp_path / "match", MATCH)
    with override_settings(KAFKA_TOPIC_PREFIX="never."), pytest.raises(CommandError, match=r"topics --apply"):
        call_command("feed", "betfair", str(file))


def test_an_error_in_the_midst_of_a_file_is_told_after_its_markets_are_suspended(
    spine: Spine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(_: Path) -> Iterator[bytes]:
        yield from MATCH
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("trading.management.commands.feed.lines", torn)
    out = StringIO()
    with pytest.raises(CommandError, match=r"cannot be read \(Input/output error\)"):
        call_command("feed", "betfair", str(written(tmp_path / "match", [])), "--speed", "max", stdout=out)

    assert [event["status"] for event in sent(spine)] == ["open"] * 4 + ["suspended"]
    assert json.loads(out.getvalue().splitlines()[-1])["updates"] == 5


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device. Make room"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "Broken pipe. Whoever read what it says has gone"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/ca.pem"), "^/ca.pem cannot be used"),
    ],
)
def test_what_fails_elsewhere_is_not_laid_to_the_recording(
    spine: Spine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, told: str
) -> None:
    file = written(tmp_path / "match", MATCH)

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("trading.feeds.publishing.Publisher.publish", fails)
    with pytest.raises(CommandError, match=told) as refused:
        call_command("feed", "betfair", str(file), "--speed", "max", stdout=StringIO())
    assert file.name not in str(refused.value)


def test_names_that_cannot_be_read_are_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "match", MATCH)
    names = written(tmp_path / "names-match", [])

    def torn(read: Path) -> Iterator[bytes]:
        if read == names:
            raise OSError(errno.EIO, "Input/output error")
        yield from MATCH

    monkeypatch.setattr("trading.management.commands.feed.lines", torn)
    with pytest.raises(Rejected, match=r"names-match cannot be read \(Input/output error\); put it right, or take it"):
        _adapter("betfair", file)


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    own_stack: Stack, faulty_spine: Spine, tmp_path: Path
) -> None:
    ticks = [mcm(mc(rc=[{"id": 11, "tv": count}], tv=count), at=8_400 + 10 * count) for count in range(1, 3_000)]
    file = written(tmp_path / "match", [*MATCH, *ticks])
    command = [sys.executable, "manage.py", "feed", "betfair", str(file), "--loop", "--from-in-play"]
    process = subprocess.Popen(command, cwd=ROOT, env=faulty_spine.environ, stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: sum(faulty_spine.ends().values()) > 300, "updates arrive")
        own_stack.part("kafka").kill()
        own_stack.part("kafka").start()
        before = sum(faulty_spine.ends().values())
        until(lambda: sum(faulty_spine.ends().values()) > before + 300, "updates arrive again")
        told = ended(process)
    finally:
        process.kill()
        process.wait(10)

    versions = [event["version"] for event in sent(faulty_spine)]
    assert told["undelivered"] == 0
    assert told["updates"] == len(versions)
    assert versions == sorted(set(versions))
