"""Tells others what was committed, once it is: the live pages hear of it this way.

    @after_commit
    def tell_of_bets(events: Events) -> None: ...

A listener gets the events of one committed transaction by record type, as the projections got them. It runs in a thread
of its own, beside the streams: what it does and how it fails never touches them. While it is slow, what was committed
meanwhile is not announced but counted, and then it is told that it missed something. A listener that failed is told the
same. So it must be able to do without: it hints at what Postgres holds. While there is nothing to tell it is called now
and then, so that those it speaks to know that it still listens.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa

from .. import telemetry

log = logging.getLogger(__name__)

Events = Mapping[str, pa.Table]
Tell = Callable[[Events], None]

# Batches wait here whole, so there is room for few.
ROOM = 4
IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class Listener:
    """``told`` gets the events of each transaction; ``idle`` is called when there are none for a second.

    ``missed`` is called, before anything else is told, where events were not told or a listener failed on them.
    """

    told: Tell
    missed: Callable[[], None] | None = None
    idle: Callable[[], None] | None = None


_LISTENERS: list[Listener] = []


def after_commit(
    told: Tell, *, missed: Callable[[], None] | None = None, idle: Callable[[], None] | None = None
) -> Tell:
    _LISTENERS.append(Listener(told, missed, idle))
    return told


def announce(events: Events) -> None:
    """Hand the events of a committed transaction to the listeners; never waits and never fails."""
    if not _LISTENERS or not events:
        return
    waiting = _waiting()
    try:
        waiting.batches.put_nowait(events)
    except queue.Full:
        telemetry.UNANNOUNCED.inc()
        waiting.has_missed.set()


@dataclass(frozen=True)
class Waiting:
    """Batches that are to be told, and whether any could not wait with them."""

    batches: queue.Queue[Events] = field(default_factory=lambda: queue.Queue(ROOM))
    has_missed: threading.Event = field(default_factory=threading.Event)


@cache
def _waiting() -> Waiting:
    """Those of this process, with the thread that tells them; begun after a worker has forked."""
    waiting = Waiting()
    threading.Thread(target=_keep_telling, args=(waiting,), name="announce", daemon=True).start()
    return waiting


def _keep_telling(waiting: Waiting) -> None:
    while True:
        try:
            events = waiting.batches.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            events = {}
        has_missed = waiting.has_missed.is_set()
        waiting.has_missed.clear()
        for listener in _LISTENERS:
            try:
                _tell(listener, events, has_missed)
            except Exception:
                telemetry.UNANNOUNCED.inc()
                waiting.has_missed.set()
                log.exception("a listener failed; the streams go on")
        # An idle worker must not hold on to its last batch.
        del events


def _tell(listener: Listener, events: Events, has_missed: bool) -> None:
    if has_missed and listener.missed:
        listener.missed()
    if events:
        listener.told(events)
    elif listener.idle:
        listener.idle()
