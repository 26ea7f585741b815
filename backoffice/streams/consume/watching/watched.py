"""A lane as the watch has seen it: what is stored of it against what Kafka has, and since when it stands still."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from backoffice.contracts.catalogue import TOPICS

from ...kafka.offsets import Answers
from ..lane import Lane
from .stalls import Stored
from .state import LaneState

log = logging.getLogger(__name__)

# Whoever has the partition can say what it waits for; others wait so much longer until they speak in its stead.
LONGER = 1.5


@dataclass
class Watched:
    """For each partition its end and next offset, and since when (monotonic) it stands.

    Nothing is kept of partitions that the topic has not: it may have been made anew with fewer.
    """

    lane: Lane
    state: LaneState
    ends: dict[int, int] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    # The partitions of the topic; None where Kafka does not tell of it, or has none of that name.
    listed: frozenset[int] | None = None
    # Of which Kafka does not tell although it answers, and why.
    untold: dict[int, str] = field(default_factory=dict)
    # What the lane itself said of its partitions at the last look.
    said: Mapping[int, int] = field(default_factory=dict)
    # Of a stall: the partitions that the log has told of, and whether it has of who blocks them.
    told: frozenset[int] = frozenset()
    is_blocker_told: bool = False
    # Of a stall that is noted: where its partitions stood.
    stood: dict[int, int] = field(default_factory=dict)
    # Where all was stored when its end was asked for: that end, and when (monotonic) it was asked for.
    level: dict[int, tuple[int, float]] = field(default_factory=dict)

    def note(self, standing: Sequence[int], told: str) -> None:
        """Log once of each partition what is told of a stall."""
        if not self.told.issuperset(standing):
            log.error("%s", told)
            self.told = self.told.union(standing)

    def note_blocker(self, why: str) -> None:
        """The same for who holds it up, where that can be told."""
        if why and not self.is_blocker_told:
            log.error("%s:%s", self.lane.group, why)
            self.is_blocker_told = True

    def forget_stall(self) -> None:
        self.told, self.is_blocker_told, self.stood = frozenset(), False, {}

    def lag(self, partition: int) -> int:
        """As far as Kafka has told where it ends."""
        return max(0, self.ends.get(partition, 0) - self.following.get(partition, 0))

    def has_work(self, partition: int) -> bool:
        """Of what is not told nobody can say that there is none."""
        return partition in self.untold or self.lag(partition) > 0

    def hear_kafka(self, found: Answers, stored: Stored | None) -> None:
        lane = self.lane
        ends = {partition: end for partition, (end,) in found.told.get(lane.topic_name, {}).items()}
        self.listed = frozenset(ends.keys() | found.untold.get(lane.topic_name, {}).keys()) or None
        self.ends = {p: end for p, end in (self.ends | ends).items() if self._may_have(p)}
        begun = {p for s, t, p in stored.offsets if (s, t) == (lane.stream, lane.topic)} if stored else set()
        known = self.ends.keys() | begun or range(TOPICS[lane.topic].partitions)
        self.untold = found.missing(lane.topic_name, known)
        seen = self.ends.keys() | self.untold.keys()
        self.following = {p: offset for p, offset in self.following.items() if p in seen}
        self.since = {p: since for p, since in self.since.items() if p in seen}
        self.level = {p: level for p, level in self.level.items() if p in seen}

    def see(self, stored: Stored | None, now: float) -> None:
        lane, said = self.lane, self.state.stored
        for partition in self.ends.keys() | self.untold.keys():
            place = (lane.stream, lane.topic, partition)
            before = self.following.get(partition)
            known = stored.offsets.get(place) if stored else None
            following = self._following(partition, known, said.get(partition))
            if following is not None:
                self.following[partition] = following
            is_halted = stored is not None and place in stored.halted
            # Of a sink that is no table only its own worker knows how far it is.
            is_known = known is not None or partition in said
            is_elsewhere = not is_known and self.state.is_reading and partition not in self.untold
            if is_halted or following != before or is_elsewhere or not self.has_work(partition):
                self.since[partition] = now
            self.since.setdefault(partition, now)
        self.said = said

    def _following(self, partition: int, known: int | None, said: int | None) -> int | None:
        """The lane is believed what it says anew, which may be newer than what Postgres was asked for. After that
        Postgres is: a lane that hangs says for ever how far the former topic was stored.
        """
        news = said if said != self.said.get(partition) else None
        told = (news, known, self.following.get(partition), said)
        return next((offset for offset in told if offset is not None), None)

    def hear(self, stored: Stored, asked: float) -> None:
        """What was stored since it was level came to the log after that, at a time that the log has."""
        for partition, end in self.ends.items():
            following = self.following.get(partition, -1)
            was_at, then = self.level.get(partition, (following, 0.0))
            if following > was_at:
                place = (self.lane.stream, self.lane.topic, partition)
                self.lane.skew.hear_of_one_after(then, stored.logged.get(place, 0))
            if following != was_at:
                del self.level[partition]
            if following == end:
                self.level[partition] = end, asked

    def standing(self, now: float) -> list[int]:
        """The partitions that stand still for longer than they may."""
        limit, own = self.lane.limits.stall, self.state.owned
        return [
            partition
            for partition, since in sorted(self.since.items())
            if now - since > limit * (1.0 if partition in own else LONGER)
        ]

    def standing_by_now(self, noted: Collection[int], standing: Collection[int]) -> list[int]:
        """The partitions of a stall of which some are noted already."""
        return sorted({*filter(self._may_have, noted), *standing})

    def is_over(self, noted: Collection[int], stored: Stored) -> bool:
        """Whether each partition of a stall has gone on, has nothing to do, waits for a person, or is none any more."""
        for partition in noted:
            self.stood.setdefault(partition, self.following.get(partition, 0))
        return all(self._is_over(partition, stored) for partition in noted)

    def _is_over(self, partition: int, stored: Stored) -> bool:
        is_idle = partition in self.ends and not self.has_work(partition)
        is_halted = (self.lane.stream, self.lane.topic, partition) in stored.halted
        has_moved = self.following.get(partition, 0) != self.stood[partition]
        return is_idle or is_halted or has_moved or not self._may_have(partition)

    def _may_have(self, partition: int) -> bool:
        """Whether the topic has such a partition, as far as Kafka tells."""
        return self.listed is None or partition in self.listed
