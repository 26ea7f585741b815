"""Where partitions begin and end. Each is judged by itself: one that cannot be asked silences no other."""

import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_INVALID, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec, PartitionMetadata

# So many reasons are told one by one; the others are counted.
TOLD_AT_MOST = 3
_SILENCE = (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT, KafkaError._TIMED_OUT_QUEUE)
_NO_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION)
_FORBIDDEN = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)

Asked = dict[TopicPartition, Future[ListOffsetsResultInfo]]


@dataclass(frozen=True)
class Answers:
    """What Kafka tells of some topics; one that it has not is in none of these.

    ``told`` has for each topic and partition an offset for each question, ``untold`` for each of the other partitions
    why there is none and what to do about it, and ``refused`` the same for topics of which nothing is told at all.
    """

    told: dict[str, dict[int, tuple[int, ...]]] = field(default_factory=dict)
    untold: dict[str, dict[int, str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def missing(self, topic_name: str, known: Collection[int]) -> dict[int, str]:
        """The partitions of a topic of which nothing is told, with the reasons; ``known`` are those that it had."""
        if topic_name in self.refused:
            return dict.fromkeys(sorted(known), self.refused[topic_name])
        return self.untold.get(topic_name, {})


def ask(admin: AdminClient, names: Collection[str], questions: Sequence[OffsetSpec], seconds: float) -> Answers:
    """Without what is not committed yet; within some three times ``seconds``.

    Raises:
        KafkaException: no broker answers.
    """
    topics = admin.list_topics(timeout=seconds).topics
    found = Answers({name: {} for name in sorted(names) if name in topics})
    led: dict[TopicPartition, PartitionMetadata] = {}
    for name in found.told:
        for number, partition in topics[name].partitions.items():
            if partition.leader < 0:
                found.untold.setdefault(name, {})[number] = _leaderless(name, partition)
            else:
                led[TopicPartition(name, number)] = partition
    _ask_leaders(admin, led, questions, seconds, found)
    found.refused.update(_refused(admin, set(names) - found.told.keys(), seconds))
    return found


def few(reasons: Iterable[str]) -> str:
    """Each once, in a line; where they are many, the first of them."""
    each = list(dict.fromkeys(reasons))
    more = f"; and {len(each) - TOLD_AT_MOST} more" if len(each) > TOLD_AT_MOST else ""
    return "; ".join(each[:TOLD_AT_MOST]) + more


def _ask_leaders(
    admin: AdminClient,
    led: dict[TopicPartition, PartitionMetadata],
    questions: Sequence[OffsetSpec],
    seconds: float,
    found: Answers,
) -> None:
    asked: list[Asked] = []
    if led:
        asked = [
            admin.list_offsets(
                dict.fromkeys(led, question), isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=seconds
            )
            for question in questions
        ]
    deadline = time.monotonic() + 2 * seconds
    for place, partition in led.items():
        try:
            offsets = tuple(each[place].result(max(0.0, deadline - time.monotonic())).offset for each in asked)
            if OFFSET_INVALID in offsets:
                # The client says so of a leader that it has just lost, without an error; it is no place in a log.
                found.untold.setdefault(place.topic, {})[place.partition] = _silent(place.topic, partition)
            else:
                found.told[place.topic][place.partition] = offsets
        except (KafkaException, TimeoutError) as error:
            found.untold.setdefault(place.topic, {})[place.partition] = _why(place.topic, partition, error)


def _why(name: str, partition: PartitionMetadata, error: BaseException) -> str:
    code, which = _code(error), f"partition {partition.id} of {name}"
    if code == KafkaError.LEADER_NOT_AVAILABLE:
        return _leaderless(name, partition)
    if code in _FORBIDDEN:
        return _forbidden(which)
    if code is None or code in _SILENCE:
        return _silent(name, partition)
    return f"{which} is not told of by Kafka ({_said(error)})"


def _silent(name: str, partition: PartitionMetadata) -> str:
    return (
        f"partition {partition.id} of {name} is led by broker {partition.leader}, which does not answer: see whether "
        "that runs"
    )


def _leaderless(name: str, partition: PartitionMetadata) -> str:
    copies = " or ".join(map(str, sorted(partition.replicas)))
    return f"partition {partition.id} of {name} has no leader: start broker {copies}"


def _forbidden(which: str) -> str:
    return f"{which} may not be described by our user: allow it Describe on the topic"


def _refused(admin: AdminClient, absent: Collection[str], seconds: float) -> dict[str, str]:
    """Of topics that are not listed those that are not simply missing: a list leaves out what we may not see."""
    if not absent:
        return {}
    described = admin.describe_topics(TopicCollection(sorted(absent)), request_timeout=seconds)
    found = {}
    for name, future in described.items():
        try:
            future.result(2 * seconds)
        except (KafkaException, TimeoutError) as error:
            if _code(error) in _FORBIDDEN:
                found[name] = _forbidden(name)
            elif _code(error) not in _NO_TOPIC:
                found[name] = f"{name} is not told of by Kafka ({_said(error)})"
    return found


def _code(error: BaseException) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None


def _said(error: BaseException) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else "it does not answer in time"
