"""``manage.py reconcile``: one line of JSON; exit 0 when all agree, 1 when something differs, 2 when none can tell."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable
from backoffice.reconcile.run import Busy, reconcile

# A second process pays off from a few seconds' work on.
ALONE_UP_TO = 200_000


class Command(BaseCommand):
    help = "Compares Kafka with Postgres up to the stored offsets."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--full", action="store_true", help="everything since the first offset, not only what is new"
        )
        parser.add_argument(
            "--seed", type=int, help="which older slices are looked at again (default: another each run)"
        )

    def handle(self, *, full: bool, seed: int | None = None, **_: Any) -> None:
        try:
            report = reconcile(full=full, seed=seed, clock=SystemClock(), alone_up_to=ALONE_UP_TO)
        except (Busy, Retryable) as away:
            self.stdout.write(json.dumps({"clean": None, "says": str(away)}))
            sys.exit(2)
        self.stdout.write(report.line())
        if not report.clean:
            sys.exit(1)
