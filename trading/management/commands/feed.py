"""``manage.py feed``: recorded odds of a provider into Kafka, in step with their own clock."""

import json
import logging
import math
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event as Signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected
from backoffice.kernel.stopping import stopping
from backoffice.kernel.text import storable
from backoffice.streams.kafka.sending import Sender, schema_ids
from backoffice.streams.schemas import our_registry
from trading.feeds import providers
from trading.feeds.adapter import Adapter, Malformed
from trading.feeds.counting import Totals
from trading.feeds.pacing import Pace
from trading.feeds.playing import Play
from trading.feeds.publishing import BEGINNING, RECORD, TOPIC, Publisher
from trading.feeds.recording import beside, lines
from trading.feeds.stamping import Stamp

AS_FAST_AS_POSSIBLE = "max"
FASTEST = 1_000_000

log = logging.getLogger(__name__)


class Command(OperatorCommand):
    help = (
        "Plays a provider's recorded messages into odds-feed; every play is newer than what is stored of an older one."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider", choices=providers.names())
        parser.add_argument("file", nargs="?", type=Path, help="newline JSON, plain or gzip")
        parser.add_argument(
            "--speed", type=_speed, default=1.0, help="1 is that of the recording (default), or any factor, or: max"
        )
        parser.add_argument("--loop", action="store_true", help="start over at the end")
        parser.add_argument("--from-in-play", action="store_true", help="begin where the first market turns in-play")
        parser.add_argument(
            "--subscription", type=_subscription, default="", metavar="NAME",
            help="which markets of the provider these are, where other feeds tell its other markets",
        )  # fmt: skip
        parser.add_argument(
            "--demo",
            action="store_true",
            help="play the provider's recording in the folder of recorded data for ever, from in-play on; "
            "end quietly where there is none",
        )

    def handle(self, **options: Any) -> None:
        if options["demo"]:
            options |= {"file": _demo(options["provider"]), "loop": True, "from_in_play": True}
            if options["file"] is None:
                return
        file: Path | None = options["file"]
        if file is None:
            raise CommandError("Which recording? Name a FILE, or give --demo.")
        with _reading(file, "name a recording that can"):
            file.open("rb").close()
        with stopping() as stop:
            self._feed(file, options, stop)

    def _feed(self, file: Path, options: dict[str, Any], stop: Signal) -> None:
        sender, totals = Sender(settings.KAFKA, settings.KAFKA_TOPIC_PREFIX, stop), Totals(options["provider"])
        publisher, began = _publisher(sender, options, stop), time.monotonic()
        if publisher is None:
            return
        try:
            self._play(file, options, publisher, totals, stop)
        finally:
            # However it ended: the last word on its markets is among what is not yet with Kafka.
            sender.finish()
            self._conclude(totals, publisher, time.monotonic() - began)
        if publisher.undelivered:
            raise CommandError(f"{publisher.undelivered} updates are not in Kafka; look at its log.")

    def _play(self, file: Path, options: dict[str, Any], publisher: Publisher, totals: Totals, stop: Signal) -> None:
        while not stop.is_set():
            adapter, pace = _adapter(options["provider"], file), Pace(options["speed"])
            play = Play(adapter, publisher, pace, totals, from_in_play=options["from_in_play"])
            play.run(_messages(file, "name a recording that can"), stop)
            if not (play.is_started or stop.is_set()):
                raise Rejected(_nothing_in(file, totals))
            if not options["loop"]:
                break

    def _conclude(self, totals: Totals, publisher: Publisher, seconds: float) -> None:
        told = {"updates": publisher.published, "undelivered": publisher.undelivered, "seconds": round(seconds, 3)}
        self.stdout.write(json.dumps(asdict(totals) | told))
        self.stdout.flush()


def _demo(provider: str) -> Path | None:
    file: Path = settings.RECORDED_DATA / providers.provider(provider).demo
    return file if file.is_file() else None


def _publisher(sender: Sender, options: dict[str, Any], stop: Signal) -> Publisher | None:
    """None when stopped before the servers answered."""
    ids = schema_ids(our_registry(), [RECORD, BEGINNING], stop)
    sender.wait_for_topics([TOPIC])
    stamp = Stamp(SystemClock(), settings.PLATFORM_JURISDICTION, options["subscription"])
    return Publisher(sender, ids, stamp, options["provider"]) if ids else None


def _adapter(provider: str, file: Path) -> Adapter:
    """A new one, which knows the names that lie beside the recording."""
    adapter = providers.provider(provider).adapter()
    with _reading(file.parent, "let our user look into it, for names may lie beside the recording"):
        documents = beside(file)
    for document in documents:
        try:
            for line in _messages(document, "put it right, or take it away from beside the recording"):
                adapter.learn(line)
        except Malformed as reason:
            log.warning("%s gives no names: %s", document.name, reason)
    return adapter


def _messages(file: Path, step: str) -> Iterator[bytes]:
    """Only what goes wrong with the file is laid to it: not what becomes of its messages."""
    with _reading(file, step):
        messages = lines(file)
    while True:
        with _reading(file, step):
            message = next(messages, None)
        if message is None:
            return
        yield message


@contextmanager
def _reading(file: Path, step: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Rejected(f"{file} cannot be read ({error.strerror}); {step}.") from error


def _nothing_in(file: Path, totals: Totals) -> str:
    if totals.messages:
        return f"No market of {file} turns in-play; play it without --from-in-play."
    return (
        f"{file} holds no message ({totals.malformed} lines are malformed); name a recording of the provider's stream."
    )


def _subscription(text: str) -> str:
    longest = next(field["max_length"] for field in schema(BEGINNING)["fields"] if field["name"] == "subscription")
    if storable(text, longest) != text:
        raise ArgumentTypeError(f"a name has at most {longest} characters, none of them NUL or half a surrogate pair")
    return text


def _speed(text: str) -> float:
    if text == AS_FAST_AS_POSSIBLE:
        return math.inf
    try:
        speed = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no number; give a factor such as 1 or 60, or: max") from error
    if not 0 < speed <= FASTEST:
        raise ArgumentTypeError(f"a factor is above 0 and at most {FASTEST:,}, or: max")
    return speed
