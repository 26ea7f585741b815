"""The broker of tasks. Whatever Redis says or holds, it costs jobs, and never the streams that a worker stores.

A worker of Celery ends with every error that is not one of a connection: a Redis that takes no writes, an entry of the
queue that is no JSON. Ours begins its consumer anew, and drops what is no task.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty
from typing import Any

import redis
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.transport import redis as transport
from kombu.transport import virtual
from prometheus_client import Counter

from backoffice.live.supervising import in_words

log = logging.getLogger(__name__)

DROPPED = Counter("pitboss_tasks_dropped_total", "Entries of the queue of tasks that are none, and were dropped.")
HALTS = Counter("pitboss_task_halts_total", "Times that a worker took no tasks, as Redis was away or refused.")

# What is said of Redis, and not of what it holds.
_OF_REDIS = (Empty, redis.RedisError, OSError)
LONGEST_SECONDS = 10.0
_LOOK_SECONDS = 0.1


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


class TaskConsumer(Consumer):
    """Takes tasks for as long as the worker lives: whatever ends it, it begins anew, with pauses that grow."""

    strategies: dict[str, Any]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Those after which it begins anew, by CELERY_BROKER_CHANNEL_ERROR_RETRY.
        self.channel_errors = (Exception,)
        self._failures = 0
        self._began_at = 0.0

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        self._pause(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        super().on_connection_error_after_connected(exc)
        self._pause(exc)

    def _pause(self, error: Exception) -> None:
        HALTS.inc()
        held_out = time.monotonic() - self._began_at > LONGEST_SECONDS
        self._failures = 1 if held_out else self._failures + 1
        seconds = min(2.0 ** (self._failures - 1), LONGEST_SECONDS)
        trace = None if isinstance(error, _OF_REDIS) else error
        log.error("jobs stand still, tried again in %g s: %s", seconds, in_words(error), exc_info=trace)
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
            except _OF_REDIS:
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
    except _OF_REDIS:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        _dropped(in_words(error))


def _dropped(why: str) -> None:
    DROPPED.inc()
    log.error("what is no task is dropped: %s", why)
