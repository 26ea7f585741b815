"""`player-events` into the players' tables."""

import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS
from backoffice.metrics.windows import WINDOW, WINDOW_KEY, WINDOW_SUMS, bucketed, count_events, track_activity
from backoffice.streams.store.projection import Stream, constant, renamed, stamped, standing

TOPIC = "player-events"
WHOSE = ("player_id", "brand", "jurisdiction")

players = Stream("players")


@players.project("PlayerRegistered", into="players_player", key="id", newest_by=standing("registered"))
def registrations(events: pa.Table) -> pa.Table:
    """What a player gave at registration, personal fields included."""
    known = (
        "country", "currency", "birth_year_band", "channel", "language", "affiliate",
        "marketing_consent", "email", "phone", "first_name", "last_name", "birth_date", "street", "city", "postcode",
    )  # fmt: skip
    return stamped(renamed(events, id="player_id", **{name: name for name in known}), events, "registered")


@players.project("PlayerStatusChanged", into="players_player", key="id", newest_by=standing("status"))
def statuses(events: pa.Table) -> pa.Table:
    return stamped(renamed(events, id="player_id", status="status", status_reason="reason"), events, "status")


@players.project("PlayerVerified", into="players_player", key="id", newest_by=standing("verification"))
def verifications(events: pa.Table) -> pa.Table:
    return stamped(renamed(events, id="player_id", verification="verification"), events, "verification")


@players.project(
    "PlayerRegistered", "PlayerStatusChanged", "PlayerVerified", into="players_player", key="id",
    newest_by=standing("whose"),
)  # fmt: skip
def whose_players(events: pa.Table) -> pa.Table:
    """What each of these tells has a standing of its own, or an old event of one kind would undo a later of another."""
    return stamped(renamed(events, id="player_id", brand="brand", jurisdiction="jurisdiction"), events, "whose")


@players.project("LoginSucceeded", into="players_login", key="event_id", fact=True)
def logins(events: pa.Table) -> pa.Table:
    return events.select([*WHOSE, "session_id", "channel", "country", "device_id", "ip"])


@players.project("LoginFailed", into="players_login", key="event_id", fact=True)
def failed_logins(events: pa.Table) -> pa.Table:
    return events.select([*WHOSE, "reason", "channel", "country", "device_id", "ip"])


@players.project("SessionStarted", into="players_session", key="id", newest_by=standing("started"))
def session_starts(events: pa.Table) -> pa.Table:
    known = ("channel", "country", "device_id", "ip")
    return stamped(renamed(events, id="session_id", **{name: name for name in known}), events, "started")


@players.project("SessionEnded", into="players_session", key="id", newest_by=standing("ended"))
def session_ends(events: pa.Table) -> pa.Table:
    """Only the end: where the session was started from must not depend on which of the two events came first."""
    return stamped(renamed(events, id="session_id", end_reason="reason"), events, "ended")


@players.project("SessionStarted", "SessionEnded", into="players_session", key="id", newest_by=standing("whose"))
def whose_sessions(events: pa.Table) -> pa.Table:
    return stamped(renamed(events, id="session_id", **{name: name for name in WHOSE}), events, "whose")


@players.project("LimitChanged", into="players_limitchange", key="event_id", fact=True)
def limit_changes(events: pa.Table) -> pa.Table:
    return events.select(
        [*WHOSE, "limit_id", "kind", "period", "currency", "amount", "minutes", "effective_at", "set_by"]
    )


@players.project("SelfExclusionChanged", into="players_exclusionchange", key="event_id", fact=True)
def exclusion_changes(events: pa.Table) -> pa.Table:
    return events.select([*WHOSE, "exclusion_id", "kind", "status", "scope", "starts_at", "ends_at", "reason"])


@players.project("PlayerContacted", into="players_contact", key="event_id", fact=True)
def contacts(events: pa.Table) -> pa.Table:
    return events.select([*WHOSE, "contact_id", "channel", "direction", "topic", "trigger", "staff", "outcome"])


@players.project("DocumentSubmitted", into="players_document", key="id", newest_by=standing("status"))
def documents(events: pa.Table) -> pa.Table:
    known = (*WHOSE, "kind", "status", "country", "expires_on", "size_bytes", "sha256")
    return stamped(renamed(events, id="document_id", **{name: name for name in known}), events, "status")


@players.project("BonusGranted", into="players_bonus", key="id", newest_by=standing("granted"))
def bonus_grants(events: pa.Table) -> pa.Table:
    known = ("campaign", "kind", "amount", "spins", "wagering_thousandths", "expires_at")
    return stamped(renamed(events, id="bonus_id", **{name: name for name in known}), events, "granted")


@players.project("BonusCompleted", into="players_bonus", key="id", newest_by=standing("ended"))
def bonus_completions(events: pa.Table) -> pa.Table:
    return _bonus_ends(events, "completed")


@players.project("BonusExpired", into="players_bonus", key="id", newest_by=standing("ended"))
def bonus_expiries(events: pa.Table) -> pa.Table:
    return _bonus_ends(events, "expired")


def _bonus_ends(events: pa.Table, how: str) -> pa.Table:
    rows = renamed(events, id="bonus_id", ended_amount="amount")
    return stamped(rows.append_column("ended_as", constant(events, how)), events, "ended")


@players.project(
    "BonusGranted", "BonusCompleted", "BonusExpired", into="players_bonus", key="id", newest_by=standing("whose")
)
def whose_bonuses(events: pa.Table) -> pa.Table:
    rows = renamed(events, id="bonus_id", **{name: name for name in (*WHOSE, "currency")})
    return stamped(rows, events, "whose")


@players.project("BonusUsed", into="players_bonususe", key="event_id", fact=True)
def bonus_uses(events: pa.Table) -> pa.Table:
    return events.select([*WHOSE, "bonus_id", "currency", "amount", "wagered", "bet_id", "round_id"])


@players.project("LoginSucceeded", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def login_window(events: pa.Table) -> pa.Table:
    return bucketed(events, "logins", TOPIC, key="succeeded")


@players.project("LoginFailed", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def failed_login_window(events: pa.Table) -> pa.Table:
    return bucketed(events, "logins", TOPIC, key="failed")


track_activity(players, ["LoginSucceeded", "SessionStarted"])
count_events(players, TOPICS[TOPIC].records)
