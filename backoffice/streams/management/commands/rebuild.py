"""`manage.py rebuild <projection>`."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected, Retryable
from backoffice.streams.schemas import our_registry
from backoffice.streams.tables.rebuild import rebuild


class Command(BaseCommand):
    help = "Make the table of a projection anew from Kafka and swap it in while the streams go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("projection", help="its table, such as trading_bet")

    def handle(self, *, projection: str, **_: Any) -> None:
        began = time.monotonic()
        table = projection.lower().replace(".", "_")
        try:
            read = rebuild(
                table,
                kafka=settings.KAFKA,
                prefix=settings.KAFKA_TOPIC_PREFIX,
                writers=our_registry(),
                clock=SystemClock(),
                progress=self._progress,
            )
        except (Rejected, Retryable) as refused:
            raise CommandError(str(refused)) from refused
        seconds = round(time.monotonic() - began, 1)
        self.stdout.write(json.dumps({"rebuilt": table, "messages": read, "seconds": seconds}))

    def _progress(self, place: str, done: int, end: int) -> None:
        self.stderr.write(f"{place}: {done:,} of {end:,}")
