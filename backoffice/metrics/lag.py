"""What waits in Kafka."""

from collections import Counter

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from backoffice.streams.models import Offset

from .progress import StreamTopic

TIMEOUT = 2.0


def read_lag(admin: AdminClient, prefix: str) -> dict[StreamTopic, int]:
    """Messages not stored yet, for each stream and topic of which any partition was ever begun.

    What a transaction has not committed yet is not counted, for nobody may read it.

    Raises:
        KafkaException: Kafka does not say how long its logs are.
    """
    stored = list(Offset.objects.values_list("stream", "topic", "partition", "next"))
    ends = _ends(admin, {TopicPartition(f"{prefix}{topic}", partition) for _, topic, partition, _ in stored})
    lag: Counter[StreamTopic] = Counter()
    for stream, topic, partition, following in stored:
        lag[stream, topic] += max(0, ends[TopicPartition(f"{prefix}{topic}", partition)] - following)
    return dict(lag)


def _ends(admin: AdminClient, places: set[TopicPartition]) -> dict[TopicPartition, int]:
    if not places:
        return {}
    wanted = {place: OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]
    try:
        told = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT)
        return {place: future.result(2 * TIMEOUT).offset for place, future in told.items()}
    except TimeoutError as silence:
        raise KafkaException("Kafka does not answer in time.") from silence
