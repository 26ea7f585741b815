"""What a dead-letter topic gets of a dead letter: all of it where Kafka takes that, else its beginning.

The copy carries headers that the message did not have, and so one that just fitted its topic would be refused; behind
it the outbox would wait for ever. The table of dead letters always keeps the whole.
"""

from dataclasses import dataclass, field

# Kafka's own limits begin at 1,000,000 bytes, key and headers included (librdkafka's message.max.bytes).
LARGEST = 900_000
KEY_OF_A_CUT = 1_000


@dataclass(frozen=True)
class Copy:
    """``headers`` name the length (bytes) of what was cut."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, str] = field(default_factory=dict)


def copy_of(key: bytes | None, value: bytes | None) -> Copy:
    if fits(key, value):
        return Copy(key, value)
    whole, rest = key or b"", value or b""
    kept = whole[:KEY_OF_A_CUT]
    lengths = {"cut_from_key_length": str(len(whole)), "cut_from_value_length": str(len(rest))}
    return Copy(None if key is None else kept, rest[: LARGEST - len(kept)], lengths)


def fits(key: bytes | None, value: bytes | None) -> bool:
    """Whether Kafka takes such a message from the relay, with a few headers more."""
    return len(key or b"") + len(value or b"") <= LARGEST
