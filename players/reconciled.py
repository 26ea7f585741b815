"""What the players' tables must hold, by the events of `player-events`; said apart from the projections."""

from backoffice.contracts.catalogue import TOPICS
from backoffice.reconcile.declared import Description, State, describe, same, standing

# Every event tells of these; the latest of any kind counts.
_WHOSE_AT = {"whose_at": "at"}
_STATES = (
    State("registration", ("PlayerRegistered",), "players_player", {"id": "player_id"},
          standing("registered"),
          same("country currency birth_year_band channel language affiliate marketing_consent email phone first_name"
               " last_name birth_date street city postcode") | {"registered_at": "at"}),
    State("player_status", ("PlayerStatusChanged",), "players_player", {"id": "player_id"}, standing("status"),
          same("status") | {"status_reason": "reason", "status_at": "at"}),
    State("verification", ("PlayerVerified",), "players_player", {"id": "player_id"},
          standing("verification"), same("verification") | {"verification_at": "at"}),
    State("player_whose", ("PlayerRegistered", "PlayerStatusChanged", "PlayerVerified"), "players_player",
          {"id": "player_id"}, standing("whose"), same("brand jurisdiction") | _WHOSE_AT),
    State("session_whose", ("SessionStarted", "SessionEnded"), "players_session", {"id": "session_id"},
          standing("whose"), same("player_id brand jurisdiction") | _WHOSE_AT),
    State("bonus_whose", ("BonusGranted", "BonusCompleted", "BonusExpired"), "players_bonus", {"id": "bonus_id"},
          standing("whose"), same("player_id brand jurisdiction currency") | _WHOSE_AT),
    State("session_start", ("SessionStarted",), "players_session", {"id": "session_id"},
          standing("started"), same("channel country device_id ip") | {"started_at": "at"}),
    State("session_end", ("SessionEnded",), "players_session", {"id": "session_id"}, standing("ended"),
          {"end_reason": "reason", "ended_at": "at"}),
    State("document", ("DocumentSubmitted",), "players_document", {"id": "document_id"}, standing("status"),
          same("player_id brand jurisdiction kind status country expires_on size_bytes sha256") | {"status_at": "at"}),
    State("bonus_grant", ("BonusGranted",), "players_bonus", {"id": "bonus_id"}, standing("granted"),
          same("campaign kind amount spins wagering_thousandths expires_at") | {"granted_at": "at"}),
    State("bonus_end", ("BonusCompleted", "BonusExpired"), "players_bonus", {"id": "bonus_id"}, standing("ended"),
          {"ended_amount": "amount", "ended_at": "at"},
          constants=(("BonusCompleted", "ended_as", "completed"), ("BonusExpired", "ended_as", "expired"))),
)  # fmt: skip

PLAYERS = Description(
    "players",
    states=_STATES,
    counts={
        "LoginSucceeded": lambda _: [("logins", "succeeded", None)],
        "LoginFailed": lambda _: [("logins", "failed", None)],
    },
    counted=frozenset(TOPICS["player-events"].records),
    seen=("LoginSucceeded", "SessionStarted"),
)


def register() -> None:
    describe(PLAYERS)
