"""The second stream for the workers: declared once all apps are there, like theirs."""

import os

from django.apps import AppConfig

VARIABLE = "CHAOS_SECOND"


class Chaos(AppConfig):
    """The variable has the records that the stream takes."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from .second import declare

        if records := os.environ.get(VARIABLE):
            declare(tuple(records.split(",")))
