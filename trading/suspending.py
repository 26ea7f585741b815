"""What changes trading by decision: suspending the markets of a provider that sends what is bad, or nothing.

A provider that is released is believed in what it tells from then on. Each of its markets stays suspended until it is
told anew (`doubts.doubted_until`).
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
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Poison, Rejected, Retryable
from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable
from backoffice.live.bus import publish
from backoffice.streams.clocks import PostgresClock, furthest
from backoffice.streams.consume.halting.diverting import Letter
from backoffice.streams.database import Connection
from backoffice.streams.outbox.alerts import close_alert, raise_alert
from backoffice.streams.outbox.emitting import Executes, emit
from backoffice.streams.schemas import our_registry

from .doubts import NEVER, doubted_until
from .models import ProviderSuspension
from .selectors import Unheard, heard_since, unheard_providers

PLATFORM = "platform"
TOPIC = "odds-feed"
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
            _record("provider_released", str(name), by, told, now, believed_since=furthest(now), over=connection)

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
    Returns who was suspended and who was released. What it dates is never later than Postgres' clock has it.
    """
    at = min(now, PostgresClock().now())
    with transaction.atomic():
        _date_anew(at)
        locked = ProviderSuspension.objects.filter(ended_at=None).order_by("pk").select_for_update()
        open_ones = [each for each in locked if each.cause == ProviderSuspension.Cause.SILENCE]
        heard = [each for each in open_ones if heard_since(each.provider, each.since)]
        for each in heard:
            _release(each, at)
        held = {each.provider for each in open_ones}
        silent = [each for each in unheard_providers(now) if each.provider not in held]
        suspended = [each.provider for each in silent if _suspend(each, at)]
    if suspended or heard:
        _tell_watchers()
    return suspended, [each.provider for each in heard]


def _date_anew(now: datetime) -> None:
    """Moments that are still to come are of a clock that was ahead; until then no market would be believed."""
    ProviderSuspension.objects.filter(since__gt=furthest(now)).update(since=now)
    ProviderSuspension.objects.filter(ended_at__gt=furthest(now)).update(ended_at=now)


def release(provider: str, *, actor: Actor, reason: str, now: datetime) -> list[str]:
    """End what keeps a provider's markets suspended, whatever its causes, which are returned.

    Each market opens when it is told anew. One that is silent all the same is suspended with the next judgement.

    Raises:
        Rejected: no reason is given, or the provider is not suspended.
    """
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the act.")
    with transaction.atomic():
        held = ProviderSuspension.objects.filter(provider=provider, ended_at=None)
        ended = list(held.order_by("pk").select_for_update())
        if not ended:
            raise Rejected(f"{provider} is not suspended; `providers list` shows those that are.")
        for each in ended:
            _end(each, actor.id, f"Released by {actor.id}: {reason}", now)
        believed_since = doubted_until()[provider]
        _record("provider_released", provider, actor.id, reason, now, believed_since=believed_since, role=actor.role)
    _tell_watchers()
    return [each.cause for each in ended]


def _suspend(silent: Unheard, now: datetime) -> bool:
    """False where another run was quicker."""
    since = (
        "for as long as anybody knows" if silent.heard_at == NEVER else f"since {silent.heard_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    reason = (
        f"Nothing was heard of {silent.provider} {since}; its limit is"
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
    told = f"{suspension.provider} is heard again. {_UNTIL_TOLD}"
    _end(suspension, PLATFORM, told, now)
    if not ProviderSuspension.objects.filter(provider=suspension.provider, ended_at=None).exists():
        believed_since = doubted_until()[suspension.provider]
        _record("provider_released", suspension.provider, PLATFORM, told, now, believed_since=believed_since)


def _end(suspension: ProviderSuspension, by: str, told: str, now: datetime) -> None:
    suspension.ended_at, suspension.ended_by = now, by
    suspension.save(update_fields=["ended_at", "ended_by"])
    if suspension.alert_id is not None:
        close_alert(suspension.alert_id, SILENT, told, now=now)


def _tell_watchers() -> None:
    """Whoever watches prices reads them anew."""
    publish({"prices:*": None})


def _record(
    action: str, provider: str, by: str, reason: str, now: datetime, *, believed_since: datetime | None = None,
    over: Executes | None = None, role: str = PLATFORM,
) -> None:  # fmt: skip
    """The decision as an event: whoever prices or takes bets follows the operator's actions.

    The details of a release say since when (by Postgres' clock) a market must have been told to be believed.
    """
    details = {} if believed_since is None else {"markets_believed_since": believed_since.isoformat()}
    event_id = str(derived_id(action, provider, now.isoformat()))
    event = {
        "event_id": event_id, "occurred_at": now, "brand": "all", "jurisdiction": settings.PLATFORM_JURISDICTION,
        "action_id": event_id, "actor": by[:128], "role": role, "action": action, "subject_kind": "provider",
        "subject_id": provider[:128], "player_id": None, "reason": reason[:1000],
        "details": json.dumps(details),
    }  # fmt: skip
    emit("OperatorAction", event, key=provider, now=now, over=over)
