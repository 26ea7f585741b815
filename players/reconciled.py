"""What the players' tables must hold, by the events of `player-events`; said apart from the projections."""

from backoffice.contracts.catalogue import TOPICS
from backoffice.reconcile.declared import Description, State, describe, same

_STATUS = ("status_at", "status_event")
_ENDED = ("ended_at", "ended_event")

_STATES = (
    State("registration", ("PlayerRegistered",), "players_player", {"id": "player_id"},
          ("registered_at", "registered_event"),
          same("country currency birth_year_band channel language affiliate marketing_consent email phone first_name"
               " last_name birth_date street city postcode")),
    State("player_status", ("PlayerStatusChanged",), "players_player", {"id": "player_id"}, _STATUS,
          same("status") | {"status_reason": "reason"}),
    State("verification", ("PlayerVerified",), "players_player", {"id": "player_id"},
          ("verification_at", "verification_event"), same("verification")),
    State("session_start", ("SessionStarted",), "players_session", {"id": "session_id"},
          ("started_at", "started_event"), same("player_id channel country device_id ip")),
    State("session_end", ("SessionEnded",), "players_session", {"id": "session_id"}, _ENDED, {"end_reason": "reason"}),
    State("document", ("DocumentSubmitted",), "players_document", {"id": "document_id"}, _STATUS,
          same("player_id brand jurisdiction kind status country expires_on size_bytes sha256")),
    State("bonus_grant", ("BonusGranted",), "players_bonus", {"id": "bonus_id"}, ("granted_at", "granted_event"),
          same("player_id campaign kind amount spins wagering_thousandths expires_at")),
    State("bonus_end", ("BonusCompleted", "BonusExpired"), "players_bonus", {"id": "bonus_id"}, _ENDED,
          {"ended_amount": "amount"},
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
