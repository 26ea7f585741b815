"""What a run tells of itself: a bar on a terminal while history is laid down, plain lines otherwise."""

import time as wall
from typing import Any

from backoffice.simulator.operator.running import Time
from backoffice.simulator.operator.world import World
from backoffice.simulator.producing import CountingSender

_EVERY_SECONDS = 10.0
_BAR_EVERY_SECONDS = 0.2
_WIDTH = 40


class Progress:
    """``out`` is a stream with ``write``, ``flush`` and ``isatty``."""

    def __init__(self, out: Any, sender: CountingSender, time: Time) -> None:
        self._out = out
        self._sender = sender
        self._time = time
        self._is_terminal = out.isatty()
        self._first: int | None = None
        self._told = self._began = wall.monotonic()
        self._events = 0

    def tell(self, world: World) -> None:
        """Called after each slice; writes when it is time."""
        self._first = world.now if self._first is None else self._first
        is_history = world.now < self._time.start
        now = wall.monotonic()
        wait = _BAR_EVERY_SECONDS if is_history and self._is_terminal else _EVERY_SECONDS
        if now - self._told < wait and not (is_history and world.planned >= self._time.start):
            return
        events = self._sender.totals.events
        rate = (events - self._events) / max(now - self._told, 0.001)
        self._told, self._events = now, events
        line = self._history(world, rate) if is_history else f"{events:,} events, {rate:,.0f} events/s"
        self._out.write(line, ending="" if is_history and self._is_terminal else "\n")
        self._out.flush()

    def _history(self, world: World, rate: float) -> str:
        first = self._first or 0
        share = min((world.now - first) / max(self._time.start - first, 1), 1.0)
        told = f"history {share:4.0%}, {self._sender.totals.events:,} events, {rate:,.0f} events/s"
        if not self._is_terminal:
            return told
        done = round(share * _WIDTH)
        return f"\r[{'#' * done}{'.' * (_WIDTH - done)}] {told}   "
