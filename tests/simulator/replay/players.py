"""What a player may do when: registration, sessions, status, exclusions, documents, payments, bonuses."""

from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]
_DAY = 86_400_000_000
_PLAY = ("BetPlaced", "RoundCompleted", "DepositInitiated", "LoginSucceeded", "BonusGranted")


@dataclass
class Player:
    head: tuple[str, str]
    currency: str
    status: str | None = None
    verification: str | None = None
    session: str | None = None
    session_started_at: int | None = None
    exclusion: Body | None = None
    bonus: Body | None = None
    limits: dict[str, Body] = field(default_factory=dict)


class Players:
    def __init__(self) -> None:
        self.by_id: dict[str, Player] = {}
        self._payments: dict[str, Body] = {}
        self._documents: dict[str, Body] = {}
        self._alerts: dict[str, str] = {}

    def see(self, record: str, body: Body) -> None:
        player_id = body.get("player_id")
        if record == "PlayerRegistered":
            assert player_id not in self.by_id
            self.by_id[body["player_id"]] = Player((body["brand"], body["jurisdiction"]), body["currency"])
            return
        if record == "ComplianceAlert":
            self._see_alert(body)
        if player_id is None:
            return
        player = self.by_id[player_id]
        self._check_common(player, record, body)
        see = getattr(self, f"_see_{record}", None)
        if see is not None:
            see(player, body)

    def _check_common(self, player: Player, record: str, body: Body) -> None:
        assert player.status != "closed"
        assert player.head == (body["brand"], body["jurisdiction"])
        assert body.get("currency", player.currency) == player.currency
        if record in _PLAY:
            assert player.status == "active"
            assert player.exclusion is None
        if "payment_id" in body:
            self._see_payment(record, body)

    def _see_PlayerStatusChanged(self, player: Player, body: Body) -> None:  # noqa: N802
        assert body.get("previous_status") == player.status
        player.status = body["status"]
        if player.status == "closed":
            assert player.session is None
            assert player.bonus is None

    def _see_PlayerVerified(self, player: Player, body: Body) -> None:  # noqa: N802
        assert body["verification"] != player.verification
        player.verification = body["verification"]

    def _see_LoginSucceeded(self, player: Player, body: Body) -> None:  # noqa: N802
        assert player.session is None
        player.session = body["session_id"]

    def _see_SessionStarted(self, player: Player, body: Body) -> None:  # noqa: N802
        assert (player.session, player.session_started_at) == (body["session_id"], None)
        player.session_started_at = body["occurred_at"]

    def _see_SessionEnded(self, player: Player, body: Body) -> None:  # noqa: N802
        assert player.session == body["session_id"]
        assert player.session_started_at is not None
        player.session = player.session_started_at = None

    def _see_SelfExclusionChanged(self, player: Player, body: Body) -> None:  # noqa: N802
        running, now = player.exclusion, body["occurred_at"]
        if body["status"] == "started":
            assert running is None
            assert player.session is None
            player.exclusion = body
            return
        assert running is not None
        same = ("exclusion_id", "kind", "scope", "starts_at", "ends_at")
        assert all(running.get(name) == body.get(name) for name in same)
        if body["status"] == "expired":
            assert body["ends_at"] <= now
        else:
            assert now - body["starts_at"] >= {"definite": _DAY, "indefinite": 7 * _DAY}[body["kind"]]
        player.exclusion = None

    def _see_LimitChanged(self, player: Player, body: Body) -> None:  # noqa: N802
        old = player.limits.get(body["kind"])
        level = body["minutes"] if body["kind"] == "session" else body["amount"]
        old_level = old and (old["minutes"] if body["kind"] == "session" else old["amount"])
        assert old is None or old["limit_id"] == body["limit_id"]
        is_looser = old_level is not None and (level is None or level > old_level)
        assert body["effective_at"] - body["occurred_at"] >= (_DAY - 1_000 if is_looser else -1_000)
        player.limits[body["kind"]] = body
        if level is None:
            del player.limits[body["kind"]]

    def _see_DocumentSubmitted(self, player: Player, body: Body) -> None:  # noqa: N802, ARG002
        if body["status"] == "submitted":
            assert body["document_id"] not in self._documents
            self._documents[body["document_id"]] = body
            return
        before = self._documents.pop(body["document_id"])
        assert all(before[name] == body[name] for name in ("player_id", "kind", "size_bytes", "sha256"))

    def _see_alert(self, body: Body) -> None:
        follows = {"assigned": "opened", "closed": "assigned"}
        assert self._alerts.get(body["alert_id"]) == follows.get(body["status"])
        self._alerts[body["alert_id"]] = body["status"]

    def _see_payment(self, record: str, body: Body) -> None:
        if record in ("DepositInitiated", "WithdrawalRequested"):
            assert body["payment_id"] not in self._payments
            self._payments[body["payment_id"]] = body | {"record": record}
            if record == "WithdrawalRequested":
                assert body["amount"] > 0
            return
        before = self._payments.pop(body["payment_id"])
        assert before["record"].startswith("Deposit") == record.startswith("Deposit")
        same = ("player_id", "amount", "currency", "method", "provider", "instrument_id")
        assert all(before[name] == body[name] for name in same)
        assert before["occurred_at"] < body["occurred_at"]

    def _see_BonusGranted(self, player: Player, body: Body) -> None:  # noqa: N802
        assert player.bonus is None
        assert (body["amount"] > 0) != (body["spins"] > 0)
        player.bonus = body | {"wagered": 0, "spins_used": 0}

    def _see_BonusUsed(self, player: Player, body: Body) -> None:  # noqa: N802
        bonus = self._running(player, body)
        assert body["occurred_at"] < bonus["expires_at"]
        assert (body.get("bet_id") is None) != (body.get("round_id") is None)
        assert body["amount"] <= body["wagered"]
        bonus["wagered"] += body["wagered"]
        if not body["wagered"]:
            bonus["spins_used"] += 1
            assert bonus["spins_used"] <= bonus["spins"]

    def _see_BonusCompleted(self, player: Player, body: Body) -> None:  # noqa: N802
        bonus = self._running(player, body)
        assert bonus["wagered"] >= bonus["amount"] * bonus["wagering_thousandths"] // 1_000
        player.bonus = None

    def _see_BonusExpired(self, player: Player, body: Body) -> None:  # noqa: N802
        bonus = self._running(player, body)
        assert body["reason"] != "time is over" or bonus["expires_at"] <= body["occurred_at"]
        player.bonus = None

    def _running(self, player: Player, body: Body) -> Body:
        assert player.bonus is not None
        assert player.bonus["bonus_id"] == body["bonus_id"]
        return player.bonus
