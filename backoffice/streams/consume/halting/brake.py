"""What too many bad messages in a partition lead to: a halt, or a diversion where the catalogue says so."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backoffice.contracts.catalogue import TOPICS, TooManyBad
from backoffice.kernel.errors import Retryable
from backoffice.kernel.text import storable

from ... import telemetry
from ...sessions import session
from ..batch import Batch, DeadLetter
from ..lane import Lane, Limits
from . import diverting, halts
from .breaker import Breaker
from .halts import Cause, Past

log = logging.getLogger(__name__)

# While bad messages go on it is asked again now and then who sends them.
AGAIN_SECONDS = 10.0
# Characters of the reason of a halt; its alert takes no more.
_REASON = 1_000


@dataclass
class _Partition:
    """``bad`` counts all bad messages, ``unforeseen`` those that keep their contract and cannot be stored all the same.

    The latter are more likely a fault of ours than of a sender, and halt a partition whatever its topic is.
    """

    bad: Breaker
    unforeseen: Breaker
    accepted: int
    diverted: bool
    asked_at: float = 0.0

    @classmethod
    def after(cls, past: Past, limits: Limits) -> "_Partition":
        found = cls(_breaker(limits), _breaker(limits), past.accepted, past.diverted)
        found.bad.count(past.seen, past.bad)
        return found


class Brake:
    """The partitions of one lane: how many of their last messages were bad, and what that has led to.

    ``topic_id`` is that of the topic which the offsets belong to.
    """

    def __init__(self, lane: Lane) -> None:
        self.topic_id = ""
        self._lane = lane
        self._diverts = lane.topic in TOPICS and TOPICS[lane.topic].too_many_bad is TooManyBad.DIVERT
        self._partitions: dict[int, _Partition] = {}

    def begin(self, pasts: Mapping[int, Past]) -> None:
        """These partitions are stored from here on; what they have behind them counts."""
        self._partitions |= {number: _Partition.after(past, self._lane.limits) for number, past in pasts.items()}
        for number, past in pasts.items():
            telemetry.DIVERTED.labels(*self._lane.labels, number).set(past.diverted)

    def lose(self, partition: int) -> None:
        self._partitions.pop(partition, None)
        telemetry.forget(self._lane.stream, self._lane.topic, partition)

    def stops_at(self, batch: Batch, partition: int) -> int | None:
        """Before it is stored: the bad message of the batch with which the partition halts, or None."""
        if self._diverts:
            return None
        known = self._of(partition)
        places = [row for row in batch.places(partition) if batch.offsets[row] >= known.accepted]
        tripped = known.bad.trips_at(place for place, row in enumerate(places) if row in batch.dead)
        return None if tripped is None else places[tripped]

    def count(self, part: Batch, partition: int) -> bool:
        """Take in what was stored of a partition, and do what that leads to. Whether it halts behind it.

        What fails in doing it would fail again with the next bad message, and again: it halts the partition as well.
        """
        known, end = self._of(partition), part.spans[partition][1]
        dead = self._count(known, part, partition)
        try:
            if known.unforeseen.is_tripped or (known.bad.is_tripped and not self._diverts):
                return bool(dead) and self.stop(partition, end, part.dead[dead[-1]])
            if self._diverts:
                self._divert_or_not(known, part, partition, dead)
        except Retryable:
            raise
        except Exception as error:
            log.exception("%s: what too many bad messages lead to has failed", self._lane.group)
            return self._halt_for(partition, end, error)
        return False

    def _halt_for(self, partition: int, offset: int, error: Exception) -> bool:
        self.halt(
            {partition: offset}, Cause.UNSTORABLE,
            "Too many of its messages are bad, and what that leads to has failed:"
            f" {error} ({type(error).__name__}). Look at the worker's log, mend the cause, then resume it.",
        )  # fmt: skip
        return True

    def _count(self, known: _Partition, part: Batch, partition: int) -> list[int]:
        """The bad ones among the messages that count."""
        if part.spans[partition][0] >= known.accepted and not any(
            part.partitions[row] == partition for row in part.dead
        ):
            # So is nearly every batch; no message of it is looked at.
            messages, places = part.counts[partition], dict[int, int]()
        else:
            rows = [row for row in part.places(partition) if part.offsets[row] >= known.accepted]
            messages, places = len(rows), {row: place for place, row in enumerate(rows) if row in part.dead}
        unforeseen = [row for row in places if part.dead[row].late and not part.dead[row].is_clash]
        known.bad.count(messages, places.values())
        known.unforeseen.count(messages, [places[row] for row in unforeseen])
        return list(places)

    def _divert_or_not(self, known: _Partition, part: Batch, partition: int, dead: Sequence[int]) -> None:
        if known.bad.is_tripped and dead and time.monotonic() >= known.asked_at + AGAIN_SECONDS:
            self._divert(known, part, partition, dead[-1])
        elif known.diverted and known.bad.is_calm:
            self._end_diversion(known, partition)

    def _divert(self, known: _Partition, part: Batch, partition: int, latest: int) -> None:
        lane, offset = self._lane, part.offsets[latest]
        with session(lane.session) as connection:
            accepted = halts.accepted(connection, lane.stream, lane.topic, partition)
            if accepted > offset:
                self.begin({partition: Past(accepted=accepted, diverted=known.diverted)})
                return
            bad = diverting.Bad(
                lane.stream, lane.topic, part.generation, partition, known.bad.bad, offset,
                too_many(lane.limits, part.dead[latest]), lane.limits.dead_letter_ratio,
            )  # fmt: skip
            sources = diverting.divert(connection, bad, lane.clock.now())
        if not known.diverted:
            log.error("%s: bad messages of partition %s are diverted; suspended: %s", lane.group, partition, sources)
        known.diverted, known.asked_at = True, time.monotonic()
        telemetry.DIVERTED.labels(*lane.labels, partition).set(1)

    def _end_diversion(self, known: _Partition, partition: int) -> None:
        lane = self._lane
        with session(lane.session) as connection:
            diverting.end(
                connection, stream=lane.stream, topic=lane.topic, partitions=[partition], by=diverting.AUTOMATIC
            )
        log.info("%s: partition %s has few bad messages again", lane.group, partition)
        known.diverted, known.asked_at = False, 0.0
        telemetry.DIVERTED.labels(*lane.labels, partition).set(0)

    def accepts(self, partition: int, offset: int) -> bool:
        """Whether a person has taken what is bad there as dead letters; what comes behind that counts anew."""
        lane = self._lane
        with session(lane.session) as connection:
            accepted = halts.accepted(connection, lane.stream, lane.topic, partition)
        if accepted > offset:
            self.begin({partition: Past(accepted=accepted)})
        return accepted > offset

    def stop(self, partition: int, offset: int, dead: DeadLetter) -> bool:
        """Halt the partition at an offset for too many bad messages; False where a person has accepted them."""
        if self.accepts(partition, offset):
            return False
        self.halt(
            {partition: offset}, Cause.BAD_MESSAGES,
            f"{too_many(self._lane.limits, dead)} Mend the producer or the contract, then resume it.",
        )  # fmt: skip
        return True

    def halt(self, offsets: Mapping[int, int], cause: Cause, reason: str) -> None:
        """Stop partitions, each where the sink stands, until a person resumes them."""
        # A connection of its own: both threads halt, while either may be in a transaction.
        lane, reason = self._lane, storable(reason, _REASON)
        with session(lane.session) as connection:
            halted = halts.halt(
                connection, stream=lane.stream, topic=lane.topic, offsets=offsets, cause=cause, reason=reason,
                topic_id=self.topic_id, now=lane.clock.now(),
            )  # fmt: skip
        for partition in halted:
            log.error("%s: partition %s halted at offset %s. %s", lane.group, partition, offsets[partition], reason)

    def _of(self, partition: int) -> _Partition:
        return self._partitions.setdefault(partition, _Partition.after(Past(), self._lane.limits))


def too_many(limits: Limits, dead: DeadLetter) -> str:
    """Raised by a partition in words: how many are too many, and the latest of them."""
    return (
        f"More than {limits.dead_letter_ratio:.0%} of the last {limits.dead_letter_window} messages are bad; "
        f"the latest: {dead.reason.rstrip('.')}."
    )


def _breaker(limits: Limits) -> Breaker:
    return Breaker(window=limits.dead_letter_window, ratio=limits.dead_letter_ratio, minimum=limits.dead_letter_minimum)
