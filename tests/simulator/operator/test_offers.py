"""The operator's offers follow the markets that they are made on, to the end."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from backoffice.simulator.durations import HOUR, MINUTE
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.feed import PROVIDERS, SILENT
from tests.simulator.operator.lives import START, events, slices, world
from trading.domain.margins import Method, apply_margin

pytestmark = pytest.mark.slow

OVER = {"closed", "settled", "cancelled"}
SPAN = 22
LIKELY = 800_000
METHODS: tuple[Method, ...] = ("multiplicative", "power", "odds_ratio")


@pytest.fixture(scope="module")
def told() -> list[Event]:
    alive = world(players=20, level=0.5)
    alive.feed_rate = 0.2
    return events(slices(alive, SPAN))


def newest(told: list[Event], record: str) -> dict[str, Event]:
    return {event.body["market_id"]: event for event in told if event.record == record}


def test_every_change_of_a_market_is_one_of_its_offer(told: list[Event]) -> None:
    names = ("market_id", "version", "status", "is_in_play", "sport_event_id")
    changes = {
        record: Counter(tuple(event.body[name] for name in names) for event in told if event.record == record)
        for record in ("MarketUpdate", "MarketPrice")
    }

    assert changes["MarketUpdate"].total() > 100
    assert changes["MarketUpdate"] == changes["MarketPrice"]


def test_no_offer_outlives_its_market(told: list[Event]) -> None:
    markets, offers = newest(told, "MarketUpdate"), newest(told, "MarketPrice")
    over = {market for market, event in markets.items() if event.body["status"] in OVER}

    assert len(over) > 100
    assert {markets[market].body["status"] for market in over} >= {"settled"}
    assert all(offers[market].body["status"] == markets[market].body["status"] for market in over)
    assert not any(offers[market].body["prices"] or offers[market].body["margin_ppm"] for market in over)


def test_an_offer_has_a_price_for_each_active_outcome_and_no_other(told: list[Event]) -> None:
    active = {
        (event.body["market_id"], event.body["version"]): [
            outcome["outcome_id"] for outcome in event.body["outcomes"] if outcome["status"] == "active"
        ]
        for event in told
        if event.record == "MarketUpdate"
    }

    offers = [event.body for event in told if event.record == "MarketPrice"]
    assert sum(bool(offer["prices"]) for offer in offers) > 100
    for offer in offers:
        assert [price["outcome_id"] for price in offer["prices"]] == active[offer["market_id"], offer["version"]]


def _is_telling(offer: dict[str, Any]) -> bool:
    """Of one winner, each possible and none so likely that another method has no price for it."""
    chances = [price["probability_ppm"] for price in offer["prices"]]
    is_of_one = len(chances) > 2 and abs(sum(chances) - 1_000_000) < 10
    return is_of_one and offer["margin_ppm"] > 0 and min(chances) > 0 and max(chances) < LIKELY


def test_an_offer_names_the_method_by_which_its_prices_are_made(told: list[Event]) -> None:
    offers = [event.body for event in told if event.record == "MarketPrice" and _is_telling(event.body)]
    off = Counter[str]()
    for offer in offers:
        chances = np.array([price["probability_ppm"] for price in offer["prices"]], float)
        for method in METHODS:
            implied = apply_margin(method, chances / chances.sum(), offer["margin_ppm"] / 1_000_000)
            wide = zip(implied, offer["prices"], strict=True)
            off[method] += sum(abs(chance - 1_000 / price["odds"]) for chance, price in wide)

    assert len(offers) > 100
    assert {offer["method"] for offer in offers} == {min(off, key=lambda method: off[method])}


def test_a_provider_that_was_silent_tells_what_it_did_not_say() -> None:
    start, end = START + 15 * HOUR, START + 18 * HOUR + 10 * MINUTE
    fault = Fault("silent_feed", start, end)
    alive, usual = (world(players=20, level=0.5, faults=faults) for faults in ((fault,), ()))

    silent, heard = (events(slices(each, 20)) for each in (alive, usual))

    before, after = newest(heard, "MarketUpdate"), newest(silent, "MarketUpdate")
    assert {market: event.body["status"] for market, event in before.items()} == {
        market: event.body["status"] for market, event in after.items()
    }
    late = [event for event in silent if event.record == "MarketUpdate" and event.body["occurred_at"] == end]
    assert {event.body["provider"] for event in late} == {PROVIDERS[SILENT]}
    assert len({event.body["market_id"] for event in late}) == len(late) > 10
    assert {event.body["status"] for event in late} & OVER
    assert newest(silent, "MarketPrice").keys() == after.keys()
