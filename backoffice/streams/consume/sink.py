"""Where the batches of a lane go: Postgres tables, a state in memory with checkpoints, files of a lake.

The sink alone says how far a lane is. It moves that together with what it stores, all or nothing, and refuses where
somebody else has moved it meanwhile; so a batch has its effect once, whatever is killed on the way. What is told of a
lane beside that (halts, gaps, dead letters, which topic it is) is in Postgres for every sink.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from backoffice.kernel.errors import Retryable

from .batch import Batch


class Fenced(Exception):  # noqa: N818 - not an error: another worker has these partitions now
    """The offset is not where this worker left it: somebody else stored these messages."""


class Refused(Retryable):
    """The sink stands open and cannot store now: the same batch can be tried again without opening it anew."""


class Unstorable(Exception):  # noqa: N818 - named for what is the matter
    """Not even the offsets and dead letters of a batch can be stored: no message of it is to blame."""


@dataclass(frozen=True)
class Position:
    """The next offset to store of a partition, and the time (milliseconds) to which its log has come by then."""

    next: int
    logged: int = 0


class Prepared(Protocol):
    """A batch made ready to be stored, with the verdicts on its messages."""

    @property
    def batch(self) -> Batch: ...


P = TypeVar("P", bound=Prepared)


class Sink(Protocol[P]):
    """Stores the batches of one lane.

    ``positions`` and ``prepare`` are called by the reading thread, all others by the writing one; ``prepare`` by both.

    A sink that decodes puts the dead letters of its batch where every person looks for them, with `store_dead`
    (deadletters.py): in the transaction that moves its offsets, or before that. Repeats are told by a sink that keeps
    the ids of events (the tables note them in ``streams_repeat``); by any other, what is sent again is taken again.

    Raises (every method): Retryable while what it needs is away; nothing was stored, and the same can be tried again.
    """

    def open(self) -> None:
        """Connect, or connect anew: whatever stood open may be in any state."""

    def close(self) -> None: ...

    def positions(
        self, partitions: Collection[int], first: Callable[[int], int], generation: int
    ) -> dict[int, Position]:
        """Where every partition goes on that the stream has begun; of one that is new, ``first`` says where it begins.

        A position belongs to one ``generation`` of the topic, which counts how often that was made anew and a person
        let the stream go over to it. One that was kept under another generation is none.
        """
        ...

    def prepare(self, batch: Batch) -> P:
        """Everything that can be done before the transaction: decode, check, project."""
        ...

    def commit(self, prepared: P) -> Iterator[P]:
        """Store the batch and move its offsets; yields each part that was stored, one unless a message was isolated.

        A batch without messages moves them too: over what a person has given up, and back where a log was cut off.

        Raises:
            Refused: it cannot store now; nothing was stored of the part that failed.
            Fenced: a partition is not where the batch begins, or that is of another generation; nothing was stored.
            Unstorable: it fails whatever message is left out; nothing was stored of the part that failed.
        """
        ...
