"""Builders for the topic bet-events."""

from typing import NotRequired, TypedDict, Unpack

from backoffice.simulator.events.envelope import Event, Head, event


class BetLeg(TypedDict):
    leg_no: int
    sport: str
    sport_event_id: str
    market_id: str
    outcome_id: str
    odds: int
    is_in_play: bool


class LegResult(TypedDict):
    leg_no: int
    result: str
    void_factor: int
    dead_heat_factor: int
    dead_heat_places: NotRequired[int | None]
    dead_heat_tied: NotRequired[int | None]


class OfBet(TypedDict):
    bet_id: str
    player_id: str
    currency: str
    stake: int


class BetPlaced(OfBet):
    kind: str
    system_size: int
    channel: str
    is_in_play: bool
    is_free_bet: bool
    bonus_id: NotRequired[str | None]
    potential_payout: int
    legs: list[BetLeg]


class Settlement(OfBet):
    settlement_no: int


class BetSettled(Settlement):
    payout: int
    is_free_bet: bool
    legs: list[LegResult]


class BetVoided(Settlement):
    refund: int
    previous_payout: int
    was_settled: bool
    reason: str
    is_free_bet: bool


class BetCashedOut(Settlement):
    payout: int
    is_free_bet: bool


class BetResettled(Settlement):
    payout: int
    previous_payout: int
    reason: str
    legs: list[LegResult]


def bet_placed(head: Head, **values: Unpack[BetPlaced]) -> Event:
    return event("BetPlaced", values["player_id"], head, values)


def bet_settled(head: Head, **values: Unpack[BetSettled]) -> Event:
    return event("BetSettled", values["player_id"], head, values)


def bet_voided(head: Head, **values: Unpack[BetVoided]) -> Event:
    return event("BetVoided", values["player_id"], head, values)


def bet_cashed_out(head: Head, **values: Unpack[BetCashedOut]) -> Event:
    return event("BetCashedOut", values["player_id"], head, values)


def bet_resettled(head: Head, **values: Unpack[BetResettled]) -> Event:
    return event("BetResettled", values["player_id"], head, values)
