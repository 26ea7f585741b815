"""``manage.py generate``: a made-up operator's events into Kafka."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.stopping import stopping
from backoffice.simulator.arguments import count, moment, rate
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import mixed
from backoffice.simulator.generator import PLAYERS, generate
from backoffice.simulator.pacing import AsFastAsPossible, AtRate
from backoffice.simulator.producing import RECORDS, CountingSender, Totals, produce
from backoffice.streams.kafka.sending import schema_ids

DEFAULT_START = "2026-01-01T00:00:00Z"


class Command(OperatorCommand):
    help = "Sends a made-up operator's events to Kafka; the same seed, start and rate give the same events."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--rate", type=rate, required=True, help="events a second, of real and of made-up time")
        parser.add_argument(
            "--max", action="store_true", help="as fast as possible; the rate is that of made-up time only"
        )
        parser.add_argument("--events", type=count, help="how many, bad messages not counted (default: endless)")
        parser.add_argument("--players", type=count, default=PLAYERS)
        parser.add_argument("--garbage", type=_share, default=0.0, help="share of bad messages, such as 0.001")
        parser.add_argument(
            "--start", type=moment, default=DEFAULT_START, help="an ISO time, or: now (events in real time)"
        )

    def handle(self, **options: Any) -> None:
        with stopping() as stop:
            self._generate(options, stop)

    def _generate(self, options: dict[str, Any], stop: Signal) -> None:
        ids = schema_ids(Registry(settings.SCHEMA_REGISTRY_URL, settings.KAFKA_TOPIC_PREFIX), RECORDS, stop)
        if not ids:
            return
        sender = CountingSender(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX, stop, self._progress)
        messages = mixed(_events(options), options["garbage"], options["seed"], ids)
        produce(messages, sender, ids, AsFastAsPossible() if options["max"] else AtRate(options["rate"]), stop)
        self._conclude(sender)

    def _progress(self, totals: Totals) -> None:
        rate = totals.events / totals.seconds
        self.stdout.write(f"{totals.events:,} events, {totals.garbage:,} bad messages, {rate:,.0f} events/s")
        self.stdout.flush()

    def _conclude(self, sender: CountingSender) -> None:
        totals = sender.totals
        told = {
            "events": totals.events,
            "garbage": totals.garbage,
            "seconds": round(totals.seconds, 3),
            "per_topic": dict(sorted(totals.per_topic.items())),
        }
        self.stdout.write(json.dumps(told))
        self.stdout.flush()
        if sender.undelivered:
            raise CommandError(f"{sender.undelivered} messages are not in Kafka; look at its log.")


def _events(options: dict[str, Any]) -> Iterator[Event]:
    start: datetime | None = options["start"]
    return generate(
        options["seed"],
        start or datetime.now(UTC),
        options["events"],
        timedelta(seconds=1 / options["rate"]),
        players=options["players"],
        clock=None if start else SystemClock(),
    )


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share < 1:
        raise ArgumentTypeError("a share is at least 0 and below 1")
    return share
