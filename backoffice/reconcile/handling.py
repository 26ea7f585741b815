"""What a person can do about findings that stand open: look at them, accept those that nobody can judge any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from backoffice.kernel import locks
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from . import rests
from .models import Finding, Rest
from .telling import end_accepted


@dataclass(frozen=True)
class Choice:
    """Of what stands open that which fits all that is given; of numbers only these, and nothing that is not noted.

    With ``only_rests`` nothing that is noted.
    """

    numbers: Sequence[UUID] = ()
    check: str = ""
    topic: str = ""
    only_rests: bool = False

    def __bool__(self) -> bool:
        return bool(self.numbers or self.check or self.topic)

    def findings(self) -> QuerySet[Finding]:
        given = {"pk__in": self.numbers, "difference__check": self.check, "difference__topic": self.topic}
        found = Finding.objects.filter(ended_at=None, **{name: value for name, value in given.items() if value})
        return found.none() if self.only_rests else found

    def rests(self) -> QuerySet[Rest]:
        given = {"fault": self.check, "topic": self.topic}
        found = Rest.objects.filter(**{name: value for name, value in given.items() if value})
        return found.none() if self.numbers else found


def open_ones(choice: Choice, most: int) -> tuple[list[Finding], int, list[Rest]]:
    """Those that stand open, the oldest first, at most so many; how many there are; and where there are more of them
    than are noted.
    """
    found = choice.findings()
    return list(found.order_by("first_seen_at", "id")[:most]), found.count(), list(choice.rests().order_by("place"))


def accept(choice: Choice, *, actor: Actor, reason: str, now: datetime) -> tuple[list[Finding], list[Rest]]:
    """End findings and their alerts, all or none. A run that meets one again tells of it again: what is wrong is
    mended, not accepted.

    Waits for the step of a run that is under way, which may just be meeting one.

    Raises:
        Rejected: nothing is chosen, one of the numbers does not stand open, or no reason is given.
    """
    if not reason.strip():
        raise Rejected("Say why; the reason stays with the finding.")
    if not choice:
        raise Rejected("Name findings, or choose by --check or --topic; `findings list` takes the same choice.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.RECONCILE_STEP])
        found, more = list(choice.findings()), list(choice.rests())
        known = {finding.pk for finding in found}
        if missing := [str(number) for number in choice.numbers if number not in known]:
            raise Rejected(f"Nothing was accepted: no finding {', '.join(missing)} stands open; see `findings list`.")
        if not found and not more:
            raise Rejected("Nothing that stands open fits the choice; nothing was accepted.")
        alerts = rests.drop(choice.rests())
        end_accepted(found, alerts, actor.id, reason, now)
    return found, more
