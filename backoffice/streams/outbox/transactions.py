"""Messages to Kafka in transactions: all of one or nothing, and nothing any more from a relay that was replaced.

All relays of an installation have one transactional id. Kafka serves the one that has claimed it last: what an older
one has queued or under way is refused or thrown away, however late it arrives.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Producer

from backoffice.kernel.errors import Retryable

from ..kafka.clients import whole_errors
from ..kafka.writing import OF_TOPICS

ASK_SECONDS = 5.0
# A commit that has begun is waited for: of one that was given up nobody knows whether it holds.
COMMIT_SECONDS = 10.0
# Reports of messages that were thrown away with their transaction say nothing of the messages.
_THROWN_AWAY = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)


def as_the_only_relay(prefix: str) -> dict[str, str]:
    """A producer's settings; ``prefix`` is that of the installation's topics.

    How long a message is tried is decided here (``seconds``) and is less than Kafka lets a transaction stay open.
    """
    limits = {"transaction.timeout.ms": "60000", "delivery.timeout.ms": "60000"}
    return {"transactional.id": f"{prefix}outbox", "log_level": "3"} | limits


class FailedError(Exception):
    """A transaction came to nothing, for reasons that may lie in one of its messages."""

    def __init__(self, reason: str, *, is_silent: bool = False, is_of_topic: bool = False) -> None:
        super().__init__(reason)
        self.is_silent = is_silent
        self.is_of_topic = is_of_topic


@dataclass(frozen=True)
class Message:
    """A message as Kafka gets it; ``number`` tells its reports from those of others."""

    number: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]


@dataclass
class Transaction:
    """What Kafka has said so far of the messages of a transaction, for which it has ``seconds``, by their numbers.

    ``still_alone`` is called all the while; it raises where another relay may be at work.
    """

    seconds: float
    still_alone: Callable[[], object]
    delivered: set[int] = field(default_factory=set)
    refused: dict[int, KafkaError] = field(default_factory=dict)
    deadline: float = 0.0


class Transactions:
    """Holds the producer, and makes a new one where the old one is of no use any more.

    Raises (every method): Retryable where Kafka is away, another relay has taken over, or this one is to end. Where a
    commit says so, nobody knows whether it holds.
    """

    def __init__(self, make: Callable[[], Producer], stopping: threading.Event) -> None:
        self._make = make
        self._stopping = stopping
        self._producer: Producer | None = None
        self._has_claimed = False

    def claim(self) -> None:
        """Be the only one; what another relay has under way is thrown away, what it has committed is waited for."""
        if not self._has_claimed:
            with self._of_the_cluster("Kafka does not answer"):
                self._sender().init_transactions(ASK_SECONDS)
            self._has_claimed = True

    def listen(self) -> None:
        """Let the client say what it has to say."""
        if self._producer is not None:
            with self._of_the_cluster("Kafka's client goes no further"):
                self._producer.poll(0)

    @contextmanager
    def begin(self, transaction: Transaction) -> Iterator[None]:
        """Within it the transaction is open; it is taken back unless it was committed."""
        self.claim()
        self._must_go_on()
        with self._of_the_cluster("Kafka begins no transaction"):
            self._sender().begin_transaction()
        transaction.deadline = time.monotonic() + transaction.seconds
        try:
            yield
        except BaseException:
            self._take_back()
            raise

    def put(self, transaction: Transaction, message: Message) -> None:
        """Hand a message to the producer.

        Raises:
            FailedError: the transaction has come to nothing.
            Exception: anything else is about this message alone.
        """
        headers: dict[str, str | bytes | None] = dict(message.headers)
        report = _reporting(transaction, message.number)
        while True:
            try:
                with self._within(transaction):
                    self._sender().produce(
                        message.topic, key=message.key, value=message.value, headers=headers, on_delivery=report
                    )
                    self._sender().poll(0)
            except BufferError:
                with self._within(transaction):
                    self._sender().poll(0.1)
                self._go_on(transaction)
            else:
                return

    def settle(self, transaction: Transaction) -> None:
        """Wait until Kafka has said of each message what becomes of it.

        Raises:
            FailedError: it has not, in time.
        """
        with self._within(transaction):
            while self._sender().flush(0.5):
                self._go_on(transaction)

    def commit(self, transaction: Transaction) -> None:
        """Let the messages be read.

        Raises:
            FailedError: Kafka has refused some of them, and none will be.
        """
        try:
            with whole_errors():
                self._sender().commit_transaction(COMMIT_SECONDS)
        except KafkaException as error:
            why: KafkaError = error.args[0]
            if why.txn_requires_abort():
                first = next(iter(transaction.refused.values()), why)
                raise FailedError(first.str(), is_of_topic=first.code() in OF_TOPICS) from error
            self._drop()
            raise Retryable(f"Kafka does not say that a transaction holds: {_told(why)}") from error

    def _must_go_on(self) -> None:
        if self._stopping.is_set():
            raise Retryable("The relay ends; what is not sent yet is sent again.")

    def _go_on(self, transaction: Transaction) -> None:
        transaction.still_alone()
        self._must_go_on()
        if time.monotonic() > transaction.deadline:
            raise FailedError("Kafka does not acknowledge in time", is_silent=True)

    def _take_back(self) -> None:
        """So that readers need not wait; where Kafka cannot be told, whoever claims the id next takes it back.

        After a message that was refused the client counts wrong in the next transaction, so it is not used any more.
        """
        if self._producer is not None:
            with suppress(KafkaException, Retryable), whole_errors():
                self._producer.abort_transaction(ASK_SECONDS)
            self._drop()

    def _sender(self) -> Producer:
        if self._producer is None:
            self._producer = self._make()
        return self._producer

    def _drop(self) -> None:
        if self._producer is not None:
            with suppress(KafkaException), whole_errors():
                self._producer.purge()
        self._producer, self._has_claimed = None, False

    @contextmanager
    def _of_the_cluster(self, what: str) -> Iterator[None]:
        """Whatever the client says is about Kafka or the relay, and not about a message."""
        try:
            with whole_errors():
                yield
        except KafkaException as error:
            self._drop()
            raise Retryable(f"{what}: {_told(error.args[0])}") from error
        except Retryable:
            self._drop()
            raise

    @contextmanager
    def _within(self, transaction: Transaction) -> Iterator[None]:
        """Tells what has ended the transaction, or the producer, from what is said of one message."""
        try:
            with whole_errors():
                yield
        except KafkaException as error:
            why: KafkaError = error.args[0]
            if why.fatal() or why.code() == KafkaError._FATAL:
                # Of a relay that was replaced Postgres tells more than that the producer has ended.
                transaction.still_alone()
                self._drop()
                raise Retryable(f"Kafka takes no more from this producer: {_told(why)}") from error
            if why.code() == KafkaError._STATE:
                self.commit(transaction)  # which is refused, and says why
            raise


def _told(why: KafkaError) -> str:
    replaced = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    return f"another relay has taken over ({why.str()})" if why.code() in replaced else why.str()


def _reporting(transaction: Transaction, number: int) -> Callable[[KafkaError | None, confluent_kafka.Message], None]:
    def report(error: KafkaError | None, _: confluent_kafka.Message) -> None:
        if error is None:
            transaction.delivered.add(number)
        elif error.code() not in _THROWN_AWAY:
            transaction.refused[number] = error

    return report
