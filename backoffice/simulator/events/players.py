"""Builders for the topic player-events."""

from datetime import date
from typing import NotRequired, TypedDict, Unpack

from backoffice.simulator.events.envelope import Event, Head, event


class OfPlayer(TypedDict):
    player_id: str


class PlayerRegistered(OfPlayer):
    country: str
    currency: str
    birth_year_band: str
    channel: str
    language: str
    affiliate: NotRequired[str | None]
    marketing_consent: bool
    email: str
    phone: str
    first_name: str
    last_name: str
    birth_date: date
    street: str
    city: str
    postcode: str


class PlayerVerified(OfPlayer):
    verification: str
    method: str
    provider: str


class PlayerStatusChanged(OfPlayer):
    status: str
    previous_status: NotRequired[str | None]
    reason: str
    actor: str


class Access(OfPlayer):
    """From where and with what a player came."""

    channel: str
    country: str
    device_id: str
    ip: str


class InSession(Access):
    session_id: str


class LoginFailed(Access):
    reason: str


class SessionEnded(InSession):
    reason: str


class LimitChanged(OfPlayer):
    limit_id: str
    kind: str
    period: str
    currency: str
    amount: NotRequired[int | None]
    minutes: NotRequired[int | None]
    effective_at: int
    set_by: str


class SelfExclusionChanged(OfPlayer):
    exclusion_id: str
    kind: str
    status: str
    scope: str
    starts_at: int
    ends_at: NotRequired[int | None]
    reason: str


class PlayerContacted(OfPlayer):
    contact_id: str
    channel: str
    direction: str
    topic: str
    trigger: str
    staff: str
    outcome: str


class DocumentSubmitted(OfPlayer):
    document_id: str
    kind: str
    status: str
    country: str
    expires_on: NotRequired[date | None]
    size_bytes: int
    sha256: str


class OfBonus(OfPlayer):
    bonus_id: str
    currency: str
    amount: int


class BonusGranted(OfBonus):
    """``amount`` is credited at once; for free spins it is 0, for what they win is credited as it is won."""

    campaign: str
    kind: str
    spins: int
    wagering_thousandths: int
    expires_at: int


class BonusUsed(OfBonus):
    """``wagered`` is what this one bet or round adds to the wagering, cash included."""

    wagered: int
    bet_id: NotRequired[str | None]
    round_id: NotRequired[str | None]


class BonusExpired(OfBonus):
    reason: str


def player_registered(head: Head, **values: Unpack[PlayerRegistered]) -> Event:
    return event("PlayerRegistered", values["player_id"], head, values)


def player_verified(head: Head, **values: Unpack[PlayerVerified]) -> Event:
    return event("PlayerVerified", values["player_id"], head, values)


def player_status_changed(head: Head, **values: Unpack[PlayerStatusChanged]) -> Event:
    return event("PlayerStatusChanged", values["player_id"], head, values)


def login_succeeded(head: Head, **values: Unpack[InSession]) -> Event:
    return event("LoginSucceeded", values["player_id"], head, values)


def login_failed(head: Head, **values: Unpack[LoginFailed]) -> Event:
    return event("LoginFailed", values["player_id"], head, values)


def session_started(head: Head, **values: Unpack[InSession]) -> Event:
    return event("SessionStarted", values["player_id"], head, values)


def session_ended(head: Head, **values: Unpack[SessionEnded]) -> Event:
    return event("SessionEnded", values["player_id"], head, values)


def limit_changed(head: Head, **values: Unpack[LimitChanged]) -> Event:
    return event("LimitChanged", values["player_id"], head, values)


def self_exclusion_changed(head: Head, **values: Unpack[SelfExclusionChanged]) -> Event:
    return event("SelfExclusionChanged", values["player_id"], head, values)


def player_contacted(head: Head, **values: Unpack[PlayerContacted]) -> Event:
    return event("PlayerContacted", values["player_id"], head, values)


def document_submitted(head: Head, **values: Unpack[DocumentSubmitted]) -> Event:
    return event("DocumentSubmitted", values["player_id"], head, values)


def bonus_granted(head: Head, **values: Unpack[BonusGranted]) -> Event:
    return event("BonusGranted", values["player_id"], head, values)


def bonus_used(head: Head, **values: Unpack[BonusUsed]) -> Event:
    return event("BonusUsed", values["player_id"], head, values)


def bonus_completed(head: Head, **values: Unpack[OfBonus]) -> Event:
    """``amount`` became cash."""
    return event("BonusCompleted", values["player_id"], head, values)


def bonus_expired(head: Head, **values: Unpack[BonusExpired]) -> Event:
    """``amount`` was forfeited."""
    return event("BonusExpired", values["player_id"], head, values)
