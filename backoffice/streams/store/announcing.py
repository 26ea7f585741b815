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
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from .. import telemetry

log = logging.getLogger(__name__)

Events = Mapping[str, pa.Table]
Tell = Callable[[Events], None]

# Batches wait here whole, so there is room for few.
ROOM = 4
IDLE_SECONDS = 1.0
FINISH_SECONDS = 1.0


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
    teller = _begun()
    if teller is None:
        telemetry.UNANNOUNCED.inc()
        return
    try:
        teller.batches.put_nowait(events)
    except queue.Full:
        telemetry.UNANNOUNCED.inc()
        teller.has_missed.set()


def _begun() -> "Teller | None":
    """None where no thread can be begun; noted before another lane can ask, for what it begins tells of that."""
    with _BEGINNING:
        try:
            return _teller()
        except RuntimeError as error:
            _untold.set()
            log.error("listeners are not told of a batch: %s; the next one tells them that they missed it", error)
            return None


def finish(seconds: float = FINISH_SECONDS) -> None:
    """Tell what waits and end the thread: this process commits nothing for now. A later batch begins a new one."""
    with _BEGINNING:
        if not _teller.cache_info().currsize:
            return
        ending = _teller()
        _teller.cache_clear()
    ending.finish(seconds)


class Teller(threading.Thread):
    """Tells the listeners; ``has_missed`` is set where batches could not wait with the others."""

    def __init__(self) -> None:
        super().__init__(name="announce", daemon=True)
        self.batches: queue.Queue[Events] = queue.Queue(ROOM)
        self.has_missed = threading.Event()
        if _untold.is_set():
            self.has_missed.set()
            _untold.clear()
        self._finishing = threading.Event()

    def run(self) -> None:
        while not (self._finishing.is_set() and self.batches.empty()):
            try:
                events = self.batches.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                events = {}
            self._tell(events)
            # An idle worker must not hold on to its last batch.
            del events

    def finish(self, seconds: float) -> None:
        self._finishing.set()
        with suppress(queue.Full):
            self.batches.put_nowait({})
        self.join(seconds)

    def _tell(self, events: Events) -> None:
        has_missed = self.has_missed.is_set()
        self.has_missed.clear()
        for listener in _LISTENERS:
            try:
                _tell(listener, events, has_missed)
            except BaseException:
                # A panic of a Rust library is no Exception, and would end the thread in silence.
                telemetry.UNANNOUNCED.inc()
                self.has_missed.set()
                log.exception("a listener failed; the streams go on")


# Lanes that commit their first batches at once begin one teller: of two, each would tell half, in any order.
_BEGINNING = threading.Lock()
# Where a batch came while no thread could be begun.
_untold = threading.Event()


@cache
def _teller() -> Teller:
    """The one of this process; begun after a worker has forked, and asked for by one thread at a time."""
    teller = Teller()
    teller.start()
    return teller


def _tell(listener: Listener, events: Events, has_missed: bool) -> None:
    if has_missed and listener.missed:
        listener.missed()
    if events:
        listener.told(events)
    elif listener.idle:
        listener.idle()
