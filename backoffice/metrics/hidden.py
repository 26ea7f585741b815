"""Metrics that others do not see: of workers, as they say of themselves, and of this process."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from backoffice import metric_files
from backoffice.streams.consume.watching.hidden import GONE_SECONDS
from backoffice.streams.models import HiddenMetrics


def read_hidden() -> list[str]:
    """Of each worker that said so of late. One statement."""
    found = HiddenMetrics.objects.filter(seen_at__gt=Now() - timedelta(seconds=GONE_SECONDS))
    return [str(each) for each in found.order_by("host", "pid")]


def look_here() -> str:
    """Why this process, or one that starts now on its machine, cannot share what it counts; empty where it can."""
    folder = settings.METRICS_FOLDER
    return metric_files.alone() or ("" if folder is None else metric_files.lacks(folder, metric_files.FOR_ONE))
