"""`manage.py rebuild <projection>`."""

import json
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backoffice.commands import INTERRUPTED, OperatorCommand
from backoffice.streams.schemas import our_registry
from backoffice.streams.tables.rebuild import rebuild

TELL_EVERY_SECONDS = 1.0


class Command(OperatorCommand):
    help = "Make the table of a projection anew from Kafka and swap it in while the streams go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("projection", help="its table, such as trading_bet")

    def handle(self, *, projection: str, **_: Any) -> None:
        table = projection.lower().replace(".", "_")
        self._table, self._began, self._told_at = table, time.monotonic(), 0.0
        try:
            with _ended_like_ctrl_c():
                read = rebuild(
                    table,
                    kafka=settings.KAFKA,
                    prefix=settings.KAFKA_TOPIC_PREFIX,
                    writers=our_registry(),
                    progress=self._progress,
                )
        except KeyboardInterrupt:
            raise CommandError(f"Ended; {table} is as it was.", returncode=INTERRUPTED) from None
        seconds = round(time.monotonic() - self._began, 1)
        self.stdout.write(json.dumps({"rebuilt": table, "messages": read, "seconds": seconds}))

    def _progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told_at < TELL_EVERY_SECONDS and done < total:
            return
        self._told_at = now
        left = (now - self._began) * (total - done) / done if done else 0.0
        self.stderr.write(f"{self._table}: {done / total:.0%} of {total:,} messages, {_span(left)} left")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: in order, leaving nothing behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
