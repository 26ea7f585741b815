"""A recording, message by message, through its adapter and the gate to whoever publishes."""

import logging
from collections.abc import Iterable, Iterator
from itertools import count
from threading import Event as Signal
from typing import Protocol

from .adapter import Adapter, Malformed, Taken, Update
from .counting import Totals
from .gate import Gate
from .pacing import Pace
from .silence import Watch

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where updates go; a ``Publisher`` is one."""

    def start(self, provider_time: int) -> None:
        """What is published from now on begins at this moment of the provider's clock (milliseconds)."""

    def publish(self, updates: Iterable[Update]) -> None:
        """Take the updates."""

    def serve(self) -> None:
        """Do what is due while there is nothing to publish."""


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
        self._watch = Watch()
        self._is_skipping = from_in_play
        self.is_started = False

    def run(self, lines: Iterator[bytes], stop: Signal) -> None:
        """To the end of the lines, or until ``stop`` is set.

        However it ends, by an error too, it leaves no market open: nobody would suspend it.
        """
        try:
            for taken in self._taken(lines):
                if self._is_skipping:
                    self._skip(taken, stop)
                else:
                    self._tell(taken, stop)
                if stop.is_set():
                    break
        finally:
            if self.is_started:
                self._sink.publish(self._gate.end())

    def _taken(self, lines: Iterator[bytes]) -> Iterator[Taken]:
        """What the messages say, in their order; empty lines are nothing."""
        for number in count(1):
            try:
                line = next(lines)
                if not line:
                    continue
                taken = self._read(line)
            except StopIteration:
                return
            except Malformed as damage:
                taken = Taken(None, refused=str(damage), doubted=damage.markets)
            self._totals.take(number, taken)
            yield taken

    def _read(self, line: bytes) -> Taken:
        """The adapter's answer. An error that nobody foresaw is the message's fault too, and nothing is sure then."""
        try:
            return self._adapter.take(line)
        except Exception as fault:
            log.exception("the adapter has a fault; report it with the message")
            return Taken(None, refused=f"the adapter has a fault: {type(fault).__name__}", doubted=None)

    def _skip(self, taken: Taken, stop: Signal) -> None:
        updates = self._gate.let_through(taken)
        if taken.at is not None:
            self._gone_at(taken, taken.at)
        if self._watch.last is not None and any(update["is_in_play"] for update in updates):
            self._is_skipping = False
            self._wait(self._watch.last, stop)
            self._sink.publish(self._gate.all())

    def _tell(self, taken: Taken, stop: Signal) -> None:
        """Publish what the message says as soon as it is due, and before that the silence that it ends."""
        if taken.at is not None:
            gone_at = self._gone_at(taken, taken.at)
            if gone_at is not None:
                self._totals.trouble("silences")
                if self._wait(gone_at, stop):
                    self._sink.publish(self._gate.shut())
            if not self._wait(taken.at, stop):
                return
        self._sink.publish(self._gate.let_through(taken))

    def _gone_at(self, taken: Taken, at: int) -> int | None:
        """When the provider was known to be gone before this message."""
        before = self._watch.backwards
        gone_at = self._watch.hear(at, taken.heartbeat, is_heartbeat=taken.is_heartbeat)
        self._totals.trouble("backwards", self._watch.backwards - before)
        return gone_at

    def _wait(self, at: int, stop: Signal) -> bool:
        """Wait for a moment of the recording; whether it came."""
        if not self.is_started:
            self.is_started = True
            self._sink.start(at)
        return self._pace.wait(at, stop, self._sink.serve)
