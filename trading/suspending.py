"""What changes trading by decision: suspending the markets of a provider that sends what is bad, or nothing.

A provider that is released is believed in what it tells from then on. Each of its markets stays suspended until it is
told anew (`selectors.doubted_until`).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.db import transaction

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Poison, Retryable
from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable
from backoffice.live.bus import publish
from backoffice.streams.consume.halting.diverting import Letter
from backoffice.streams.database import Connection
from backoffice.streams.outbox.alerts import close_alert, raise_alert
from backoffice.streams.outbox.emitting import Executes, emit
from backoffice.streams.schemas import our_registry

from .models import ProviderSuspension
from .selectors import Unheard, doubted_until, heard_since, unheard_providers

PLATFORM = "platform"
SILENT = "provider_silent"
_UNTIL_TOLD = "Each of its markets stays suspended until it is told anew."
# Characters of a provider's name that the contract takes.
_LONGEST_NAME = next(field["max_length"] for field in schema("MarketUpdate")["fields"] if field["name"] == "provider")
_BAD_MESSAGES = ProviderSuspension.Cause.BAD_MESSAGES.value


class Providers:
    """The senders of `odds-feed`: while one is suspended, its open markets are shown as suspended."""

    def named(self, connection: Connection, letters: Sequence[Letter]) -> list[str]:
        """By the message's own word where it can be read; else by its key, which is the sport event's id.

        So too where no market can be of a provider of that name: markets that stand open are of another.
        """
        keys = [(letter.key or b"").decode(errors="replace").replace("\0", "") for letter in letters]
        rows = connection.execute("SELECT id, provider FROM trading_sportevent WHERE id = ANY(%s)", [keys]).fetchall()
        known = {str(event): str(provider) for event, provider in rows}
        own = map(self._in_its_own_words, letters)
        return [
            name if storable(name, _LONGEST_NAME) == name and name else known.get(key, name)
            for name, key in zip(own, keys, strict=True)
        ]

    def suspend(self, connection: Connection, names: Sequence[str], reason: str, now: datetime) -> None:
        for name in names:
            is_new = connection.execute(
                "INSERT INTO trading_providersuspension (provider, cause, reason, since, ended_by)"
                " VALUES (%s, %s, %s, %s, '') ON CONFLICT DO NOTHING",
                [name, _BAD_MESSAGES, reason, now],
            ).rowcount
            if is_new:
                _record("provider_suspended", name, PLATFORM, reason, now, over=connection)

    def release(self, connection: Connection, names: Sequence[str], by: str, now: datetime) -> None:
        # Whoever ends another suspension of theirs waits, so that the last one is seen to be the last.
        connection.execute(
            "SELECT FROM trading_providersuspension WHERE provider = ANY(%s) AND ended_at IS NULL"
            " ORDER BY id FOR UPDATE",
            [list(names)],
        )
        ended = connection.execute(
            "UPDATE trading_providersuspension SET ended_at = %s, ended_by = %s"
            " WHERE provider = ANY(%s) AND cause = %s AND ended_at IS NULL RETURNING provider",
            [now, by, list(names), _BAD_MESSAGES],
        ).fetchall()
        still = connection.execute(
            "SELECT provider FROM trading_providersuspension WHERE provider = ANY(%s) AND ended_at IS NULL",
            [list(names)],
        ).fetchall()
        for (name,) in set(ended) - set(still):
            told = f"Few of its messages are bad again. {_UNTIL_TOLD}"
            _record("provider_released", str(name), by, told, now, believed_since=now, over=connection)

    def changed(self) -> None:
        _tell_watchers()

    def _in_its_own_words(self, letter: Letter) -> str:
        try:
            schema_id, body = unframe(letter.value or b"")
            return str(decode(body, self._registry.writer(schema_id).schema).get("provider", ""))
        except (Poison, Retryable):
            return ""

    @cached_property
    def _registry(self) -> Registry:
        return our_registry()


def judge_silence(now: datetime) -> tuple[list[str], list[str]]:
    """Suspend the providers that are silent although they have open markets, and release those that are heard again.

    A feed suspends its markets when it ends; one that was killed cannot, so it is done where its updates are stored.
    Returns who was suspended and who was released.
    """
    with transaction.atomic():
        locked = ProviderSuspension.objects.filter(ended_at=None).order_by("pk").select_for_update()
        open_ones = [each for each in locked if each.cause == ProviderSuspension.Cause.SILENCE]
        heard = [each for each in open_ones if heard_since(each.provider, each.since)]
        for each in heard:
            _release(each, now)
        held = {each.provider for each in open_ones}
        silent = [each for each in unheard_providers(now) if each.provider not in held]
        suspended = [each.provider for each in silent if _suspend(each, now)]
    if suspended or heard:
        _tell_watchers()
    return suspended, [each.provider for each in heard]


def _suspend(silent: Unheard, now: datetime) -> bool:
    """False where another run was quicker."""
    reason = (
        f"Nothing was heard of {silent.provider} since {silent.heard_at:%Y-%m-%d %H:%M:%S} UTC; its limit is"
        f" {silent.limit.total_seconds():.0f} s. Its {silent.markets} open markets are suspended until it is heard"
        " again, and each of them until it is told anew."
    )
    alert_id = derived_id(SILENT, silent.provider, now.isoformat())
    _, is_new = ProviderSuspension.objects.get_or_create(
        provider=silent.provider, cause=ProviderSuspension.Cause.SILENCE, ended_at=None,
        defaults={"reason": reason, "since": now, "alert_id": alert_id},
    )  # fmt: skip
    if is_new:
        told = {"provider": silent.provider, "heard_at": silent.heard_at, "open_markets": silent.markets}
        raise_alert(SILENT, reason, evidence=told, alert_id=alert_id, now=now)
        _record("provider_suspended", silent.provider, PLATFORM, reason, now)
    return is_new


def _release(suspension: ProviderSuspension, now: datetime) -> None:
    suspension.ended_at, suspension.ended_by = now, PLATFORM
    suspension.save(update_fields=["ended_at", "ended_by"])
    told = f"{suspension.provider} is heard again. {_UNTIL_TOLD}"
    if suspension.alert_id is not None:
        close_alert(suspension.alert_id, SILENT, told, now=now)
    if not ProviderSuspension.objects.filter(provider=suspension.provider, ended_at=None).exists():
        believed_since = doubted_until()[suspension.provider]
        _record("provider_released", suspension.provider, PLATFORM, told, now, believed_since=believed_since)


def _tell_watchers() -> None:
    """Whoever watches prices reads them anew."""
    publish({"prices:*": None})


def _record(
    action: str, provider: str, by: str, reason: str, now: datetime, *, believed_since: datetime | None = None,
    over: Executes | None = None,
) -> None:  # fmt: skip
    """The decision as an event: whoever prices or takes bets follows the operator's actions.

    The details of a release say since when (the log's time) a market must have been told to be believed.
    """
    details = {} if believed_since is None else {"markets_believed_since": believed_since.isoformat()}
    event_id = str(derived_id(action, provider, now.isoformat()))
    event = {
        "event_id": event_id, "occurred_at": now, "brand": "all", "jurisdiction": settings.PLATFORM_JURISDICTION,
        "action_id": event_id, "actor": by[:128], "role": PLATFORM, "action": action, "subject_kind": "provider",
        "subject_id": provider[:128], "player_id": None, "reason": reason[:1000],
        "details": json.dumps(details),
    }  # fmt: skip
    emit("OperatorAction", event, key=provider, now=now, over=over)
