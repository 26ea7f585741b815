"""What a person can do about messages that cannot be sent: look at them, have them tried at once, or discard them."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Case, When

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from ..models import Outgoing

# More messages behind a held one than this are not counted one by one.
MANY = 10_000

_HELD = Outgoing.objects.filter(sent_at=None, discarded_at=None, held_since__isnull=False)


@dataclass(frozen=True)
class HeldKey:
    """The first message of a key that cannot be sent, and how many wait behind it (of the first 10,000)."""

    first: Outgoing
    behind: int


def held_keys(*, limit: int = 50) -> list[HeldKey]:
    """Those held longest first."""
    first = _HELD.filter(next_attempt_at__isnull=False).defer("value").order_by("held_since", "id")[:limit]
    return [HeldKey(row, _behind(row)) for row in first]


def _behind(row: Outgoing) -> int:
    return _HELD.filter(key_hash=row.key_hash)[: MANY + 1].count() - 1


def retry(number: int, *, now: datetime) -> None:
    """Have a held message tried with the relay's next round.

    Raises:
        Rejected: it is not held, or waits behind another one.
    """
    if not _HELD.filter(pk=number, next_attempt_at__isnull=False).update(next_attempt_at=now):
        raise Rejected(_why_not(number))


def discard(number: int, *, actor: Actor, reason: str, now: datetime) -> None:
    """Never send a held message; it stays in the table with the reason, and its key goes on with the next one.

    Raises:
        Rejected: it is not held (any more), or no reason is given.
    """
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the message.")
    turn = Case(When(next_attempt_at__isnull=False, then=now), default=None)
    with transaction.atomic():
        # Locked first: while the relay tries it, it is not known yet whether there is anything to discard.
        claimed = _HELD.filter(pk__in=_HELD.filter(pk=number).select_for_update().values_list("pk", flat=True))
        if not claimed.update(
            discarded_at=now, discarded_by=actor.id, discard_reason=reason, next_attempt_at=turn
        ):  # fmt: skip
            raise Rejected(_why_not(number))


def _why_not(number: int) -> str:
    row = Outgoing.objects.filter(pk=number).defer("value").first()
    if row is None:
        return f"There is no message {number} in the outbox; `outbox list` shows those that are held."
    if row.discarded_at is not None:
        return f"Message {number} was discarded by {row.discarded_by} already; nothing was done."
    if row.sent_at is not None:
        return f"Message {number} was sent at {row.sent_at:%Y-%m-%d %H:%M:%S} UTC; nothing was done."
    if row.held_since is not None:
        first = _HELD.filter(key_hash=row.key_hash).order_by("position", "id").values_list("pk", flat=True).first()
        return f"Message {number} waits behind message {first}, which is to be sent first; try that one."
    return f"Message {number} is not held; the relay sends it with its next rounds."
