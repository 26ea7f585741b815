"""One alert that months could not be made, until all of them are there."""

from datetime import datetime

from django.db import transaction

from ..models import ClockedJob
from ..outbox.alerts import close_alert, raise_alert
from .partitions import NotMade

ALERT = "partitions_not_made"
# Whose alert it is.
JOB = "streams.make_partitions"


def tell_not_made(reason: NotMade, now: datetime) -> None:
    """Unless an alert stands open that told of it on another night."""
    with transaction.atomic():
        ClockedJob.objects.get_or_create(name=JOB, defaults={"known_since": now})
        job = ClockedJob.objects.select_for_update().get(name=JOB)
        if job.alert_id is not None:
            return
        job.alert_id = raise_alert(
            ALERT,
            f"Months could not be made ({reason}). Their rows lie in the default partition until they are; it is tried"
            " again tomorrow, or at once with `manage.py partitions`. The alert is closed when all are there.",
            now=now,
        )
        job.save(update_fields=["alert_id"])


def end_not_made(now: datetime) -> None:
    """All that were missing are made now, whoever made them."""
    with transaction.atomic():
        for job in ClockedJob.objects.select_for_update().filter(name=JOB, alert_id__isnull=False):
            if job.alert_id is not None:
                close_alert(job.alert_id, ALERT, "All months are there.", now=now)
            job.alert_id = None
            job.save(update_fields=["alert_id"])
