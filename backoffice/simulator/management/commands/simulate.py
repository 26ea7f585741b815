"""``manage.py simulate``: a believable operator into Kafka, its history first where that is wanted."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import SystemClock, microseconds
from backoffice.kernel.stopping import stopping
from backoffice.simulator.arguments import count, moment, rate
from backoffice.simulator.durations import SECOND, duration
from backoffice.simulator.operator.beginning import Wanted, begin
from backoffice.simulator.operator.faults import parsed
from backoffice.simulator.operator.progress import Progress
from backoffice.simulator.operator.running import Time, come_back, run
from backoffice.simulator.operator.world import World
from backoffice.simulator.producing import RECORDS, CountingSender
from backoffice.streams.kafka.sending import schema_ids

MAX = "max"
MOST_HISTORY = 365 * 86_400 * SECOND


class Command(OperatorCommand):
    help = "Sends a believable operator's events to Kafka; the same seed and start give the same bytes."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--rate", type=rate, required=True, help="events a second of simulated time, on average")
        parser.add_argument("--seconds", type=_seconds, help="of simulated time (default: endless)")
        parser.add_argument("--players", type=count, help="how many there are (default: by the rate)")
        parser.add_argument("--speed", type=_speed, default=1.0, help="times as fast as the clock, or: max")
        parser.add_argument("--start", type=moment, help="an ISO time, or: now (default)")
        parser.add_argument("--backfill", type=_duration, help="history before the start, such as 30d; done once")
        parser.add_argument("--backfill-seconds", type=_seconds, default=120.0, help="what it may take, about")
        parser.add_argument("--state", type=Path, help="a file from which the next start goes on")
        parser.add_argument("--faults", default="", help="name[@start[+length]],…, such as provider_outage@2h+30m")

    def handle(self, **options: Any) -> None:
        with stopping() as stop:
            try:
                self._simulate(options, stop)
            except ValueError as reason:
                raise CommandError(str(reason)) from reason

    def _simulate(self, options: dict[str, Any], stop: Signal) -> None:
        time = _time(options)
        wanted = _wanted(options, time)
        sender = CountingSender(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX, stop)
        ids = schema_ids(Registry(settings.SCHEMA_REGISTRY_URL, settings.KAFKA_TOPIC_PREFIX), RECORDS, stop)
        if not ids:
            return
        sender.wait_for_topics(TOPICS)
        progress = Progress(self.stdout, sender, time)
        world, is_new = begin(wanted, options["state"], self.stdout.write)
        if is_new or come_back(world, sender, ids, time, options["state"]):
            world.faults = wanted.faults
            run(world, sender, ids, time, wanted.rate, state=options["state"], stop=stop, told=progress.tell)
        self._conclude(world, sender)

    def _conclude(self, world: World, sender: CountingSender) -> None:
        sender.finish()
        totals = sender.totals
        told = {
            "events": totals.events,
            "garbage": totals.garbage,
            "seconds": round(totals.seconds, 3),
            "players": len(world.players),
            "until": datetime.fromtimestamp(world.now // SECOND, UTC).isoformat(),
            "per_topic": dict(sorted(totals.per_topic.items())),
        }
        self.stdout.write(json.dumps(told))
        if sender.undelivered:
            raise CommandError(f"{sender.undelivered} messages are not in Kafka; look at its log.")


def _time(options: dict[str, Any]) -> Time:
    clock = SystemClock()
    began = microseconds(clock.now())
    start: datetime | None = options["start"]
    first = microseconds(start) if start else began
    seconds: float | None = options["seconds"]
    end = first + round(seconds * SECOND) if seconds else None
    if options["speed"] is None and end is None and start is None:
        raise ValueError("--speed max goes on for ever without --seconds, and leaves the clock behind; say --seconds")
    return Time(clock, first, began, options["speed"], end, is_exact=start is not None)


def _wanted(options: dict[str, Any], time: Time) -> Wanted:
    return Wanted(
        seed=options["seed"],
        rate=options["rate"],
        players=options["players"],
        start=time.start,
        history=options["backfill"] or 0,
        history_seconds=options["backfill_seconds"],
        faults=parsed(options["faults"], time.start),
    )


def _speed(text: str) -> float | None:
    """None for as fast as possible."""
    if text == MAX:
        return None
    speed = float(text)
    if not 0 < speed <= 100_000:
        raise ArgumentTypeError("a speed is above 0 and at most 100000, or: max")
    return speed


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise ArgumentTypeError("seconds are above 0")
    return seconds


def _duration(text: str) -> int:
    try:
        span = duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if not 0 < span <= MOST_HISTORY:
        raise ArgumentTypeError("a history is above 0 and at most 365d: older months have no partitions")
    return span
