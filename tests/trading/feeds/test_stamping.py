"""Versions, ids and times of events."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from backoffice.kernel.clock import FixedClock
from backoffice.kernel.ids import uuid7_time
from tests.trading.feeds.messages import PT, definition, image, mc
from trading.feeds.adapter import Update
from trading.feeds.providers.betfair.adapter import Betfair
from trading.feeds.stamping import Stamp

NOW = datetime(2026, 5, 4, 12, 0, 0, 123_456, tzinfo=UTC)
MICROSECONDS = 1_777_896_000_123_456


def update(market: str = "1.5") -> Update:
    (told,) = Betfair().take(image(mc(market=market, d=definition()))).updates
    return told


def test_an_event_happens_now() -> None:
    assert Stamp(FixedClock(NOW), "MT").event(update())["occurred_at"] == MICROSECONDS


def test_versions_rise_although_the_clock_stands() -> None:
    stamp = Stamp(FixedClock(NOW), "MT")

    assert [stamp.event(update())["version"] - MICROSECONDS for _ in range(3)] == [0, 1, 2]


def test_versions_rise_although_the_clock_is_set_back() -> None:
    clock = FixedClock(NOW)
    stamp = Stamp(clock, "MT")
    before = stamp.event(update())["version"]
    clock.advance(timedelta(seconds=-30))

    assert stamp.event(update())["version"] > before


def test_a_later_play_of_the_same_recording_is_newer() -> None:
    clock = FixedClock(NOW)
    first = Stamp(clock, "MT")
    versions = [first.event(update())["version"] for _ in range(1_000)]
    clock.advance(timedelta(seconds=1))

    assert Stamp(clock, "MT").event(update())["version"] > max(versions)


def test_the_id_carries_its_time_and_follows_from_the_version() -> None:
    one, same = Stamp(FixedClock(NOW), "MT"), Stamp(FixedClock(NOW), "MT")
    ids = [UUID(one.event(update(market))["event_id"]) for market in ("1.5", "1.5", "1.6")]

    assert ids == [UUID(same.event(update(market))["event_id"]) for market in ("1.5", "1.5", "1.6")]
    assert len(set(ids)) == 3
    assert {found.version for found in ids} == {7}
    assert {uuid7_time(found) for found in ids} == {NOW.replace(microsecond=123_000)}


def test_scheduled_times_move_with_the_clock() -> None:
    """The recorded match was to start half an hour before its first message; so is the one played now."""
    stamp = Stamp(FixedClock(NOW), "MT")
    stamp.start(PT)

    assert stamp.event(update())["starts_at"] == MICROSECONDS - 30 * 60 * 1_000_000
    assert stamp.event({**update(), "starts_at": None})["starts_at"] is None


def test_it_is_an_event_of_the_house() -> None:
    event = Stamp(FixedClock(NOW), "MT").event(update())

    assert (event["brand"], event["jurisdiction"]) == ("all", "MT")
