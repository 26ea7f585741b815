"""What changes trading by decision: suspending the markets of a provider that sends what is bad, or nothing.

A provider that is released is believed in what it tells from then on. Each of its markets stays suspended until it is
told anew (`doubts.doubted_until`).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.db import connection as default_connection
from django.db import transaction

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.contracts.registry import Registry
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Poison, Rejected, Retryable
from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable
from backoffice.live.bus import publish
from backoffice.streams.clocks import furthest
from backoffice.streams.consume.halting.diverting import Letter, take_turn
from backoffice.streams.database import Connection, now_there
from backoffice.streams.outbox.alerts import close_alert, raise_alert
from backoffice.streams.outbox.emitting import Executes, emit
from backoffice.streams.schemas import our_registry

from .doubts import EVER, NEVER, doubted_until
from .models import ProviderSuspension
from .selectors import Unheard, heard_since, is_heard_by_now, unheard_providers

PLATFORM = "platform"
TOPIC = "odds-feed"
SILENT = "provider_silent"
_UNTIL_TOLD = "Each of its markets stays suspended until it is told anew."
# Characters of a provider's name that the contract takes.
_LONGEST_NAME = next(field["max_length"] for field in schema("MarketUpdate")["fields"] if field["name"] == "provider")
_BAD_MESSAGES = ProviderSuspension.Cause.BAD_MESSAGES.value
_SILENCE = ProviderSuspension.Cause.SILENCE.value


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
            _suspend(connection, name, _BAD_MESSAGES, reason, now)

    def release(self, connection: Connection, names: Sequence[str], by: str, now: datetime) -> None:
        told = f"Few of its messages are bad again. {_UNTIL_TOLD}"
        for name in names:
            _release(connection, name, [_BAD_MESSAGES], by, told, now)

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
    # Before the turn, for which lanes wait that suspend: all markets are looked at.
    unheard = unheard_providers(now)
    with transaction.atomic(), default_connection.wrap_database_errors:
        at = _take_turn(_session())
        _date_anew(at)
        held = dict(ProviderSuspension.objects.filter(ended_at=None, cause=_SILENCE).values_list("provider", "since"))
        heard = [provider for provider, since in held.items() if heard_since(provider, since)]
        for provider in heard:
            told = f"{provider} is heard again. {_UNTIL_TOLD}"
            _release(_session(), provider, [_SILENCE], PLATFORM, told, at)
        silent = [each for each in unheard if each.provider not in held and not is_heard_by_now(each, now)]
        suspended = [each.provider for each in silent if _suspend_silent(each, at)]
    if suspended or heard:
        _tell_watchers()
    return suspended, heard


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
    causes = ProviderSuspension.Cause.values
    with transaction.atomic(), default_connection.wrap_database_errors:
        at = max(now, _take_turn(_session()))
        ended = _release(_session(), provider, causes, actor.id, reason, at, role=actor.role)
        if not ended:
            raise Rejected(f"{provider} is not suspended; `providers list` shows those that are.")
    _tell_watchers()
    return ended


def _suspend_silent(silent: Unheard, now: datetime) -> bool:
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
    is_new = _suspend(_session(), silent.provider, _SILENCE, reason, now, alert_id)
    if is_new:
        told = {"provider": silent.provider, "heard_at": silent.heard_at, "open_markets": silent.markets}
        raise_alert(SILENT, reason, evidence=told, alert_id=alert_id, now=now)
    return is_new


def _session() -> Connection:
    """The one of Django's open transaction."""
    found: Connection = default_connection.connection
    return found


def _suspend(
    connection: Connection, provider: str, cause: str, reason: str, now: datetime, alert_id: UUID | None = None
) -> bool:
    """False where it is suspended for this cause already."""
    now = max(now, _take_turn(connection))
    is_new = connection.execute(
        "INSERT INTO trading_providersuspension (provider, cause, reason, since, ended_by, alert_id)"
        " VALUES (%s, %s, %s, %s, '', %s) ON CONFLICT DO NOTHING",
        [provider, cause, reason, now, alert_id],
    ).rowcount
    if is_new:
        _record("provider_suspended", provider, PLATFORM, reason, now, over=connection)
    return bool(is_new)


def _release(
    connection: Connection, provider: str, causes: Sequence[str], by: str, told: str, now: datetime, *,
    role: str = PLATFORM,
) -> list[str]:  # fmt: skip
    """End what it is suspended for of these causes, which are returned; with the last one it is believed again.

    The turn is the caller's, and ``now`` is of it.
    """
    ended = connection.execute(
        "UPDATE trading_providersuspension SET ended_at = %s, ended_by = %s"
        " WHERE provider = %s AND cause = ANY(%s) AND ended_at IS NULL RETURNING cause, alert_id",
        [now, by, provider, list(causes)],
    ).fetchall()
    for _, alert_id in ended:
        if alert_id is not None:
            close_alert(alert_id, SILENT, f"Released by {by}: {told}", now=now, over=connection)
    until = doubted_until(connection).get(provider, EVER)
    if ended and until < EVER:
        _record("provider_released", provider, by, told, now, believed_since=until, over=connection, role=role)
    return [str(cause) for cause, _ in ended]


def _take_turn(connection: Connection) -> datetime:
    """One transaction after another: a release sees whatever was begun before it, and is told after it.

    Returns from which moment the turn is ours, by Postgres' clock: what is decided in it is dated by no earlier one.
    """
    take_turn(connection, TOPIC)
    return now_there(connection)


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
