"""What changes trading by decision: suspending the markets of a provider that cannot be believed."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from django.conf import settings

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Poison, Retryable
from backoffice.kernel.ids import derived_id
from backoffice.live.bus import publish
from backoffice.streams.consume.diverting import Letter
from backoffice.streams.database import Connection
from backoffice.streams.outbox.emitting import emit
from backoffice.streams.schemas import our_registry

PLATFORM = "platform"


class Providers:
    """The senders of `odds-feed`: while one is suspended, its open markets are shown as suspended."""

    def named(self, connection: Connection, letters: Sequence[Letter]) -> list[str]:
        """By the message's own word where it can be read; else by its key, which is the sport event's id."""
        keys = [(letter.key or b"").decode(errors="replace").replace("\0", "") for letter in letters]
        rows = connection.execute("SELECT id, provider FROM trading_sportevent WHERE id = ANY(%s)", [keys]).fetchall()
        known = {str(event): str(provider) for event, provider in rows}
        return [self._in_its_own_words(letter) or known.get(key, "") for letter, key in zip(letters, keys, strict=True)]

    def suspend(self, connection: Connection, names: Sequence[str], reason: str, now: datetime) -> None:
        for name in names:
            is_new = connection.execute(
                "INSERT INTO trading_providersuspension (provider, reason, since, ended_by) VALUES (%s, %s, %s, '')"
                " ON CONFLICT DO NOTHING",
                [name, reason, now],
            ).rowcount
            if is_new:
                _record(connection, "provider_suspended", name, PLATFORM, reason, now)

    def release(self, connection: Connection, names: Sequence[str], by: str, now: datetime) -> None:
        ended = connection.execute(
            "UPDATE trading_providersuspension SET ended_at = %s, ended_by = %s"
            " WHERE provider = ANY(%s) AND ended_at IS NULL RETURNING provider",
            [now, by, list(names)],
        ).fetchall()
        for (name,) in ended:
            _record(connection, "provider_released", str(name), by, "Few of its messages are bad again.", now)

    def changed(self) -> None:
        """Whoever watches prices reads them anew."""
        publish({"prices:*": None})

    def _in_its_own_words(self, letter: Letter) -> str:
        try:
            schema_id, body = unframe(letter.value or b"")
            return str(decode(body, self._registry.writer(schema_id).schema).get("provider", ""))
        except (Poison, Retryable):
            return ""

    @cached_property
    def _registry(self) -> Registry:
        return our_registry()


def _record(connection: Connection, action: str, provider: str, by: str, reason: str, now: datetime) -> None:
    """The decision as an event: whoever prices or takes bets follows the operator's actions."""
    event_id = str(derived_id(action, provider, now.isoformat()))
    event = {
        "event_id": event_id, "occurred_at": now, "brand": "all", "jurisdiction": settings.PLATFORM_JURISDICTION,
        "action_id": event_id, "actor": by[:128], "role": PLATFORM, "action": action, "subject_kind": "provider",
        "subject_id": provider[:128], "player_id": None, "reason": reason[:1000], "details": "{}",
    }  # fmt: skip
    emit("OperatorAction", event, key=provider, now=now, over=connection)
