"""The calendar: the same for its seed whatever is asked, in the shape of a week, with updates that fit the contract."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.contracts.codec import encode
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import schema, schema_text
from backoffice.contracts.rules import checked
from backoffice.kernel.clock import EPOCH
from backoffice.simulator.durations import DAY, HOUR, MINUTE
from backoffice.simulator.events.envelope import Event, Head
from backoffice.simulator.events.markets import MarketOutcome, market_price, market_update
from backoffice.simulator.sport.calendar import Calendar
from backoffice.simulator.sport.feed import Update
from backoffice.simulator.sport.fixture import Fixture
from tests.simulator.sport.fixtures import FIRST_DAY, SPORTS, featured, one_of_each, week

pytestmark = pytest.mark.slow

START = FIRST_DAY * DAY


def told(fixture: Fixture) -> tuple[object, ...]:
    """All there is to a fixture: its markets, some quotes, its results and its feed."""
    kick_off = fixture.course.timeline.kick_off
    quotes = [fixture.quotes(at) for at in (fixture.opens_at, kick_off - 1, kick_off + 40 * MINUTE)]
    arrays = [array.tolist() for quote in quotes for array in (quote.row, quote.chance, quote.odds, quote.status)]
    results = [array.tolist() for array in fixture.results()]
    updates = list(fixture.updates(kick_off - HOUR, kick_off + HOUR, 1.0))
    return fixture.name, fixture.markets, fixture.starts_at, arrays, results, updates


def test_the_same_seed_gives_the_same_sport() -> None:
    one, other = (Calendar(seed=7, fixtures_per_day=12).fixtures(START, START + DAY) for _ in range(2))

    assert [fixture.id for fixture in one] == [fixture.id for fixture in other]
    assert [told(fixture) for fixture in one] == [told(fixture) for fixture in other]
    assert not {fixture.id for fixture in one} & {
        fixture.id for fixture in Calendar(seed=8, fixtures_per_day=12).fixtures(START, START + DAY)
    }


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 4 * 24 * 60), length=st.integers(1, 2 * 24 * 60))
def test_a_window_shows_what_lives_in_it(start: int, length: int) -> None:
    """Whatever else has been asked for before, and down to the edges."""
    calendar = Calendar(seed=7, fixtures_per_day=4)
    begin, end = START + start * MINUTE, START + (start + length) * MINUTE

    shown = calendar.fixtures(begin, end)

    everything = _everything()
    assert [fixture.id for fixture in shown] == [
        fixture.id for fixture in everything if fixture.opens_at < end and fixture.settled_at >= begin
    ]
    assert shown == calendar.fixtures(begin, end)


@cache
def _everything() -> list[Fixture]:
    return Calendar(seed=7, fixtures_per_day=4).fixtures(START - 4 * DAY, START + 16 * DAY)


def test_a_week_has_its_shape() -> None:
    sports = Counter(fixture.sport for fixture in week())
    assert set(sports) == set(SPORTS)
    assert abs(len(week()) / 7 - 40) < 4
    football = Counter(_start(fixture).weekday() for fixture in week() if fixture.sport == "football")
    assert football[5] > football[6] > football[0]
    evenings = [
        _start(fixture).hour >= 18 for fixture in week() if fixture.sport == "football" if _start(fixture).weekday() < 5
    ]
    assert evenings
    assert all(evenings)
    assert all(12 <= _start(fixture).hour < 19 for fixture in week() if fixture.sport == "horse_racing")
    assert all(any(fixture.is_featured for fixture in _on(day)) for day in range(7))
    assert all(fixture.opens_at < fixture.starts_at <= fixture.course.timeline.kick_off for fixture in week())


def _start(fixture: Fixture) -> datetime:
    return EPOCH + timedelta(microseconds=fixture.starts_at)


def _on(day: int) -> list[Fixture]:
    return [
        fixture for fixture in week() if fixture.starts_at // DAY == FIRST_DAY + day and fixture.sport == "football"
    ]


def test_no_side_plays_twice_a_day() -> None:
    for day in range(7):
        sides = [side for fixture in _on(day) for side in fixture.name.split(" v ")]
        assert sides
        assert len(sides) == len(set(sides))


def test_every_update_is_an_event_of_the_contract() -> None:
    """Of one fixture of each sport and of a featured match, from the opening to the last settlement."""
    events: dict[str, list[bytes]] = {"MarketUpdate": [], "MarketPrice": []}
    for fixture in one_of_each():
        for update in fixture.updates(fixture.opens_at, fixture.settled_at + 1, 0.1):
            for event in _events(fixture, update):
                events[event.record].append(encode(event.record, event.body))

    now = datetime.fromtimestamp(START / 1_000_000, UTC) + timedelta(days=30)
    for record, bodies in events.items():
        assert len(bodies) > 500
        _, faults = checked(decode_bodies(bodies, schema_text(record)), schema(record), now)
        assert faults == {}


def _events(fixture: Fixture, update: Update) -> list[Event]:
    head: Head = {
        "event_id": "018f2b1c-0000-7000-8000-000000000000", "occurred_at": update.at, "brand": "house",
        "jurisdiction": "MT",
    }  # fmt: skip
    outcomes: list[MarketOutcome] = [
        {
            "outcome_id": one.id,
            "name": one.name,
            "status": one.status,
            "back_odds": one.odds,
            "last_odds": one.last_odds,
        }
        for one in update.outcomes
    ]
    market = update.market
    active = [one for one in update.outcomes if one.odds is not None]
    implied = sum(1e9 / (one.odds or 1) for one in active)
    return [
        market_update(
            head, provider="northfeed", sport_event_id=fixture.id, sport=fixture.sport,
            competition=fixture.competition, event_name=fixture.name, starts_at=update.starts_at, market_id=market.id,
            market_type=market.type, market_name=market.name, line=market.line, status=update.status,
            is_in_play=update.is_in_play, bet_delay=update.bet_delay, winners=market.winners, version=update.version,
            currency="EUR", traded_volume=update.traded_volume, outcomes=outcomes,
        ),
        market_price(
            head, sport_event_id=fixture.id, market_id=market.id, version=update.version, status=update.status,
            is_in_play=update.is_in_play, margin_ppm=round(implied) - market.winners * 1_000_000 if active else 0,
            method="odds_ratio",
            prices=[{"outcome_id": one.id, "odds": one.odds or 0, "probability_ppm": one.chance} for one in active],
        ),
    ]  # fmt: skip


def test_arrays_are_of_the_promised_kinds() -> None:
    fixture = featured()
    quotes, results = fixture.quotes(fixture.starts_at - HOUR), fixture.results()

    assert [str(array.dtype) for array in (quotes.chance, quotes.odds, quotes.status)] == ["float64", "int64", "uint8"]
    assert results.known_at.shape == (len(fixture.markets),)
    assert results.result.shape == (sum(len(market.outcomes) for market in fixture.markets),)
