"""Tells others what was committed, once it is: the live pages hear of it this way.

    @after_commit
    def tell_of_bets(events: Events) -> None: ...

A listener gets the events of one committed transaction by record type, as the projections got them. It runs in a thread
of its own, beside the streams: what it does and how it fails never touches them. While it is slow, what was committed
meanwhile is not announced but counted, so a listener must be able to do without: it hints at what Postgres holds.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from functools import cache

import pyarrow as pa

from .. import telemetry

log = logging.getLogger(__name__)

Events = Mapping[str, pa.Table]
Listener = Callable[[Events], None]

# Batches wait here whole, so there is room for few.
ROOM = 4

_LISTENERS: list[Listener] = []


def after_commit(listener: Listener) -> Listener:
    _LISTENERS.append(listener)
    return listener


def announce(events: Events) -> None:
    """Hand the events of a committed transaction to the listeners; never waits and never fails."""
    if not _LISTENERS or not events:
        return
    try:
        _waiting().put_nowait(events)
    except queue.Full:
        telemetry.UNANNOUNCED.inc()


@cache
def _waiting() -> queue.Queue[Events]:
    """The queue of this process, with the thread that empties it; begun after a worker has forked."""
    waiting: queue.Queue[Events] = queue.Queue(ROOM)
    threading.Thread(target=_tell, args=(waiting,), name="announce", daemon=True).start()
    return waiting


def _tell(waiting: queue.Queue[Events]) -> None:
    while True:
        events = waiting.get()
        for listener in _LISTENERS:
            try:
                listener(events)
            except Exception:
                telemetry.UNANNOUNCED.inc()
                log.exception("a listener failed; the streams go on")
        # An idle worker must not hold on to its last batch.
        del events
