"""A recording, message by message, through its adapter and the gate to whoever publishes."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from threading import Event as Signal
from typing import Protocol

from .adapter import Adapter, Malformed, Taken, Update
from .gate import Gate
from .pacing import Pace

# A provider that is not heard for two of its heartbeats is gone. Source: feeds-and-pricing.md §1.
SILENT_HEARTBEATS = 2
MOST_COMPLAINTS = 100

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where updates go; a ``Publisher`` is one."""

    def start(self, provider_time: int) -> None:
        """What is published from now on begins at this moment of the provider's clock (milliseconds)."""

    def publish(self, updates: Iterable[Update]) -> None:
        """Take the updates."""

    def serve(self) -> None:
        """Do what is due while there is nothing to publish."""


@dataclass
class Totals:
    """Messages read, those that were several changes in one, malformed ones, and silences of the provider."""

    messages: int = 0
    conflated: int = 0
    malformed: int = 0
    silences: int = 0

    def take(self, taken: Taken) -> Taken:
        self.messages += 1
        self.conflated += taken.is_conflated
        return taken

    def complain(self, line: int, reason: Malformed) -> None:
        """Count a malformed message and log it; a file full of them does not fill the log."""
        self.malformed += 1
        if self.malformed <= MOST_COMPLAINTS:
            log.warning("line %d is skipped: %s", line, reason)
        if self.malformed == MOST_COMPLAINTS:
            log.warning("further malformed messages are only counted")


class Play:
    """One run of a recording.

    With ``from_in_play`` what comes before the first market is in play is folded, but neither waited for nor published;
    the first thing told is then the whole state of every market.
    """

    def __init__(self, adapter: Adapter, sink: Sink, pace: Pace, totals: Totals, *, from_in_play: bool = False) -> None:
        self._adapter = adapter
        self._sink = sink
        self._pace = pace
        self._totals = totals
        self._gate = Gate()
        self._heard: int | None = None
        self._is_skipping = from_in_play
        self.is_started = False

    def run(self, lines: Iterator[bytes], stop: Signal) -> None:
        """To the end of the lines, or until ``stop`` is set. It leaves no market open: nobody would suspend it."""
        for taken in self._taken(lines):
            if self._is_skipping:
                self._skip(taken, stop)
            else:
                self._tell(taken, stop)
            if stop.is_set():
                break
        if self.is_started:
            self._sink.publish(self._gate.shut())

    def _taken(self, lines: Iterator[bytes]) -> Iterator[Taken]:
        """What the messages say, in their order; malformed ones are counted, empty lines are nothing."""
        for number in count(1):
            try:
                line = next(lines)
                if line:
                    yield self._totals.take(self._adapter.take(line))
            except StopIteration:
                return
            except Malformed as reason:
                self._totals.complain(number, reason)

    def _skip(self, taken: Taken, stop: Signal) -> None:
        updates = self._gate.let_through(taken)
        self._heard = taken.at or self._heard
        if self._heard is not None and any(update["is_in_play"] for update in updates):
            self._is_skipping = False
            self._wait(self._heard, stop)
            self._sink.publish(self._gate.all())

    def _tell(self, taken: Taken, stop: Signal) -> None:
        """Publish what the message says as soon as it is due, and before that the silence that it ends."""
        if taken.at is not None:
            self._keep_watch(taken.at, taken.heartbeat, stop)
            if not self._wait(taken.at, stop):
                return
        self._sink.publish(self._gate.let_through(taken))

    def _keep_watch(self, at: int, heartbeat: int | None, stop: Signal) -> None:
        """Suspend where nothing came for two heartbeats, at the moment when that was known.

        Without an agreed heartbeat (Betfair's historic files) silence means nothing: nobody promised to be heard.
        """
        before, self._heard = self._heard, at
        if before is None or heartbeat is None or at - before <= SILENT_HEARTBEATS * heartbeat:
            return
        self._totals.silences += 1
        if self._wait(before + SILENT_HEARTBEATS * heartbeat, stop):
            self._sink.publish(self._gate.shut())

    def _wait(self, at: int, stop: Signal) -> bool:
        """Wait for a moment of the recording; whether it came."""
        if not self.is_started:
            self.is_started = True
            self._sink.start(at)
        return self._pace.wait(at, stop, self._sink.serve)
