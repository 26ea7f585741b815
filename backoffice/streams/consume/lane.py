"""One topic of one stream in one worker.

A thread reads and decodes (reader.py), another writes (writer.py): the writer stores a batch while the reader prepares
the next. Between them stands a queue of one, so that memory stays bounded. Whatever goes wrong, both forget what they
hold and start again from the stored offsets: those, not Kafka's, say what is done.
"""

from dataclasses import dataclass, field

from backoffice.kernel.clock import Clock

from ..database import session_name
from .skew import Skew


@dataclass(frozen=True)
class Limits:
    """How large a batch may grow (messages, and bytes of their values), how long it may wait (seconds), and what a
    partition may not do for long.

    Too many bad messages are ``dead_letter_minimum`` at least and more than ``dead_letter_ratio`` of the last
    ``dead_letter_window``. ``stall`` is for how long (seconds) a lane with work may store nothing.
    """

    batch_size: int
    batch_bytes: int
    linger: float
    dead_letter_window: int
    dead_letter_ratio: float
    dead_letter_minimum: int
    stall: float


@dataclass(frozen=True)
class Lane:
    """What is fixed: which stream reads which topic, from which cluster, under which limits."""

    stream: str
    topic: str
    prefix: str
    kafka: dict[str, str]
    limits: Limits
    clock: Clock
    skew: Skew = field(default_factory=Skew)

    @property
    def group(self) -> str:
        return f"{self.prefix}{self.stream}.{self.topic}"

    @property
    def topic_name(self) -> str:
        """The topic as the cluster knows it."""
        return f"{self.prefix}{self.topic}"

    @property
    def session(self) -> str:
        """What its sessions in Postgres are called."""
        return session_name(self.stream, self.topic)

    @property
    def labels(self) -> tuple[str, str]:
        return self.stream, self.topic
