"""Builders for the topics odds-feed and market-prices."""

from typing import NotRequired, TypedDict, Unpack

from backoffice.simulator.events.envelope import Event, Head, event


class MarketOutcome(TypedDict):
    outcome_id: str
    name: str
    status: str
    back_odds: NotRequired[int | None]
    back_size: NotRequired[int | None]
    lay_odds: NotRequired[int | None]
    lay_size: NotRequired[int | None]
    last_odds: NotRequired[int | None]


class FeedBegan(TypedDict):
    provider: str
    subscription: str


class MarketUpdate(TypedDict):
    provider: str
    subscription: NotRequired[str | None]
    run: NotRequired[str | None]
    sport_event_id: str
    sport: str
    competition: str
    event_name: str
    starts_at: NotRequired[int | None]
    market_id: str
    market_type: str
    market_name: str
    line: NotRequired[str | None]
    status: str
    is_in_play: bool
    bet_delay: int
    winners: int
    version: int
    currency: str
    traded_volume: NotRequired[int | None]
    outcomes: list[MarketOutcome]


class OutcomePrice(TypedDict):
    outcome_id: str
    odds: int
    probability_ppm: int


class MarketPrice(TypedDict):
    sport_event_id: str
    market_id: str
    version: int
    status: str
    is_in_play: bool
    margin_ppm: int
    method: str
    prices: list[OutcomePrice]


def feed_began(head: Head, **values: Unpack[FeedBegan]) -> Event:
    return event("FeedBegan", values["provider"], head, values)


def market_update(head: Head, **values: Unpack[MarketUpdate]) -> Event:
    return event("MarketUpdate", values["sport_event_id"], head, values)


def market_price(head: Head, **values: Unpack[MarketPrice]) -> Event:
    return event("MarketPrice", values["market_id"], head, values)
