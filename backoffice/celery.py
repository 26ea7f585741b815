"""The Celery application, with the option that makes a worker store streams."""

import gc
import logging
import os
from logging.config import dictConfig
from typing import Any

import click
from celery import Celery, signals
from django.conf import settings as django_settings
from kombu.transport import TRANSPORT_ALIASES

from backoffice import settings

from .pool import TaskPool

log = logging.getLogger(__name__)

# Imports leave nothing to collect: at the usual threshold (700) a fifth of a start goes by in looking for it.
gc.set_threshold(50_000)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings.default())

# By these names, and not by CELERY_BROKER_TRANSPORT, which would stand in the addresses that logs show.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "backoffice.broker:Transport"))

app = Celery("backoffice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_configured(**_: Any) -> None:
    """Celery would set a level of its own (WARNING under ``--quiet``); LOG_LEVEL stands in the settings."""
    dictConfig(django_settings.LOGGING)


@signals.celeryd_after_setup.connect
def _with_our_pool(instance: Any, **_: Any) -> None:
    """What the command says of the pool stands before the settings."""
    if instance.pool_cls is not TaskPool:
        log.error(
            "--pool puts another pool in place of ours: jobs that hang keep the others from running. Leave it out."
        )


app.user_options["worker"].add(
    click.Option(
        ("--streams",), help="Streams to store, by name and comma, or 'all'; 'outbox' relays outgoing messages."
    )
)
app.steps["worker"].add("backoffice.streams.step:StreamStep")
