"""The broker of tasks. Whatever Redis says or holds, it costs jobs, and never the streams that a worker stores.

A worker of Celery ends with every error that is not one of a connection: a Redis that takes no writes, an entry of the
queue that is no JSON. Ours begins its consumer anew, and drops what is no task. And one of Celery's that waits for a
Redis which is frozen does not hear that it is to end; ours leaves it after seconds.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from celery.exceptions import WorkerShutdown
from celery.signals import worker_shutting_down
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.transport import redis as transport
from kombu.transport import virtual
from prometheus_client import Counter

from backoffice.live.supervising import in_words
from backoffice.standstill import LONGEST_SECONDS, OF_REDIS, Standstill

log = logging.getLogger(__name__)

DROPPED = Counter("pitboss_tasks_dropped_total", "Entries of the queue of tasks that are none, and were dropped.")
HALTS = Counter("pitboss_task_halts_total", "Times that a worker took no tasks, as Redis was away or refused.")

_LOOK_SECONDS = 0.1
# For how long Redis may keep a worker that is to end: until that is heard, and where it gives back what it took.
HEARD_SECONDS = 2.0
LEAVE_SECONDS = 3.0
# Nobody reads what workers tell each other of themselves: the thread that hears signals would wait for Redis with it.
_ALONE = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True, "task_events": False}


class Channel(transport.Channel):
    """Goes on behind an entry that is none: Redis has given it away, it does not come again."""

    def _brpop_read(self, **options: Any) -> bool:
        with _dropping():
            return bool(super()._brpop_read(**options))  # type: ignore[misc]
        return True

    def _receive(self) -> bool:
        with _dropping():
            return bool(super()._receive())  # type: ignore[misc]
        return True

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Nothing of a job that ended after it was closed: its message was put back, or comes again in an hour."""
        if not self.closed:
            super().basic_ack(delivery_tag, multiple)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not self.closed:
            super().basic_reject(delivery_tag, requeue)

    def close(self) -> None:
        """Its connections end with it, although Redis forbids it to put its things away."""
        try:
            super().close()
        except redis.RedisError:
            self._disconnect_pools()  # type: ignore[attr-defined]
            self._close_clients()  # type: ignore[attr-defined]
            with suppress(redis.RedisError):
                virtual.Channel.close(self)


class Transport(transport.Transport):
    Channel = Channel


class Overdue(WorkerShutdown):
    """What is no Exception passes all that would try again."""


class TaskConsumer(Consumer):
    """Takes tasks for as long as the worker lives: whatever ends it, it begins anew, with pauses that grow."""

    strategies: dict[str, Any]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | _ALONE)
        # Those after which it begins anew, by CELERY_BROKER_CHANNEL_ERROR_RETRY.
        self.channel_errors = (Exception,)
        self._standstill = Standstill("jobs stand still")
        self._began_at = 0.0
        self._answered = True

    def start(self) -> None:
        """Takes tasks until the worker is to end; where it waits for Redis then, some seconds longer."""
        signal.signal(signal.SIGALRM, _overdue)
        worker_shutting_down.connect(_be_heard)
        try:
            super().start()
        finally:
            worker_shutting_down.disconnect(_be_heard)
            _alarm(0)

    def stop(self) -> None:
        self._end(super().stop)

    def shutdown(self) -> None:
        self._end(super().shutdown)

    def _end(self, end: Callable[[], None]) -> None:
        """Nothing where Redis did not answer before: all that would be ended is between it and us."""
        if not self._answered:
            return
        try:
            with _limited():
                end()
        except Overdue:
            self._answered = False
            # Its channels would ask once more when Python ends.
            Channel.do_restore = False
            log.warning("not waited for any longer: Redis; jobs that were taken and are not done come again in an hour")

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        self._pause(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        super().on_connection_error_after_connected(exc)
        self._pause(exc)

    def _pause(self, error: Exception) -> None:
        HALTS.inc()
        if time.monotonic() - self._began_at > LONGEST_SECONDS:
            self._standstill.over()
        seconds = self._standstill.met(error)
        again_at = time.monotonic() + seconds
        while time.monotonic() < again_at:
            maybe_shutdown()
            time.sleep(_LOOK_SECONDS)
        self._began_at = time.monotonic()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        handle = super().create_task_handler(*args, **options)

        def on_task_received(message: Any) -> None:
            try:
                if _is_known(message, self.strategies):
                    _check(message.payload)
                handle(message)
            except OF_REDIS:
                raise
            except Exception as error:  # noqa: BLE001 - it is counted and told, and would end the worker
                self._drop(message, in_words(error))

        return on_task_received

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002
        self._drop(message, "it names no task")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        self._drop(message, f"there is no task {exc}")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        self._drop(message, in_words(exc))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self._drop(message, in_words(exc))

    def _drop(self, message: Any, why: str) -> None:
        _dropped(why)
        if not message.acknowledged:
            message.reject()


def _be_heard(**_: Any) -> None:
    _alarm(HEARD_SECONDS)


def _alarm(seconds: float) -> None:
    """Raises Overdue in the main thread after so long, and each second from then on: what is cut may wait once more."""
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)


@contextmanager
def _limited() -> Iterator[None]:
    _alarm(LEAVE_SECONDS)
    try:
        yield
    finally:
        _alarm(0)


def _overdue(*_: Any) -> None:
    raise Overdue(0)


def _is_known(message: Any, known: dict[str, Any]) -> bool:
    return message.headers.get("task") in known


def _check(call: Any) -> None:
    """Raises what the task's thread would, in which nobody would hear it or acknowledge the message."""
    match call:
        case dict() | [list(), dict(), dict() | None]:
            pass
        case _:
            raise TypeError("its body is no call of a task")


@contextmanager
def _dropping() -> Iterator[None]:
    try:
        yield
    except redis.DataError as error:
        # Redis was not even asked: the entry's own tag is none.
        _dropped(in_words(error))
    except OF_REDIS:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        _dropped(in_words(error))


def _dropped(why: str) -> None:
    DROPPED.inc()
    log.error("what is no task is dropped: %s", why)
