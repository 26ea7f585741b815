"""Which event made a row of state what it is: the newest one, whatever order they came in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.definitions import schema

from .differences import Difference, Findings
from .reading import Event, Events
from .wants import FOLDED, Want, differing, shown

STALE = "the row is not as the newest event says."
_STATUS = ("status_at", "status_event")
_MINUTE = 60_000_000  # microseconds
_VERSION = ("version", "version_at", "version_event")


@dataclass(frozen=True)
class State:
    """Columns of ``table`` that the newest of these records sets; ``columns`` map a column to its field.

    ``each`` names a list of the event whose elements make a row each. ``constants`` are values by record.
    """

    name: str
    records: tuple[str, ...]
    table: str
    key: dict[str, str]
    by: tuple[str, ...]
    columns: dict[str, str]
    each: str = ""
    constants: tuple[tuple[str, str, str], ...] = ()


def _same(names: str) -> dict[str, str]:
    return {name: name for name in names.split()}


_PAYMENTS = {
    f"{record}{outcome}": (direction, outcome.lower())
    for direction, record, outcomes in (
        ("deposit", "Deposit", ("Initiated", "Completed", "Declined")),
        ("withdrawal", "Withdrawal", ("Requested", "Reversed", "Declined", "Paid")),
    )
    for outcome in outcomes
}
_SEEN = ("LoginSucceeded", "SessionStarted", "DepositCompleted", "RoundCompleted", "BetPlaced")

STATES: tuple[State, ...] = (
    State(
        "registration", ("PlayerRegistered",), "players_player", {"id": "player_id"},
        ("registered_at", "registered_event"),
        _same("country currency birth_year_band channel language affiliate marketing_consent email phone first_name"
              " last_name birth_date street city postcode"),
    ),
    State("player_status", ("PlayerStatusChanged",), "players_player", {"id": "player_id"}, _STATUS,
          _same("status") | {"status_reason": "reason"}),
    State("verification", ("PlayerVerified",), "players_player", {"id": "player_id"},
          ("verification_at", "verification_event"), _same("verification")),
    State("session_start", ("SessionStarted",), "players_session", {"id": "session_id"},
          ("started_at", "started_event"), _same("player_id channel country device_id ip")),
    State("session_end", ("SessionEnded",), "players_session", {"id": "session_id"}, ("ended_at", "ended_event"),
          {"end_reason": "reason"}),
    State("document", ("DocumentSubmitted",), "players_document", {"id": "document_id"}, _STATUS,
          _same("player_id kind status country expires_on size_bytes sha256")),
    State("bonus_grant", ("BonusGranted",), "players_bonus", {"id": "bonus_id"}, ("granted_at", "granted_event"),
          _same("player_id campaign kind amount spins wagering_thousandths expires_at")),
    State("bonus_end", ("BonusCompleted", "BonusExpired"), "players_bonus", {"id": "bonus_id"},
          ("ended_at", "ended_event"), {"ended_amount": "amount"},
          constants=(("BonusCompleted", "ended_as", "completed"), ("BonusExpired", "ended_as", "expired"))),
    State("payment", tuple(_PAYMENTS), "wallet_payment", {"id": "payment_id"}, _STATUS,
          _same("player_id method provider instrument_id currency amount"),
          constants=tuple((record, column, value) for record, two in _PAYMENTS.items()
                          for column, value in zip(("direction", "status"), two, strict=True))),
    State("alert", ("ComplianceAlert",), "compliance_alert", {"id": "alert_id"}, _STATUS,
          _same("player_id kind severity queue status rule rule_version summary evidence")),
    State("sport_event", ("MarketUpdate",), "trading_sportevent", {"id": "sport_event_id"}, ("seen_at", "seen_event"),
          _same("provider sport competition starts_at") | {"name": "event_name"}),
    State("market", ("MarketUpdate",), "trading_market", {"id": "market_id"}, _VERSION,
          _same("sport_event_id provider line status is_in_play bet_delay winners currency traded_volume")
          | {"type": "market_type", "name": "market_name"}),
    State("outcome", ("MarketUpdate",), "trading_outcome", _same("market_id outcome_id"), _VERSION,
          _same("name status back_odds back_size lay_odds lay_size last_odds"), each="outcomes"),
    State("offer", ("MarketPrice",), "trading_offer", _same("market_id"), _VERSION,
          _same("sport_event_id status is_in_play margin_ppm method")),
    State("price", ("MarketPrice",), "trading_price", _same("market_id outcome_id"), _VERSION,
          _same("odds probability_ppm"), each="prices"),
    State("activity", _SEEN, "metrics_activity", _same("player_id"), ("minute",), {}),
)  # fmt: skip


class StateCheck:
    """Folds events to the newest of each row, and compares that with the table at the end."""

    def __init__(self, state: State, topic: str) -> None:
        self.state = state
        self.topic = topic
        constant = tuple(dict.fromkeys(column for _, column, _ in state.constants))
        # Players are seen once for each topic, which is in the table's key, and to the minute.
        self._seen_in = (topic,) if state.name == "activity" else ()
        key = (*state.key, *("topic" for _ in self._seen_in))
        name = f"{state.name}_{topic.replace('-', '_')}"
        self.want = Want(name, state.table, key, (*state.columns, *constant), state.by)

    def take(self, record: str, events: Events) -> None:
        if record not in self.state.records:
            return
        constants = tuple(value for r, _, value in self.state.constants if r == record)
        ids = {field["name"] for field in schema(record)["fields"] if field.get("format") == "uuid"}
        keys, columns = tuple(self.state.key.values()), tuple(self.state.columns.values())
        versioned = "version" in self.state.by
        for event in events.bodies:
            at = event["occurred_at"] - (event["occurred_at"] % _MINUTE if self._seen_in else 0)
            by: tuple[Any, ...] = (at, event["event_id"].lower())[: len(self.state.by)]
            by = (event["version"], *by) if versioned else by
            for part in self._parts(event):
                key = tuple([part[k].lower() if k in ids else part[k] for k in keys])
                self.want.newest((*key, *self._seen_in), (*by, *[part[c] for c in columns], *constants))

    def _parts(self, event: Event) -> list[Event]:
        if not self.state.each:
            return [event]
        return [{"market_id": event["market_id"], **element} for element in event[self.state.each]]

    def flush(self, cursor: CursorWrapper) -> None:
        self.want.flush(cursor, at_least=FOLDED)

    def differences(self, cursor: CursorWrapper, findings: Findings, *, full: bool) -> Iterator[Difference]:
        self.want.flush(cursor)
        if not self.want.is_made:
            return
        listed, total = 0, 0
        hidden = frozenset(
            f["name"] for f in schema(self.state.records[0])["fields"] if f["classification"] == "personal"
        )
        for kafka, postgres, total in differing(cursor, self.want, full=full):  # noqa: B007 - the last one is used
            listed += 1
            yield shown("state", STALE, self.want, kafka, postgres, hidden, self.topic)
        findings.more("state", total - listed)
