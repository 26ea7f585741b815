"""Who the player is, what the player may lose, and who talks to whom."""

from datetime import timedelta

from backoffice.kernel.clock import at_microseconds
from backoffice.simulator.accounts import Account, Exclusion, Limit
from backoffice.simulator.acts.sessions import end_session
from backoffice.simulator.brands import STAFF
from backoffice.simulator.durations import DAY
from backoffice.simulator.events import players
from backoffice.simulator.world import Document, World

_MOST_EXCLUDED = 0.1
_MOST_DOCUMENTS = 300
_AMOUNTS = (5_000, 10_000, 20_000, 50_000, 100_000)
_MINUTES = (30, 60, 120, 240)
_PERIODS = ("day", "week", "month")
_LIMIT_KINDS = ("deposit", "deposit", "loss", "stake", "session")
# How long an exclusion lasts at the least before it may be lifted, the cooling-off included; a time-out never is.
_COOLING_OFF = {"definite": DAY, "indefinite": 7 * DAY}
_TOPICS = ("payment", "bonus", "verification", "responsible gaming", "complaint", "game fault")
_OUTCOMES = ("answered", "limit set", "time-out offered", "passed on", "no answer")
_TRIGGERS = ("player request", "deposit escalation", "long session", "routine")
_DOCUMENTS = ("passport", "identity card", "utility bill", "bank statement")


def verify(world: World) -> None:
    account = world.accounts.draw(world.rng)
    if account is None:
        return
    if account.verification == "verified":
        if world.chance(0.98):
            return
        account.verification = "expired"
    elif account.verification in ("failed", "expired"):
        account.verification = "pending"
    else:
        account.verification = "verified" if world.chance(0.9) else "failed"
    emit_verification(world, account, world.rng.choice(("electronic", "document", "video")))


def change_limit(world: World) -> None:
    """A first or stricter limit acts at once, a looser one and the end of one after a day."""
    account = world.accounts.draw(world.rng)
    if account is None:
        return
    kind = world.rng.choice(_LIMIT_KINDS)
    old = account.limits.get(kind)
    if old is not None and world.chance(0.2):
        del account.limits[kind]
        _emit_limit(world, account, old, None, delay=DAY)
        return
    level = world.rng.choice(_MINUTES if kind == "session" else _AMOUNTS)
    new = Limit(old.id if old else world.new_id(), kind, old.period if old else world.rng.choice(_PERIODS), level)
    account.limits[kind] = new
    is_stricter = old is None or level <= old.level
    _emit_limit(world, account, new, level, delay=0 if is_stricter else DAY)


def exclude(world: World) -> None:
    """A player stays away; bounded, for exclusions last longer than most runs."""
    account = world.accounts.draw(world.rng)
    if account is None or account.exclusion or len(world.excluded) >= _MOST_EXCLUDED * world.players:
        return
    end_session(world, account, "self-exclusion")
    kind = world.rng.choice(("definite", "indefinite", "time_out", "time_out"))
    days = {"definite": world.rng.randrange(180, 1_800), "time_out": world.rng.randrange(2, 31)}.get(kind)
    account.exclusion = Exclusion(
        id=world.new_id(),
        kind=kind,
        scope=world.rng.choice(("brand", "licence")),
        starts_at=world.now,
        ends_at=None if days is None else world.now + days * DAY,
        reason="player request",
    )
    world.excluded.add(account)
    _emit_exclusion(world, account, account.exclusion, "started")


def end_exclusion(world: World) -> None:
    """Its time is over, or it is lifted on request after the cooling-off."""
    account = world.excluded.draw(world.rng)
    if account is None or account.exclusion is None:
        return
    exclusion = account.exclusion
    if exclusion.ends_at is not None and exclusion.ends_at <= world.now:
        status = "expired"
    elif exclusion.kind in _COOLING_OFF and exclusion.starts_at + _COOLING_OFF[exclusion.kind] <= world.now:
        status = "lifted"
    else:
        return
    account.exclusion = None
    world.excluded.discard(account)
    _emit_exclusion(world, account, exclusion, status)


def contact(world: World) -> None:
    account = world.accounts.draw(world.rng)
    if account is None:
        return
    rng = world.rng
    world.emit(
        players.player_contacted(
            world.head_of(account),
            player_id=account.id,
            contact_id=world.new_id(),
            channel=rng.choice(("email", "chat", "phone", "letter", "in_app")),
            direction=rng.choice(("in", "out")),
            topic=rng.choice(_TOPICS),
            trigger=rng.choice(_TRIGGERS),
            staff=rng.choice(STAFF),
            outcome=rng.choice(_OUTCOMES),
        )
    )


def submit_document(world: World) -> None:
    account = world.accounts.draw(world.rng)
    if account is None or len(world.documents) >= _MOST_DOCUMENTS:
        judge_document(world)
        return
    rng = world.rng
    size, digest = rng.randrange(50_000, 8_000_000), f"{rng.getrandbits(256):064x}"
    document = Document(world.new_id(), account, rng.choice(_DOCUMENTS), size, digest)
    account.open_items += 1
    world.documents.add(document)
    _emit_document(world, document, "submitted")


def judge_document(world: World) -> None:
    document = world.documents.draw(world.rng)
    if document is None:
        return
    world.documents.discard(document)
    document.account.open_items -= 1
    _emit_document(world, document, "accepted" if world.chance(0.75) else "rejected")


def emit_verification(world: World, account: Account, method: str) -> None:
    world.emit(
        players.player_verified(
            world.head_of(account),
            player_id=account.id,
            verification=account.verification,
            method=method,
            provider="identico",
        )
    )


def _emit_limit(world: World, account: Account, limit: Limit, level: int | None, delay: int) -> None:
    is_time = limit.kind == "session"
    world.emit(
        players.limit_changed(
            world.head_of(account),
            player_id=account.id,
            limit_id=limit.id,
            kind=limit.kind,
            period=limit.period,
            currency=account.currency,
            amount=None if is_time else level,
            minutes=level if is_time else None,
            effective_at=world.now + delay,
            set_by="player" if world.chance(0.9) else "operator",
        )
    )


def _emit_exclusion(world: World, account: Account, exclusion: Exclusion, status: str) -> None:
    world.emit(
        players.self_exclusion_changed(
            world.head_of(account),
            player_id=account.id,
            exclusion_id=exclusion.id,
            kind=exclusion.kind,
            status=status,
            scope=exclusion.scope,
            starts_at=exclusion.starts_at,
            ends_at=exclusion.ends_at,
            reason=exclusion.reason,
        )
    )


def _emit_document(world: World, document: Document, status: str) -> None:
    is_identity = document.kind in ("passport", "identity card")
    expiry = at_microseconds(world.now).date() + timedelta(days=900) if is_identity and status == "accepted" else None
    world.emit(
        players.document_submitted(
            world.head_of(document.account),
            player_id=document.account.id,
            document_id=document.id,
            kind=document.kind,
            status=status,
            country=document.account.country,
            expires_on=expiry,
            size_bytes=document.size_bytes,
            sha256=document.sha256,
        )
    )
