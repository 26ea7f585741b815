"""What a person can do about findings that stand open: look at them, and accept one that nobody can judge any more."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from backoffice.kernel import locks
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from .models import Finding
from .telling import end_accepted


def open_ones() -> Iterator[Finding]:
    """Those that stand open, the oldest first."""
    return Finding.objects.filter(ended_at=None).order_by("first_seen_at", "id").iterator()


def accept(number: UUID, *, actor: Actor, reason: str, now: datetime) -> Finding:
    """End a finding and its alert. A run that meets it again tells of it again: what is wrong is mended, not accepted.

    Waits for the step of a run that is under way, which may just be meeting it.

    Raises:
        Rejected: no such finding stands open, or no reason is given.
    """
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the finding.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.RECONCILE_STEP])
        finding = Finding.objects.filter(pk=number, ended_at=None).first()
        if finding is None:
            raise Rejected(f"No finding {number} stands open; `findings list` shows those that do.")
        end_accepted(finding, actor.id, reason, now)
    return finding
