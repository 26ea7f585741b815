"""`manage.py outbox list|retry|discard`."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.kernel.actor import Actor
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected
from backoffice.streams.outbox import handling


class Command(BaseCommand):
    help = "Look at messages that cannot be sent to Kafka, have them tried at once, or discard them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listing = acts.add_parser("list", help="the first held message of each key, those held longest first")
        listing.add_argument("--limit", type=int, default=50)
        acts.add_parser("retry", help="try at once").add_argument("numbers", type=int, nargs="+")
        discarding = acts.add_parser("discard", help="never send; its key goes on with the next one")
        discarding.add_argument("numbers", type=int, nargs="+")
        discarding.add_argument("--reason", required=True, help="why; it stays with the message")
        discarding.add_argument("--by", default=getpass.getuser(), help="who does it")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except Rejected as refused:
            raise CommandError(str(refused)) from refused

    def _list(self, options: dict[str, Any]) -> None:
        found = handling.held_keys(limit=options["limit"])
        for held in found:
            row = held.first
            self.stdout.write(
                f"{row.pk:>8}  since {row.held_since:%Y-%m-%d %H:%M:%S}  {row.record or 'bytes'} to {row.topic}"
                f"  {held.behind:,} behind it  {row.attempts} attempts, next {row.next_attempt_at:%H:%M:%S}"
                f"  {row.last_error}"
            )
        if not found:
            self.stdout.write("No message is held.")

    def _retry(self, options: dict[str, Any]) -> None:
        for number in options["numbers"]:
            handling.retry(number, now=SystemClock().now())
            self.stdout.write(f"{number}: is tried with the next round of the relay")

    def _discard(self, options: dict[str, Any]) -> None:
        actor = Actor(options["by"], "operator")
        for number in options["numbers"]:
            handling.discard(number, actor=actor, reason=options["reason"], now=SystemClock().now())
            self.stdout.write(f"{number}: discarded")
