"""What a person can do about findings that stand open: look at them, accept those that nobody can judge any more."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from backoffice.kernel import locks
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from .models import Finding
from .telling import end_accepted


def open_ones(most: int) -> tuple[list[Finding], int]:
    """Those that stand open, the oldest first, at most so many; and how many there are."""
    found = Finding.objects.filter(ended_at=None)
    return list(found.order_by("first_seen_at", "id")[:most]), found.count()


def accept(numbers: Sequence[UUID], *, actor: Actor, reason: str, now: datetime) -> list[Finding]:
    """End findings and their alerts, all or none. A run that meets one again tells of it again: what is wrong is
    mended, not accepted.

    Waits for the step of a run that is under way, which may just be meeting one.

    Raises:
        Rejected: one of these does not stand open, or no reason is given.
    """
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the finding.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.RECONCILE_STEP])
        found = Finding.objects.filter(ended_at=None).in_bulk(numbers)
        if missing := [str(number) for number in numbers if number not in found]:
            raise Rejected(f"Nothing was accepted: no finding {', '.join(missing)} stands open; see `findings list`.")
        for finding in found.values():
            end_accepted(finding, actor.id, reason, now)
    return list(found.values())
