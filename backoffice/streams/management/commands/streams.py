"""`manage.py streams status|resume`."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.kernel.actor import Actor
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected
from backoffice.streams.consume import resuming
from backoffice.streams.models import Halt, Offset


class Command(BaseCommand):
    help = "How far each stream is, and letting a halted partition go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="stored offsets and halted partitions")
        resume = acts.add_parser("resume", help="let a halted partition go on where it stopped")
        resume.add_argument("stream")
        resume.add_argument("topic")
        resume.add_argument("partition", type=int)
        resume.add_argument("--by", default=getpass.getuser(), help="who does it")

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "status":
            self._status()
            return
        try:
            resuming.resume(
                stream=options["stream"],
                topic=options["topic"],
                partition=options["partition"],
                actor=Actor(options["by"], "operator"),
                now=SystemClock().now(),
            )
        except Rejected as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write("It goes on within seconds.")

    def _status(self) -> None:
        halted = {(h.stream, h.topic, h.partition): h for h in Halt.objects.filter(resumed_at=None)}
        for offset in Offset.objects.order_by("stream", "topic", "partition"):
            halt = halted.get((offset.stream, offset.topic, offset.partition))
            told = f"  HALTED since {halt.halted_at:%Y-%m-%d %H:%M:%S}: {halt.reason}" if halt else ""
            self.stdout.write(
                f"{offset.stream:<12}{offset.topic:<22}{offset.partition:>4}{offset.next:>14}"
                f"  {offset.updated_at:%Y-%m-%d %H:%M:%S}{told}"
            )
