"""What Kafka's client says of a partition that no waiting mends."""

from dataclasses import dataclass

from confluent_kafka import KafkaError

from .halts import Cause

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
