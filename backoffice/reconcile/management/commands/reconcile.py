"""``manage.py reconcile``: one line of JSON; exit 0 when all agree, 1 when something differs, 2 when none can tell."""

import json
import sys
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.db import Error

from backoffice.commands import INTERRUPTED, OperatorCommand
from backoffice.kernel.errors import Retryable
from backoffice.reconcile.runs import progress
from backoffice.reconcile.runs.run import Busy, reconcile
from backoffice.reconcile.runs.running import silent
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.collation import must_be_fit_here

# A second process pays off from a few seconds' work on.
ALONE_UP_TO = 200_000
# None can tell whether all agree.
UNKNOWN = 2


class Command(OperatorCommand):
    help = "Compares Kafka with Postgres up to the stored offsets."
    requires_system_checks = []
    failed = UNKNOWN

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--full",
            action="store_true",
            help="everything since the first offset, not only what is new and a part of the rest; findings and progress"
            " go to stderr at once, and a run that was broken off is gone on with",
        )
        parser.add_argument("--anew", action="store_true", help="with --full: leave a run that was broken off")
        parser.add_argument("--status", action="store_true", help="how far the rounds through history are, and no run")

    def handle(self, *, full: bool, anew: bool = False, status: bool = False, **_: Any) -> None:
        if status:
            self._tell_status()
            return
        try:
            # What Postgres refuses or does not answer is told by the run, in its own words.
            with suppress(Error):
                must_be_fit_here()
            report = reconcile(
                full=full, anew=anew, clock=PostgresClock(), alone_up_to=ALONE_UP_TO, say=self._say if full else silent
            )
        except (Busy, Retryable) as away:
            self.stdout.write(json.dumps({"clean": None, "says": str(away)}))
            sys.exit(UNKNOWN)
        except KeyboardInterrupt:
            again = "`manage.py reconcile --full` goes on from here" if full else "the next run goes on from here"
            self.stdout.write(json.dumps({"clean": None, "says": f"Interrupted; {again}."}))
            sys.exit(INTERRUPTED)
        self.stdout.write(report.line())
        if not report.clean:
            sys.exit(UNKNOWN if report.clean is None else 1)

    def _say(self, line: str) -> None:
        self.stderr.write(line)

    def _tell_status(self) -> None:
        for line in progress.status(PostgresClock().now()):
            self.stdout.write(line)
