"""Whether Kafka takes messages for a topic at all: a producer would wait for each of them to find out."""

from collections.abc import Collection
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, TopicDescription

from backoffice.kernel.errors import Retryable

from .clients import admin_client

ANSWER_SECONDS = 5.0
# A name that cannot be one of a topic is none.
_NO_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION)
# What is said of a message and holds for every message to its topic.
OF_TOPICS = (*_NO_TOPIC, KafkaError._UNKNOWN_TOPIC, KafkaError.TOPIC_AUTHORIZATION_FAILED)


def refusals(settings: dict[str, str], names: Collection[str]) -> dict[str, str]:
    """The topics of these to which nothing can be sent now, each with the reason.

    Raises:
        Retryable: Kafka does not answer.
    """
    try:
        asked = admin_client(settings).describe_topics(
            TopicCollection(list(names)), include_authorized_operations=True, request_timeout=ANSWER_SECONDS
        )
        found = {name: _refusal(name, asked[name]) for name in names}
    except (KafkaException, TimeoutError) as silence:
        raise Retryable(f"Kafka does not answer: {silence}") from silence
    return {name: reason for name, reason in found.items() if reason}


def _refusal(name: str, asked: Future[TopicDescription]) -> str:
    """Why nothing can be sent there; empty where it can. Some brokers do not say what we may do."""
    try:
        allowed = asked.result(2 * ANSWER_SECONDS).authorized_operations
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        if reason.code() in _NO_TOPIC:
            return f"Kafka has no topic {name}; `manage.py topics` makes those of ours"
        if reason.code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
    else:
        if not allowed or AclOperation.WRITE in allowed:
            return ""
    return f"Kafka does not let our user write to topic {name}; allow it there"
