"""Sees lanes that have work and store nothing, whatever the reason, and says so.

It is a thread of its own with clients of its own, because what it looks for is a thread or a client that hangs. It does
not ask the lanes: it holds what is stored against what Kafka has. While Postgres is away no alert can be written; the
gauge and the log tell all the same.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from confluent_kafka import KafkaException

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable

from ... import telemetry
from ...clocks import WorkersClock, ahead_of_postgres
from ...database import connect, retryable
from ...kafka import logs
from ...kafka.offsets import Answers, few
from ..lane import Lane
from . import blocking, clocks, stalls
from .stalls import Place, Stored
from .state import LaneState

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
ANSWER_SECONDS = 5.0
# Whoever has the partition can say what it waits for; others wait so much longer until they speak in its stead.
LONGER = 1.5


# The settings of the clients of a cluster.
_Cluster = tuple[tuple[str, str], ...]


@dataclass
class _Watched:
    """A lane as it was last seen: for each partition its end and next offset, and since when (monotonic) it stands."""

    lane: Lane
    state: LaneState
    ends: dict[int, int] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    # Of which Kafka does not tell although it answers, and why.
    untold: dict[int, str] = field(default_factory=dict)
    told: bool = False
    # Of a stall that is told: where its partitions stood.
    stood: dict[int, int] = field(default_factory=dict)
    # Where all was stored when its end was asked for: that end, and when (monotonic) it was asked for.
    level: dict[int, tuple[int, float]] = field(default_factory=dict)

    def note(self, told: str) -> None:
        """Log once what is told of a stall."""
        if not self.told:
            log.error("%s", told)
            self.told = True

    def lag(self, partition: int) -> int:
        """As far as Kafka has told where it ends."""
        return max(0, self.ends.get(partition, 0) - self.following.get(partition, 0))

    def has_work(self, partition: int) -> bool:
        """Of what is not told nobody can say that there is none."""
        return partition in self.untold or self.lag(partition) > 0

    def hear_kafka(self, found: Answers, stored: Stored | None) -> None:
        lane = self.lane
        self.ends |= {partition: end for partition, (end,) in found.told.get(lane.topic_name, {}).items()}
        begun = {p for s, t, p in stored.offsets if (s, t) == (lane.stream, lane.topic)} if stored else set()
        known = self.ends.keys() | begun or range(TOPICS[lane.topic].partitions)
        self.untold = found.missing(lane.topic_name, known)

    def see(self, stored: Stored | None, now: float) -> None:
        lane = self.lane
        for partition in self.ends.keys() | self.untold.keys():
            place = (lane.stream, lane.topic, partition)
            before = self.following.get(partition)
            following = self.state.stored.get(partition, -1)
            if stored is not None:
                following = max(following, stored.offsets.get(place, -1))
            if following >= 0:
                self.following[partition] = following
            is_halted = stored is not None and place in stored.halted
            has_moved = self.following.get(partition) != before
            # Of a sink that is no table only its own worker knows how far it is.
            is_elsewhere = following < 0 and self.state.is_reading and partition not in self.untold
            if is_halted or has_moved or is_elsewhere or not self.has_work(partition):
                self.since[partition] = now
            self.since.setdefault(partition, now)

    def hear(self, stored: Stored, asked: float) -> None:
        """What was stored since it was level came to the log after that, at a time that the log has."""
        for partition, end in self.ends.items():
            following = self.following.get(partition, -1)
            was_at, then = self.level.get(partition, (following, 0.0))
            if following > was_at:
                place = (self.lane.stream, self.lane.topic, partition)
                self.lane.skew.hear_of_one_after(then, stored.logged.get(place, 0))
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


class _Question(threading.Thread):
    """Asks Postgres how far the streams are; in a thread of its own, for an answer may never come."""

    def __init__(self) -> None:
        super().__init__(name="watch-postgres", daemon=True)
        self.answer: Stored | None = None

    def run(self) -> None:
        try:
            self.answer = stalls.read()
        except Retryable as error:
            log.info("how far the streams are cannot be read now: %s", error)


class Watchdog(threading.Thread):
    """Watches the lanes of one process."""

    def __init__(self, lanes: Sequence[tuple[Lane, LaneState]], stopping: threading.Event) -> None:
        super().__init__(name="watch-lanes", daemon=True)
        self._watched = [_Watched(lane, state) for lane, state in lanes]
        self._stopping = stopping
        self._asked: _Question | None = None
        self._is_wrong = False

    def run(self) -> None:
        shortest = min((watched.lane.limits.stall for watched in self._watched), default=LOOK_SECONDS)
        while not self._stopping.wait(min(LOOK_SECONDS, shortest / 4)):
            try:
                self.look()
            except BaseException:
                # A panic of a Rust library is no Exception; see `LaneThread`.
                log.exception("the watch over the streams failed; it goes on")
        if self._asked is not None:
            self._asked.join(ANSWER_SECONDS)

    def look(self) -> None:
        asked = time.monotonic()
        told, stored = self._told(), self._stored()
        self._look_at_clock(stored)
        now = time.monotonic()
        for watched in self._watched:
            if (found := told.get(_cluster(watched))) is not None:
                watched.hear_kafka(found, stored)
            watched.see(stored, now)
            if stored is not None:
                watched.hear(stored, asked)
            self._measure(watched)
            standing = watched.standing(now)
            longest = max((now - watched.since[partition] for partition in standing), default=0.0)
            telemetry.STALLED.labels(*watched.lane.labels).set(longest)
            if standing:
                self._tell(watched, standing, longest, stored)
            elif stored is not None:
                self._close(watched, stored)

    def _look_at_clock(self, stored: Stored | None) -> None:
        told, host = self._wrong(SystemClock().now()), socket.gethostname()
        if told and not self._is_wrong:
            log.error("%s", told)
        elif self._is_wrong and not told:
            log.info("the clock of %s is right again", host)
        self._is_wrong = bool(told)
        if stored is None:
            return
        over = dict.fromkeys(stored.clocks.gone - {host}, "No worker of that machine is seen any more.")
        if host in stored.clocks.hosts and not told:
            over[host] = "It is right again."
        if not told and not over:
            return
        with retryable(), connect() as connection:
            if told:
                clocks.see(connection, host, told, WorkersClock().now())
            for each, why in over.items():
                clocks.end(connection, each, why, WorkersClock().now())

    def _wrong(self, now: datetime) -> str:
        """What is wrong with the clock of this machine, which says ``now``; empty where it is right."""
        skews = {watched.lane.skew for watched in self._watched}
        behind, by_brokers = (
            max((by(now) for by in found), default=timedelta())
            for found in ([skew.behind for skew in skews], [skew.ahead for skew in skews])
        )
        by_postgres = ahead_of_postgres(now)
        telemetry.CLOCK_BEHIND.set(behind.total_seconds())
        telemetry.CLOCK_AHEAD.set(max(by_postgres, by_brokers).total_seconds())
        leads = {"Postgres": by_postgres, "Kafka's brokers": by_brokers}
        ahead = [f"{by.total_seconds():.0f} s ahead of that of {whose}" for whose, by in leads.items() if by]
        if ahead:
            return (
                f"The clock of {socket.gethostname()} is {' and '.join(ahead)}: set it right, or theirs; until then a"
                " worker dates by Postgres what it stores, and nothing is dated into the future by it."
            )
        if behind:
            return (
                f"The clock of {socket.gethostname()} is {behind.total_seconds():.0f} s behind that of Kafka's brokers:"
                " set it right; until then no event is taken for one of the future by it, and what it dates (dead"
                " letters, halts, alerts) is too early."
            )
        return ""

    def _measure(self, watched: _Watched) -> None:
        for partition in (watched.state.owned & watched.ends.keys()) - watched.untold.keys():
            telemetry.LAG.labels(*watched.lane.labels, partition).set(watched.lag(partition))

    def _tell(self, watched: _Watched, standing: list[int], seconds: float, stored: Stored | None) -> None:
        lane = watched.lane
        waiting = sum(watched.lag(partition) for partition in standing)
        untold = few(watched.untold[partition] for partition in standing if partition in watched.untold)
        as_far = f", as far as Kafka tells: {untold}" if untold else ""
        told = (
            f"{lane.stream}: {lane.topic}[{', '.join(map(str, standing))}] has stored nothing for {seconds:.0f} s and "
            f"{waiting} messages wait{as_far}. In the worker {os.getpid()} at {socket.gethostname()} {watched.state}."
        )
        if stored is None or (lane.stream, lane.topic) in stored.stalled:
            watched.note(told)
            return
        with retryable(), connect() as connection:
            told += blocking.told(blocking.blockers(connection, lane.stream, lane.topic))
            watched.note(told)
            stalls.begin(connection, lane.stream, lane.topic, standing, told, lane.clock.now())

    def _close(self, watched: _Watched, stored: Stored) -> None:
        """A stall is over when each of its partitions has gone on, has nothing to do or waits for a person."""
        lane = watched.lane
        partitions = stored.stalled.get((lane.stream, lane.topic))
        if partitions is None:
            watched.told, watched.stood = False, {}
            return
        if not watched.stood:
            watched.stood = {partition: watched.following.get(partition, 0) for partition in partitions}
        for partition, stood in list(watched.stood.items()):
            place: Place = (lane.stream, lane.topic, partition)
            is_idle = partition in watched.ends and not watched.has_work(partition)
            if place not in stored.halted and not is_idle and watched.following.get(partition, 0) == stood:
                return
        log.info("%s goes on", lane.group)
        with retryable(), connect() as connection:
            stalls.end(connection, lane.stream, lane.topic, lane.clock.now())

    def _stored(self) -> Stored | None:
        """What Postgres says; None while it does not. One question at a time, however long it takes."""
        if self._asked is None:
            self._asked = _Question()
            self._asked.start()
        self._asked.join(ANSWER_SECONDS)
        if self._asked.is_alive():
            return None
        found, self._asked = self._asked.answer, None
        return found

    def _told(self) -> dict[_Cluster, Answers]:
        """Where the partitions of the lanes' topics end, by cluster; one that does not answer is left out."""
        found: dict[_Cluster, Answers] = {}
        for cluster in set(map(_cluster, self._watched)):
            names = {watched.lane.topic_name for watched in self._watched if _cluster(watched) == cluster}
            try:
                found[cluster] = logs.read_ends(dict(cluster), names)
            except KafkaException as error:
                log.info("the ends of the topics cannot be told now: %s", error)
        return found


def _cluster(watched: _Watched) -> _Cluster:
    return tuple(sorted(watched.lane.kafka.items()))
