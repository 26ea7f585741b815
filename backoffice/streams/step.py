"""The stream step of a Celery worker: `celery -A backoffice worker --streams trading,wallet`."""

import gc
import logging
import sys
import threading
import time
from functools import partial
from typing import Any

from celery import bootsteps
from confluent_kafka import KafkaException

from backoffice.kernel.errors import Rejected, Retryable

from . import sessions
from .clocks import WorkersClock
from .consume.lane import Lane, Limits
from .consume.reader import Reader
from .consume.sink import P, Sink
from .consume.skew import Skew
from .consume.watching.hidden import MetricsWatch
from .consume.watching.state import LaneState
from .consume.watching.watchdog import Watchdog
from .kafka.clients import group_consumer, whole_errors
from .outbox.relay import OUTBOX, Relay
from .patience import back_off
from .schemas import our_registry
from .serving import MetricsPort
from .store import announcing
from .store.projection import STREAMS
from .store.sink import TableSink

log = logging.getLogger(__name__)

GRACE_SECONDS = 9.0
COLLECT_AFTER = (100_000, 20, 100)
SWITCH_SECONDS = 0.0005


def lanes_of(names: list[str]) -> list[tuple[Lane, TableSink]]:
    """The lanes of the named streams with their sinks, one for each topic that a stream has projections for.

    Raises:
        Rejected: there is no stream of that name.
    """
    from django.conf import settings

    unknown = [name for name in names if name not in STREAMS]
    if unknown:
        raise Rejected(
            f"No stream is called {', '.join(unknown)}; there are {', '.join(sorted(STREAMS))} and {OUTBOX}."
        )
    registry = our_registry()
    clock, skew, limits = WorkersClock(), Skew(), Limits(**settings.STREAMS)
    return [
        (
            Lane(name, topic, settings.KAFKA_TOPIC_PREFIX, settings.KAFKA, limits, clock, skew),
            TableSink(STREAMS[name], topic, registry, clock),
        )
        for name in names
        for topic in STREAMS[name].topics()
    ]


def tune_interpreter() -> None:
    """Set Python up for threads that move batches of messages.

    A batch makes tens of thousands of objects and leaves no cycle; at the usual threshold (700) the collector of
    reference cycles goes through them again and again, and through all that was imported as well: 0.9 µs an event.
    What is there now, a few imports' litter with it, is left alone for ever.
    And a writer to whom Postgres has answered gets the interpreter from its reader after 0.5 ms instead of 5: it waits
    for it some ten times a batch.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


class LaneThread(threading.Thread):
    """Runs a lane; a fault nobody foresaw is logged and the lane begins anew, it never just goes silent."""

    def __init__(self, lane: Lane, sink: Sink[P], stopping: threading.Event) -> None:
        super().__init__(name=f"read-{lane.group}", daemon=True)
        self.lane = lane
        self.state = LaneState()
        connect_consumer = partial(group_consumer, lane.kafka, lane.group)
        self._begin = partial(Reader, lane, sink, stopping, connect_consumer, self.state)
        self._stopping = stopping

    def run(self) -> None:
        for _ in back_off(self._stopping):
            try:
                with whole_errors():
                    self._begin().run()
            except (Retryable, KafkaException) as error:
                log.warning("%s cannot start: %s", self.lane.group, error)
                self.state.reads(f"cannot start: {error}")
            except BaseException as error:
                # A panic of a Rust library is no Exception; a lane that ended with one would be silent for ever.
                log.exception("%s failed; it starts again from its stored offsets", self.lane.group)
                self.state.reads(f"failed: {type(error).__name__}")


class StreamStep(bootsteps.StartStopStep):
    """Starts the streams with the worker and ends them with it."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, streams: str | None = None, **options: Any) -> None:
        super().__init__(worker, **options)
        self.names = _names(streams)
        self.enabled = bool(self.names)
        self.stopping = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self, _: Any) -> None:
        from django.conf import settings

        self.stopping.clear()
        tune_interpreter()
        sessions.reuse()
        lanes = lanes_of([name for name in self.names if name != OUTBOX])
        running = [LaneThread(lane, sink, self.stopping) for lane, sink in lanes]
        watchdog = Watchdog([(thread.lane, thread.state) for thread in running], self.stopping)
        port = MetricsPort(settings.METRICS_PORT)
        self.threads = [*running, watchdog, MetricsWatch(port, self.stopping)]
        if OUTBOX in self.names:
            self.threads.append(Relay(self.stopping))
        for thread in self.threads:
            thread.start()
        log.info("streams: %s", ", ".join(thread.name for thread in self.threads))

    def stop(self, _: Any) -> None:
        self.stopping.set()
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in self.threads:
            thread.join(max(0.1, deadline - time.monotonic()))
            if thread.is_alive():
                log.error("%s did not end in time; what it held was not stored and will be read again", thread.name)
        announcing.finish()
        sessions.close()

    def terminate(self, parent: Any) -> None:
        self.stop(parent)


def _names(streams: str | None) -> list[str]:
    if not streams:
        return []
    if streams == "all":
        return [*sorted(STREAMS), OUTBOX]
    return [name.strip() for name in streams.split(",") if name.strip()]
