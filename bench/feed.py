"""FEED: recorded exchange messages from their files into books, on one core.

Counted is processor time over all recordings in the folder of recorded data, unzipping and reading included: as bytes
that are decoded and folded, then also told as market updates, then also as events in the form of their contract.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from backoffice.contracts.codec import encode
from backoffice.kernel.clock import FixedClock
from bench.figures import Figures
from trading.feeds.providers.betfair.adapter import Betfair
from trading.feeds.providers.betfair.stream import Stream
from trading.feeds.providers.betfair.wire import read
from trading.feeds.publishing import RECORD
from trading.feeds.recording import lines
from trading.feeds.stamping import Stamp


def recordings() -> list[Path]:
    """Empty where there are none: they are no part of the project."""
    return sorted((settings.RECORDED_DATA / "betfair").glob("1.*.ndjson.gz"))


def run(figures: Figures, *, quick: bool) -> None:
    files, repetitions = recordings(), 1 if quick else 7
    if not files:
        print("FEED  no recordings; PITBOSS_DATA names the folder that holds betfair/", flush=True)
        return
    turns: dict[str, Callable[[Path], int]] = {
        "messages decoded and folded": _fold,
        "messages to market updates": _tell,
        "messages to encoded events": _encode,
    }
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    count = 0
    for _ in range(repetitions):
        for name, turn in turns.items():
            began = time.process_time()
            count = sum(turn(file) for file in files)
            seconds[name].append(time.process_time() - began)
    for name, times in seconds.items():
        figures.rate("FEED", name, count, times, "msg/s·core", at_least=20_000 if turns[name] is _fold else None)


def _fold(file: Path) -> int:
    stream, count = Stream(), 0
    for count, message in enumerate(lines(file), 1):  # noqa: B007 - the last one is how many there are
        stream.fold(read(message))
    return count


def _tell(file: Path) -> int:
    adapter = Betfair()
    return sum(1 for message in lines(file) if adapter.take(message))


def _encode(file: Path) -> int:
    adapter, stamp = Betfair(), Stamp(FixedClock(datetime.now(UTC)), "MT")
    return sum(
        1
        for message in lines(file)
        if [encode(RECORD, stamp.event(update)) for update in adapter.take(message).updates]
    )
