"""What Kafka's client says of a partition that no waiting mends."""

from dataclasses import dataclass

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from backoffice.kernel.errors import Retryable

from .halts import Cause

_ANSWER_SECONDS = 5.0
# A batch whose checksum, compression or format is wrong; after the first of these the client reads at random.
_CORRUPT = {
    KafkaError._BAD_MSG,
    KafkaError._BAD_COMPRESSION,
    KafkaError._NOT_IMPLEMENTED,
    KafkaError.INVALID_MSG,
}


@dataclass(frozen=True)
class Fault:
    cause: Cause
    told: str


def fault_of(error: KafkaError) -> Fault | None:
    """What is wrong with the log of a partition, with the way on; None for what passes by itself."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        return Fault(
            Cause.LOST_LOG,
            "Its log no longer holds the next message to store: messages are missing. Restore the log and resume it, "
            "or accept the gap with `streams skip … --to beginning --reason …`.",
        )
    if error.code() in _CORRUPT:
        return Fault(
            Cause.CORRUPT_LOG,
            f"Its log cannot be read ({error.str()}); nothing behind that is stored. Restore the broker's copy and "
            "resume it, or give up what cannot be read with `streams skip … --to OFFSET --reason …`.",
        )
    return None


def is_of_before(consumer: Consumer, place: TopicPartition, fault: Fault) -> bool:
    """Whether the client tells of an offset that it was at before it was moved to this place, which is there.

    Raises:
        Retryable: Kafka does not say where the partition begins and ends.
    """
    if fault.cause is not Cause.LOST_LOG:
        return False
    silent = f"Kafka does not say where {place.partition} begins"
    try:
        low, high = consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
    except KafkaException as silence:
        raise Retryable(f"{silent}: {silence}") from silence
    if OFFSET_INVALID in (low, high):
        raise Retryable(silent)
    return bool(low <= place.offset <= high)
