"""The whole replay: every rule over every event, in order."""

from typing import Any
from uuid import UUID

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.definitions import schema
from backoffice.simulator.events.envelope import Event
from tests.simulator.replay.bets import Bets
from tests.simulator.replay.ledger import Ledger
from tests.simulator.replay.players import Players
from wallet.reconciled import PLAYERS_OWN

# An act that the end of the stream cuts off leaves at most this much undone.
_CUT_OFF = 2


class Replay:
    def __init__(self) -> None:
        self.ledger = Ledger()
        self.players = Players()
        self.bets = Bets(self.players)
        self.seen: set[str] = set()
        self.count = 0
        self._latest = 0
        self._ids: set[str] = set()

    def see(self, event: Event) -> None:
        body: dict[str, Any] = event.body
        try:
            self._check_envelope(event, body)
            self.players.see(event.record, body)
            self.bets.see(event.record, body)
            self.ledger.see(event.record, body)
            self._check_bonus_sum(event.record, body)
            self._check_closing(event.record, body)
        except (AssertionError, KeyError) as fault:
            raise AssertionError(f"event {self.count}, {event.record} {body}: {fault}") from fault
        self.seen.add(event.record)
        self.count += 1

    def conclude(self) -> None:
        """What must hold at the end: nothing owed but for the act that was cut off, and the book adds up."""
        assert len(self.bets.owed) <= _CUT_OFF
        assert sum(self.ledger.balances.values()) == 0
        missing = sum(total for (record, _), total in self.bets.owed.items() if record.startswith("Stake"))
        stakes = self.bets.open_stakes()
        for player_id, player in self.players.by_id.items():
            assert abs(self.ledger.of("open_bets", player_id, player.currency) - stakes[player_id]) <= missing

    def _check_envelope(self, event: Event, body: dict[str, Any]) -> None:
        assert body["occurred_at"] > self._latest
        self._latest = body["occurred_at"]
        assert body["event_id"] not in self._ids
        self._ids.add(body["event_id"])
        assert UUID(body["event_id"]).int >> 80 == body["occurred_at"] // 1_000
        key = schema(event.record).get("message_key", TOPICS[topic_of(event.record)].key)
        assert event.key == (body.get(key) or body["brand"])

    def _check_bonus_sum(self, record: str, body: dict[str, Any]) -> None:
        """A bonus ends with all its money, and what is said of it is what the wallet has."""
        if record in ("BonusCompleted", "BonusExpired"):
            assert body["amount"] == self.ledger.of("bonus", body["player_id"], body["currency"])

    def _check_closing(self, record: str, body: dict[str, Any]) -> None:
        """Who leaves takes everything along; a sum that the wallet and the player see differently would show here."""
        if record == "PlayerStatusChanged" and body["status"] == "closed":
            currency = self.players.by_id[body["player_id"]].currency
            for kind in PLAYERS_OWN:
                assert self.ledger.of(kind, body["player_id"], currency) == 0
