"""What Kafka holds of a topic: which topic it is, where its partitions begin and end, whether a place can be read."""

from collections.abc import Collection
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from backoffice.kernel.errors import Rejected, Retryable

from . import offsets, topicids
from .clients import admin_client, closing_quietly, lone_consumer

ANSWER_SECONDS = 5.0
READ_SECONDS = 15.0


@dataclass(frozen=True)
class Log:
    """``begins`` and ``ends`` are, for each partition, the first offset that is there and the one behind the last.

    Partitions of which Kafka does not tell that now are ``untold``, each with the reason and what to do about it.
    """

    topic_id: str
    begins: dict[int, int]
    ends: dict[int, int]
    untold: dict[int, str] = field(default_factory=dict)

    def must_be_whole(self) -> None:
        """Raises Rejected where something of it is not told."""
        if self.untold:
            raise Rejected(f"Nothing was changed: {offsets.few(self.untold.values())}.")


def read_log(settings: dict[str, str], topic_name: str) -> Log:
    """Raises Rejected where there is no such topic, or we may not look; Retryable while Kafka does not answer."""
    questions = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    try:
        found = offsets.ask(admin_client(settings), [topic_name], questions, ANSWER_SECONDS)
    except KafkaException as silence:
        raise Retryable(f"Kafka does not say what {topic_name} holds: {silence}") from silence
    if topic_name in found.refused:
        raise Rejected(f"Nothing was changed: {found.refused[topic_name]}.")
    topic_id = topicids.answer(topicids.ask(settings, topic_name))
    if topic_id is None:
        raise Rejected(f"Kafka has no topic {topic_name}; `manage.py topics --apply` makes those of the catalogue.")
    told = found.told.get(topic_name, {})
    begins, ends = ({partition: each[place] for partition, each in told.items()} for place in (0, 1))
    return Log(topic_id, begins, ends, found.untold.get(topic_name, {}))


def read_begins(settings: dict[str, str], topic_name: str, seconds: float) -> dict[int, int | str]:
    """The first offset that is there of each partition; of one of which Kafka does not tell now, why not.

    Raises:
        Retryable: Kafka does not answer, or does not tell of the topic.
    """
    earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    try:
        found = offsets.ask(admin_client(settings), [topic_name], [earliest], seconds)
    except KafkaException as silence:
        raise Retryable(f"Kafka does not say where {topic_name} begins: {silence}") from silence
    if topic_name not in found.told:
        raise Retryable(found.refused.get(topic_name, f"Kafka has no topic {topic_name} now."))
    told: dict[int, int | str] = {partition: begin for partition, (begin,) in found.told[topic_name].items()}
    return told | found.untold.get(topic_name, {})


def read_ends(settings: dict[str, str], names: Collection[str]) -> offsets.Answers:
    """The end of each partition of the topics that are there, without what is not committed yet.

    Raises:
        KafkaException: Kafka does not answer.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return offsets.ask(admin_client(settings), names, [latest], ANSWER_SECONDS)


def complaint(settings: dict[str, str], topic_name: str, partition: int, offset: int) -> str:
    """What the client says when it reads there, outside any group; empty where it can.

    Raises:
        Retryable: it gets nothing at all.
    """
    with closing_quietly(lone_consumer(settings, f"{topic_name}.look")) as consumer:
        consumer.assign([TopicPartition(topic_name, partition, offset)])
        message = consumer.poll(READ_SECONDS)
    if message is None:
        raise Retryable(f"Kafka hands out nothing of {topic_name}[{partition}] at {offset}; try again.")
    error = message.error()
    return "" if error is None or error.code() == KafkaError._PARTITION_EOF else error.str()
