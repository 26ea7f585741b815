"""Messages without a value on a compacted topic: what their key named is gone."""

from dataclasses import dataclass, field

from backoffice.contracts.catalogue import TOPICS

from ..standing import Standing
from .batch import Batch, DeadLetter

_BEFORE_ALL: Standing = (-1, -1)


@dataclass
class Tombstones:
    """The keys that are gone by a batch of a topic, each with where the last message that says so stands in the log."""

    topic: str
    last: dict[str, Standing] = field(default_factory=dict)

    def is_alive(self, key: str, standing: Standing) -> bool:
        """Whether what was said of the key there is not taken back by a tombstone of the batch."""
        return standing > self.last.get(key, _BEFORE_ALL)


def take(batch: Batch, dead: dict[int, DeadLetter]) -> tuple[Tombstones, list[int]]:
    """The tombstones among the messages that are not settled yet, and every message that needs no decoding for it.

    On a topic that keeps everything there are none, and a message without a value is a dead letter.
    """
    found = Tombstones(batch.topic)
    if not TOPICS[batch.topic].compacted or None not in batch.values:
        return found, []
    rows = [row for row in batch.living() if batch.values[row] is None]
    for row in rows:
        key = _text(batch.keys[row])
        if key:
            found.last[key] = max(batch.standing(row), found.last.get(key, _BEFORE_ALL))
        else:
            dead[row] = DeadLetter("A message without a value tells by its key what is gone; its key is no text.")
    return found, rows


def _text(key: bytes | None) -> str:
    try:
        return (key or b"").decode()
    except UnicodeDecodeError:
        return ""
