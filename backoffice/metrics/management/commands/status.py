"""`manage.py status`: what moves, what waits, what is wrong."""

import json
import threading
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.money import Money
from backoffice.metrics.status import Status, read_status


class Command(BaseCommand):
    help = "Events, lag, dead letters, GGR and active players of this moment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, help="again every so many seconds, until Ctrl-C")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--line", action="store_true", help="on one line")
        form.add_argument("--json", action="store_true", help="for machines, one object a line")

    def handle(self, *, every: float | None, line: bool, json: bool, **_: Any) -> None:
        admin, clock = AdminClient({**settings.KAFKA}), SystemClock()
        write = as_json if json else as_line if line else as_screen
        while True:
            try:
                self.stdout.write(write(read_status(clock.now(), admin, settings.KAFKA_TOPIC_PREFIX)))
            except (DatabaseError, KafkaException) as away:
                if every is None:
                    raise CommandError(f"The status cannot be read: {str(away).strip()}") from away
                self.stderr.write(f"The status cannot be read now: {str(away).strip()}")
            if every is None:
                return
            threading.Event().wait(every)


def as_json(status: Status) -> str:
    shown = asdict(status) | {"at": status.at.isoformat()}
    shown["ggr"] = [{"vertical": v, "currency": c, "amount": amount} for (v, c), amount in sorted(status.ggr.items())]
    return json.dumps(shown)


def as_line(status: Status) -> str:
    revenue = "  ".join(f"{vertical} {Money(amount, c)}" for (vertical, c), amount in _largest(status))
    wrong = f"  HALTED {', '.join(status.halted)}" if status.halted else ""
    return (
        f"{status.events_per_second:,.0f} events/s  lag {sum(status.lag.values()):,}"
        f"  dead letters {status.dead_letters:,}"
        f"  active players {sum(status.active_players.values()):,}  GGR 1 h: {revenue or 'none yet'}{wrong}"
    )


def as_screen(status: Status) -> str:
    rows = [
        ("At", f"{status.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("Events a second, last full minute", f"{status.events_per_second:,.1f}"),
        ("Open dead letters", f"{status.dead_letters:,}"),
        ("Halted partitions", ", ".join(status.halted) or "none"),
        *((f"Lag of {stream}", f"{lag:,}") for stream, lag in status.lag.items()),
        *((f"Active players, {place}", f"{count:,}") for place, count in sorted(status.active_players.items())),
        *(
            (f"GGR of {vertical}, last hour", str(Money(amount, c)))
            for (vertical, c), amount in sorted(status.ggr.items())
        ),
    ]
    return "\n".join(f"{name:<36}{value}" for name, value in rows)


def _largest(status: Status) -> list[tuple[tuple[str, str], int]]:
    """The few amounts that fit a line."""
    return sorted(status.ggr.items(), key=lambda item: -abs(item[1]))[:4]
