"""Kafka clients as the streams need them."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any
from weakref import ref

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from backoffice.kernel.errors import Retryable

from .knowing import LOOK_SECONDS, Looks, watched

log = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0

CLIENT = {
    "client.id": "pitboss",
    # Short enough to notice a broker that came back, long enough not to hammer one that did not.
    "reconnect.backoff.max.ms": "1000",
    "topic.metadata.refresh.interval.ms": "30000",
}
# A broker that is frozen holds its connections, and questions go to the one that was asked last: for as long as this
# all of the cluster seems to be silent. Not for whoever fetches: over a slow line an answer takes its time.
ASKS = CLIENT | {"socket.timeout.ms": "10000"}
# Whoever reads checks what is read: a batch that rotted on a disk is an error and not other messages.
CHECKED = {"check.crcs": "true"}
# Whoever reads does not see what a transaction took back, nor what it has not committed yet.
READS_COMMITTED = {"isolation.level": "read_committed"}
CONSUMER = (
    CLIENT
    | CHECKED
    | READS_COMMITTED
    | {
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        # Where a stored offset is gone from the log, a person decides; it is never skipped quietly.
        "auto.offset.reset": "error",
        "max.poll.interval.ms": "1800000",
        "queued.max.messages.kbytes": "65536",
        "queued.min.messages": "50000",
        "fetch.queue.backoff.ms": "5",
        "fetch.error.backoff.ms": "100",
    }
)
PRODUCER = CLIENT | {
    "enable.idempotence": "true",
    "acks": "all",
    "compression.type": "lz4",
    "linger.ms": "5",
    "partitioner": "murmur2_random",
    "delivery.timeout.ms": "120000",
}
# Told of the end of a log, a stream can pass what stands there without being a message.
TOLD_OF_ENDS = {"enable.partition.eof": "true"}
KIP_848 = {"group.protocol": "consumer"}
CLASSIC = {
    "group.protocol": "classic",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": "6000",
}


def admin_client(settings: Mapping[str, Any]) -> AdminClient:
    """A client of the cluster for questions; all who ask in this process share it."""
    return _shared(tuple(sorted(settings.items())))


def _admin_client(settings: tuple[tuple[str, Any], ...]) -> AdminClient:
    # Its log would repeat every failed connection; whoever asks tells of it.
    client = AdminClient({**ASKS, **watched(asks=True), **dict(settings), "log_level": 0})
    threading.Thread(target=_look_after, args=[ref(client)], name="kafka-questions", daemon=True).start()
    return client


def _none_yet() -> Callable[[tuple[tuple[str, Any], ...]], AdminClient]:
    return lru_cache(maxsize=2)(_admin_client)


_shared = _none_yet()
# In a fork a client has none of its threads: it gets no answer, and whoever ended it would wait for ever.
_left_alone: list[object] = []


def _begin_anew() -> None:
    global _shared  # noqa: PLW0603 - one for each process
    _left_alone.append(_shared)
    _shared = _none_yet()


os.register_at_fork(after_in_child=_begin_anew)


def _look_after(client: "ref[AdminClient]") -> None:
    """Poll it, which nobody else does, for as long as anybody has it. One that has forgotten its brokers gets no answer
    any more: whoever asks next has another, and what it was asked fails at once.
    """
    global _shared  # noqa: PLW0603 - one for each process
    while (there := client()) is not None:
        try:
            there.poll(LOOK_SECONDS)
        except BaseException as error:
            # Whatever it is: one that nobody looks after must not be the one that all ask.
            if not isinstance(error, Retryable):
                log.exception("Kafka's client for questions failed; another one is made")
            _shared = _none_yet()
            return
        del there


class WatchedConsumer(Consumer):
    """One whose consume and poll raise Retryable, again and again, where it has forgotten all brokers: make another.

    They do it behind the client's back: where a callback raises while messages are handed out, some of them stay
    with the client, and its close waits for these for ever.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._looks = Looks()
        super().__init__(dict(settings) | self._looks.settings())

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        messages = super().consume(num_messages, timeout)
        self._looks.must_know_one()
        return messages

    def poll(self, timeout: float = -1) -> Message | None:
        message = super().poll(timeout)
        self._looks.must_know_one()
        return message


def group_consumer(settings: dict[str, str], group: str) -> Consumer:
    """A consumer in a group, by the newest group protocol that the broker speaks."""
    protocol = KIP_848 if speaks_kip_848(settings) else CLASSIC
    return WatchedConsumer(CONSUMER | TOLD_OF_ENDS | protocol | settings | {"group.id": group})


def lone_consumer(settings: Mapping[str, Any], name: str, own: Mapping[str, Any] | None = None) -> Consumer:
    """A consumer in no group, which commits nothing: it is given partitions, and told of their ends.

    The client wants the name of a group all the same. ``own`` are settings that come before all others.
    """
    return WatchedConsumer(CONSUMER | TOLD_OF_ENDS | {"group.id": name} | dict(settings) | dict(own or {}))


def close_quietly(consumer: Consumer) -> None:
    """Whatever it has to say then: what was done with it is done.

    One that has lost its cluster may never get rid of its group: then it is left behind, so that another can take its
    place.
    """
    closing = threading.Thread(target=_close, args=[consumer], name="close-consumer", daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)
    if closing.is_alive():
        log.warning("A client of Kafka does not end in time; it is left behind")


def _close(consumer: Consumer) -> None:
    with suppress(KafkaException), whole_errors():
        consumer.close()


@contextmanager
def closing_quietly(consumer: Consumer) -> Iterator[Consumer]:
    """Closed so at the end of the block."""
    try:
        yield consumer
    finally:
        close_quietly(consumer)


def speaks_kip_848(settings: dict[str, str]) -> bool:
    """Whether the cluster's groups are kept by the new coordinator (Kafka 4.0 and later).

    No for who may not look: every broker still takes the classic protocol, unless it was forbidden.

    Raises:
        Retryable: it does not say.
    """
    brokers = admin_client(settings).list_topics(timeout=10).brokers
    if not brokers:
        raise Retryable("Kafka names no broker now.")
    resource = ConfigResource(ResourceType.BROKER, str(next(iter(brokers))))
    try:
        entries = admin_client(settings).describe_configs([resource])[resource].result(timeout=10)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            raise
        return False
    except TimeoutError as silence:
        raise Retryable("Kafka does not say in time which group protocol it speaks.") from silence
    protocols = entries.get("group.coordinator.rebalance.protocols")
    return protocols is None or "consumer" in protocols.value


def producer(settings: Mapping[str, Any]) -> Producer:
    """An idempotent producer: nothing lost, nothing doubled by its own retries, order kept in each partition.

    Where it has forgotten its brokers its poll and flush raise Retryable: it will send nothing any more.
    """
    return Producer(PRODUCER | watched() | dict(settings))


@contextmanager
def whole_errors() -> Iterator[None]:
    """What a client raises is a KafkaException.

    A client that goes no further may raise the KafkaError itself, which is no exception to Python (neither `except
    Exception` nor `except BaseException` catches it), or fail without saying why.
    """
    try:
        yield
    except KafkaError as error:  # type: ignore[misc]
        raise KafkaException(error) from None
    except SystemError as error:
        stopped = KafkaError(KafkaError._FATAL, "The client has stopped without saying why.", fatal=True)
        raise KafkaException(stopped) from error
