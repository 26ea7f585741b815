"""One alert for each kind of finding, however many there are: opened with the first, told again when there are twice as
many, closed with the last.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.db.models.functions import Greatest

from backoffice.kernel.ids import derived_id
from backoffice.streams.outbox.alerts import Severity, close_alert, raise_alert

from .differences import Difference
from .kinds import Kind, Weight
from .models import Finding, Rest

KIND = "reconcile_difference"
# So many are told one by one.
FIRST = 5
_SEVERITIES: dict[Weight, Severity] = {Weight.DIFFERENCE: "critical", Weight.WARNING: "high", Weight.KNOWN: "low"}


@contextmanager
def telling_of(kinds: Collection[Kind], now: datetime) -> Iterator[None]:
    """What is noted meanwhile, within the caller's transaction, is told: the first of a kind, and each time that there
    are twice as many.
    """
    before = {kind: (how_many(kind), _open_alert(kind)) for kind in kinds}
    yield
    for kind, (number, alert_id) in sorted(before.items()):
        _tell(kind, number, alert_id, now)


def alert_of(kind: Kind, now: datetime) -> UUID:
    """The alert of the kind that stands open, or the one that is to be opened now."""
    return _open_alert(kind) or derived_id("reconcile alert", *kind, now.isoformat())


def how_many(kind: Kind) -> int:
    """Stand open, those included that are not noted one by one."""
    return _findings(kind).count() + number_of(_rests(kind))


def number_of(rests: QuerySet[Rest]) -> int:
    """About how many they are; one of which nobody knows is one."""
    found: int | None = rests.aggregate(number=Sum(Greatest("number", 1)))["number"]
    return found or 0


def close_over(alerts: Collection[UUID], why: str, now: datetime) -> None:
    """Close those of the alerts nothing of which stands open any more."""
    still = set(Finding.objects.filter(alert_id__in=alerts, ended_at=None).values_list("alert_id", flat=True))
    of_rests = set(Rest.objects.filter(alert_id__in=alerts).values_list("alert_id", flat=True))
    for alert_id in sorted(set(alerts) - still - of_rests):
        close_alert(alert_id, KIND, why, now=now)


def _open_alert(kind: Kind) -> UUID | None:
    of_findings = _findings(kind).order_by("first_seen_at", "id").values_list("alert_id", flat=True)
    return of_findings.first() or _rests(kind).exclude(alert_id=None).values_list("alert_id", flat=True).first()


def _findings(kind: Kind) -> QuerySet[Finding]:
    return Finding.objects.filter(
        ended_at=None, difference__weight=kind.weight, difference__stream=kind.stream, difference__topic=kind.topic,
        difference__check=kind.check,
    )  # fmt: skip


def _rests(kind: Kind) -> QuerySet[Rest]:
    return Rest.objects.filter(weight=kind.weight, stream=kind.stream, topic=kind.topic, fault=kind.check)


def _tell(kind: Kind, before: int, told: UUID | None, now: datetime) -> None:
    """``told`` is the alert that stood open before, whatever it tells of is still there."""
    number, alert_id = how_many(kind), _open_alert(kind)
    if alert_id is None or number.bit_length() <= before.bit_length():
        return
    first = [one.difference for one in _findings(kind).order_by("first_seen_at", "id")[:FIRST]]
    raise_alert(
        KIND,
        _summary(kind, number, [Difference.from_json(dict(one)) for one in first]),
        rule=f"reconcile_{kind.check}",
        severity=_SEVERITIES[kind.weight],
        evidence=kind._asdict() | {"count": number, "first": first},
        alert_id=alert_id,
        is_known=alert_id == told,
        now=now,
    )


def _summary(kind: Kind, number: int, first: list[Difference]) -> str:
    about = " ".join(filter(None, (kind.stream, kind.topic)))
    shown = "; ".join(f"{one.place()}: {one.says}" for one in first)
    choice = f"--check {kind.check}" + (f" --topic {kind.topic}" if kind.topic else "")
    return f"{about}: {number:,} found by {kind.check}: {shown} See `manage.py findings list {choice}`."
