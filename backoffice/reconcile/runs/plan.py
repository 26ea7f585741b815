"""Which offsets a run reads for the first time, step by step.

Each step is a bounded number of messages in a transaction with a snapshot of its own, because a long one would hold up
whoever changes the tables, and the vacuum.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from backoffice.contracts.catalogue import TOPICS

from ..differences import NOT_CHECKED, Difference, Weight
from ..known import Place, covers
from ..messages.log import Slice
from ..positions import Position

# Some ten seconds' work on a slow machine.
STEP = 200_000


@dataclass
class Plan:
    """What a run still has to read for the first time, up to its goals: what was stored when they were set.

    A step is level when it takes all that is left at once: its sums can be held against the tables exactly. Where the
    goals are reached before, new ones are set as long as less is left than the last time, and the run ``may_go_on``.
    """

    step: int = STEP
    may_go_on: Callable[[], bool] = lambda: True
    is_level: bool = False
    is_done: bool = False
    _goals: dict[Place, int] = field(default_factory=dict)
    _left: float = math.inf

    def next(self, read: list[Position]) -> list[Slice]:
        """The slices of the next step, by the positions of its snapshot."""
        left = sum(position.end - position.start for position in read)
        self.is_level = left <= self.step
        if self.is_level:
            self.is_done = True
            return [position.slice(position.start, position.end, is_new=True) for position in read]
        slices = list(self._bounded(read))
        if not slices and left < self._left and (not self._goals or self.may_go_on()):
            self._goals, self._left = {position.key: position.end for position in read}, left
            slices = list(self._bounded(read))
        # The streams store about as fast as this reads, or faster; the next run goes on.
        self.is_done = not slices
        return slices

    def _bounded(self, read: list[Position]) -> Iterator[Slice]:
        left = self.step
        for position in read:
            end = min(position.end, position.start + left)
            if position.start < min(end, self._goals.get(position.key, 0)):
                left -= end - position.start
                yield position.slice(position.start, end, is_new=True)


def not_checked(topic: str, partition: int, why: str, stream: str = "") -> Difference:
    """What Kafka does not tell of now; of what only copies were looked for in, there is no stream."""
    says = f"It was not checked: {why}. The next run after that checks it."
    weight = Weight.WARNING if stream else Weight.KNOWN
    return Difference(NOT_CHECKED, says, topic, partition, weight=weight, stream=stream)


def missing(position: Position, *, full: bool) -> Iterator[Difference]:
    """What was stored and can no longer be compared, as far as neither the topic's retention nor a person explains it;
    and what was never stored, as a person has accepted."""
    topic = TOPICS[position.topic]
    unread = position.checked.next if position.checked else 0
    kept_for_ever = topic.retention_days is None and not topic.compacted
    was_read_before = position.checked is not None and not full
    if (kept_for_ever or was_read_before) and not covers(position.gaps, unread, position.low):
        says = f"Kafka's log begins at {position.low}; what stood before can no longer be compared."
        # Who accepted that the log goes on there has accepted that its beginning is gone.
        is_known = any(gap.start < position.low <= gap.end for gap in position.gaps)
        weight = Weight.KNOWN if is_known else Weight.DIFFERENCE
        yield _gap(position, "log_begins_later", says, (unread, position.low - 1), weight)
    if position.high < position.following:
        stored = f"offsets up to {position.following - 1} are stored"
        says = f"Kafka's log ends at {position.high}, but {stored}; it was made anew."
        yield _gap(position, "log_ends_early", says, (position.high, position.following - 1))
    for gap in position.gaps:
        if gap.stored_until is not None:
            says = f"Kafka's log was cut off, and other messages come at these offsets, which is known: {gap.reason}"
            yield _gap(position, "known_cut", says, (gap.start, gap.stored_until - 1), Weight.KNOWN)
            continue
        says = f"These offsets were never stored, and what is made of them lacks them, which is known: {gap.reason}"
        yield _gap(position, "known_gap", says, (gap.start, gap.end - 1), Weight.KNOWN)


def _gap(
    position: Position, check: str, says: str, offsets: tuple[int, int], weight: Weight = Weight.DIFFERENCE
) -> Difference:
    return Difference(
        check, says, position.topic, position.partition, "", offsets, weight=weight, stream=position.stream.name
    )
