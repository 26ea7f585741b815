"""The Celery application, with the option that makes a worker store streams."""

import os

import click
from celery import Celery

from backoffice import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings.default())

app = Celery("backoffice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.user_options["worker"].add(
    click.Option(
        ("--streams",), help="Streams to store, by name and comma, or 'all'; 'outbox' relays outgoing messages."
    )
)
app.steps["worker"].add("backoffice.streams.step:StreamStep")
