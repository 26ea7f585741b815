"""Which topic a name stands for now: Kafka gives each topic an id of its own, and one that is made anew another."""

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription

from backoffice.kernel.errors import Retryable

from .clients import admin_client

ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class Asked:
    """A question that is on its way."""

    client: AdminClient
    topic_name: str
    description: Future[TopicDescription]

    def done(self) -> bool:
        """Whether it was answered, or cannot be."""
        return self.description.done()


def ask(settings: dict[str, str], topic_name: str) -> Asked:
    """Begin to ask; what was read before this is of the topic that the answer tells, or of an earlier one."""
    client = admin_client(settings)
    asked = client.describe_topics(TopicCollection([topic_name]), request_timeout=ANSWER_SECONDS)
    return Asked(client, topic_name, asked[topic_name])


def answer(asked: Asked) -> str | None:
    """The id; None where there is no such topic now.

    Raises:
        Retryable: Kafka does not answer.
    """
    found = described(asked)
    return found and found[0]


def described(asked: Asked) -> tuple[str, int] | None:
    """The id and the number of partitions; else as `answer`."""
    try:
        found = _awaited(asked)
        return str(found.topic_id), len(found.partitions)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise Retryable(f"Kafka does not say which topic this is: {reason.str()}") from error
    except TimeoutError as silence:
        raise Retryable("Kafka does not say in time which topic this is.") from silence


_looking = threading.Lock()


def _awaited(asked: Asked) -> TopicDescription:
    """The answer is the controller's. Where that has died the client would wait for it: it asks who the controller is
    every ten seconds. Whoever waits makes it ask, one for all.
    """
    until = time.monotonic() + 2 * ANSWER_SECONDS
    while True:
        try:
            return asked.description.result(LOOK_SECONDS)
        except TimeoutError:
            if time.monotonic() > until:
                raise
        if _looking.acquire(blocking=False):
            try:
                with suppress(KafkaException):
                    asked.client.list_topics(asked.topic_name, timeout=LOOK_SECONDS)
            finally:
                _looking.release()


class Absence:
    """For how long Kafka has said, without a break, that there is no such topic.

    A cluster that has just begun may say so of a topic that it has; one that says nothing says nothing of the topic.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def hear(self, present: str | None) -> None:
        """Take note of an answer."""
        if present is not None:
            self.forget()
        elif self._since is None:
            self._since = time.monotonic()

    def forget(self) -> None:
        """There was an answer to the contrary, or none."""
        self._since = None

    @property
    def seconds(self) -> float:
        return 0.0 if self._since is None else time.monotonic() - self._since
