"""What staff and rules do: accounts are frozen and freed, alerts opened, taken and closed."""

import json

from backoffice.simulator.accounts import Account
from backoffice.simulator.acts.sessions import end_session
from backoffice.simulator.brands import BRANDS, STAFF
from backoffice.simulator.events import operations, players
from backoffice.simulator.world import Alert, Rule, World

_MOST_RESTRICTED = 0.05
_MOST_ALERTS = 300
_BRAND_ALERT_SHARE = 0.1


_PLAYER_RULES = (
    Rule("structuring", "aml", "high", "Deposits just below the threshold."),
    Rule("shared_device", "fraud", "medium", "More than two accounts on one device."),
    Rule("deposit_escalation", "player_protection", "high", "Deposits far above the player's own baseline."),
    Rule("night_play", "player_protection", "low", "Play at unusual hours."),
    Rule("rapid_withdrawal", "aml", "critical", "Money moved through the account with hardly any play."),
)
_BRAND_RULES = (
    Rule("registrations_spike", "fraud", "medium", "Far more registrations than at this time of other days."),
    Rule("ggr_drop", "trading", "high", "Gross gaming revenue far below what is usual."),
)


def restrict(world: World) -> None:
    """Freeze or suspend an account; a person does it, for a reason."""
    account = world.accounts.draw(world.rng)
    if account is None or account.status != "active" or len(world.restricted) >= _MOST_RESTRICTED * world.players:
        return
    end_session(world, account, "account restricted")
    world.restricted.add(account)
    _set_status(world, account, world.rng.choice(("frozen", "suspended")), "identity in doubt")


def release(world: World) -> None:
    account = world.restricted.draw(world.rng)
    if account is not None:
        world.restricted.discard(account)
        _set_status(world, account, "active", "documents in order")


def open_alert(world: World) -> None:
    if len(world.alerts) >= _MOST_ALERTS:
        handle_alert(world)
        return
    alert = _brand_alert(world) if world.chance(_BRAND_ALERT_SHARE) else _player_alert(world)
    if alert is not None:
        world.alerts.add(alert)
        _emit_alert(world, alert)


def handle_alert(world: World) -> None:
    """An open alert finds an owner, an owned one its end."""
    alert = world.alerts.draw(world.rng)
    if alert is None:
        return
    alert.status = "assigned" if alert.status == "opened" else "closed"
    _emit_alert(world, alert)
    _emit_action(world, alert)
    if alert.status == "closed":
        world.alerts.discard(alert)
        if alert.account is not None:
            alert.account.open_items -= 1


def _set_status(world: World, account: Account, status: str, reason: str) -> None:
    previous, account.status = account.status, status
    actor = world.rng.choice(STAFF)
    world.emit(
        players.player_status_changed(
            world.head_of(account),
            player_id=account.id,
            status=status,
            previous_status=previous,
            reason=reason,
            actor=actor,
        )
    )
    world.emit(
        operations.operator_action(
            world.head_of(account),
            action_id=world.new_id(),
            actor=actor,
            role="compliance",
            action=f"player.{status}",
            subject_kind="player",
            subject_id=account.id,
            player_id=account.id,
            reason=reason,
            details=json.dumps({"status": [previous, status]}),
        )
    )


def _player_alert(world: World) -> Alert | None:
    account = world.accounts.draw(world.rng)
    if account is None:
        return None
    account.open_items += 1
    return Alert(world.new_id(), account, account.brand, account.jurisdiction, world.rng.choice(_PLAYER_RULES))


def _brand_alert(world: World) -> Alert:
    brand = world.rng.choice(BRANDS)
    return Alert(world.new_id(), None, brand.name, brand.jurisdiction, world.rng.choice(_BRAND_RULES))


def _emit_alert(world: World, alert: Alert) -> None:
    rule = alert.rule
    world.emit(
        operations.compliance_alert(
            world.head(alert.brand, alert.jurisdiction),
            alert_id=alert.id,
            player_id=alert.account.id if alert.account else None,
            kind=rule.kind,
            severity=rule.severity,
            queue=rule.queue,
            status=alert.status,
            rule=rule.kind,
            rule_version=1,
            summary=rule.summary,
            evidence=json.dumps({"observed": world.rng.randrange(10, 500), "threshold": 10}),
        )
    )


def _emit_action(world: World, alert: Alert) -> None:
    world.emit(
        operations.operator_action(
            world.head(alert.brand, alert.jurisdiction),
            action_id=world.new_id(),
            actor=world.rng.choice(STAFF),
            role="compliance",
            action=f"alert.{alert.status}",
            subject_kind="alert",
            subject_id=alert.id,
            player_id=alert.account.id if alert.account else None,
            reason="alert queue",
            details=json.dumps({"status": alert.status}),
        )
    )
