"""What a client hands out becomes batches: of each partition only what is next, and how far that leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import Message
from numpy.typing import NDArray

from .. import telemetry
from ..kafka.headers import headers_of
from ..standing import claims_standing
from .batch import Batch, Span
from .gaps import Gaps
from .logtimes import LogTimes, appended


@dataclass
class Taken:
    """A batch, if there is anything new, and from where some partitions have to be read again to be sure.

    ``appended`` is the newest time of a broker in it (milliseconds since 1970), 0 where there is none.
    """

    batch: Batch | None = None
    appended: int = 0
    again: dict[int, int] = field(default_factory=dict)


class Intake:
    """Knows the next offset of each partition. What is left over from before a rewind falls out.

    A partition whose position was forgotten gives nothing until it is moved.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._positions: dict[int, int] = {}
        self._gaps = Gaps()
        self._times = LogTimes()

    def position(self, partition: int) -> int | None:
        return self._positions.get(partition)

    def reach(self, partition: int, logged: int) -> None:
        """So far (milliseconds) had the log of the partition come where it goes on."""
        self._times.start({partition: logged})

    def move(self, partition: int, offset: int) -> None:
        """The client was told to go on from there."""
        self._positions[partition] = offset
        self._gaps.doubt(partition)

    def doubt(self, partition: int) -> None:
        self._gaps.doubt(partition)

    def forget(self, partition: int) -> None:
        self._positions.pop(partition, None)

    def take(self, messages: Sequence[Message], ends: Mapping[int, int]) -> Taken:
        """``ends`` are the offsets at which partitions were told to end, after these messages.

        Where a transaction's markers or an aborted batch stand at the end of a log, its end is further than the last
        message: they are passed.
        """
        taken = Taken()
        partitions = np.fromiter(map(Message.partition, messages), np.int64, len(messages))
        numbers = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
        wanted = self._is_next(partitions, numbers)
        spans: dict[int, Span] = {}
        for partition in sorted({*np.unique(partitions[wanted]).tolist(), *(ends.keys() & self._positions.keys())}):
            own = wanted & (partitions == partition)
            start, until, following = self._stretch(partition, numbers[own], ends.get(partition, 0))
            if until < following:
                taken.again[partition] = until
                wanted &= ~own | (numbers < until)
            if until > start:
                spans[partition] = start, until
        self._positions |= {partition: end for partition, (_, end) in spans.items()}
        if spans:
            if not wanted.all():
                messages = [message for message, kept in zip(messages, wanted, strict=True) if kept]
                partitions, numbers = partitions[wanted], numbers[wanted]
            told = appended(messages)
            times, counts, reached = told.copy(), dict[int, int](), dict[int, int]()
            for partition in spans:
                own = partitions == partition
                times[own] = logged = self._times.of(partition, told[own])
                if len(logged):
                    counts[partition], reached[partition] = len(logged), int(logged[-1])
            values, keys = list(map(Message.value, messages)), list(map(Message.key, messages))
            places = partitions.tolist(), numbers.tolist(), times.tolist()
            taken.batch = Batch(self._topic, values, keys, *places, spans=spans, counts=counts, reached=reached)
            self._note_replayed(taken.batch, messages)
            still = told < times
            stood = zip(partitions[still].tolist(), numbers[still].tolist(), strict=True)
            taken.batch.appended = dict(zip(stood, told[still].tolist(), strict=True))
            taken.appended = int(told.max(initial=0))
        return taken

    def _note_replayed(self, batch: Batch, messages: Sequence[Message]) -> None:
        """Where those stood that were dead letters and are sent again; what cannot be is counted, and not believed."""
        for row, headers in enumerate(headers_of(messages)):
            if headers and not batch.note_replayed(row, headers) and claims_standing(headers):
                telemetry.UNBELIEVED.labels(self._topic).inc()

    def _is_next(self, partitions: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not len(numbers):
            return np.zeros(0, bool)
        nowhere = np.iinfo(np.int64).max
        starts = np.array([self._positions.get(p, nowhere) for p in range(int(partitions.max()) + 1)])
        found: NDArray[np.bool_] = numbers >= starts[partitions]
        return found

    def _stretch(self, partition: int, numbers: NDArray[np.int64], end: int) -> tuple[int, int, int]:
        """From where to where these messages lead and are believed, and to where they lead."""
        position = self._positions[partition]
        following = max(end, int(numbers[-1]) + 1 if len(numbers) else position)
        return position, self._gaps.believed(partition, position, numbers, following), following
