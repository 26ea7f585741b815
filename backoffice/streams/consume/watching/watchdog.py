"""Sees lanes that have work and store nothing, whatever the reason, and says so.

It is a thread of its own with clients of its own, because what it looks for is a thread or a client that hangs. It does
not ask the lanes: it holds what is stored against what Kafka has. All lanes are seen and measured, in gauges and log,
before anything is noted in Postgres, which another thread does (notes.py): while Postgres is away, takes no writes or
lets them wait, no alert can be written, and the gauge and the log tell all the same.
"""

import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import wait
from datetime import datetime, timedelta
from functools import partial

from confluent_kafka import KafkaException

from backoffice.kernel.asking import Question
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable

from ... import sessions, telemetry
from ...clocks import WorkersClock, ahead_of_postgres
from ...database import Connection
from ...kafka import logs
from ...kafka.offsets import Answers, few
from ..lane import Lane
from . import blocking, clocks, overdue, stalls
from .notes import Note, Notes
from .stalls import Stored
from .state import LaneState
from .watched import Watched

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
COLLECT_SECONDS = 60.0
ANSWER_SECONDS = 5.0

# The settings of the clients of a cluster.
_Cluster = tuple[tuple[str, str], ...]


class Watchdog(threading.Thread):
    """Watches the lanes of one process."""

    def __init__(self, lanes: Sequence[tuple[Lane, LaneState]], stopping: threading.Event) -> None:
        super().__init__(name="watch-lanes", daemon=True)
        self._watched = [Watched(lane, state) for lane, state in lanes]
        self._stopping = stopping
        self._is_wrong = False
        self._next_collection = time.monotonic() + COLLECT_SECONDS
        self._notes = Notes()
        # Since when (monotonic) Postgres has answered whenever it was asked.
        self._answers_since = time.monotonic()
        # In a thread of its own, for an answer may never come.
        self._question = Question("watch", lambda: stalls.read(self._up))

    def run(self) -> None:
        shortest = min((watched.lane.limits.stall for watched in self._watched), default=LOOK_SECONDS)
        while not self._stopping.wait(min(LOOK_SECONDS, shortest / 4)):
            try:
                self.look()
            except BaseException:
                # A panic of a Rust library is no Exception; see `LaneThread`.
                log.exception("the watch over the streams failed; it goes on")
            sessions.close_old()
            self._collect()
        until = time.monotonic() + ANSWER_SECONDS
        for each in (self._question, self._notes):
            each.finish(max(0.0, until - time.monotonic()))

    def _collect(self) -> None:
        """What holds itself: by itself Python looks so seldom here (step.py) that a worker might be full before."""
        if time.monotonic() >= self._next_collection:
            self._next_collection = time.monotonic() + COLLECT_SECONDS
            gc.collect()

    def _up(self) -> timedelta:
        """For how long this process has been, and Postgres: no job was done while that was away."""
        return timedelta(seconds=time.monotonic() - self._answers_since)

    def look(self) -> None:
        asked = time.monotonic()
        told, stored = self._told(), self._stored()
        now, notes = time.monotonic(), list[Note]()
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
                notes += _standing(watched, standing, longest, stored)
            elif stored is not None:
                notes += _going_on(watched, stored)
        notes += self._look_at_clock(stored)
        if stored is not None and stored.jobs is not None:
            notes += overdue.notes(stored.jobs, WorkersClock())
        self._notes.write(notes)

    def _look_at_clock(self, stored: Stored | None) -> list[Note]:
        told, host = self._wrong(SystemClock().now()), socket.gethostname()
        if told and not self._is_wrong:
            log.error("%s", told)
        elif self._is_wrong and not told:
            log.info("the clock of %s is right again", host)
        self._is_wrong = bool(told)
        if stored is None or stored.clocks is None:
            return []
        over = dict.fromkeys(stored.clocks.gone - {host}, "No worker of that machine is seen any more.")
        if host in stored.clocks.hosts and not told:
            over[host] = "It is right again."
        seen = (
            [Note(f"that the clock of {host} is wrong", partial(clocks.see, host, told, WorkersClock()))]
            if told
            else []
        )
        return seen + [
            Note(
                f"that the clock of {each} is no more seen to be wrong", partial(clocks.end, each, why, WorkersClock())
            )
            for each, why in over.items()
        ]

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

    def _measure(self, watched: Watched) -> None:
        for partition in (watched.state.owned & watched.ends.keys()) - watched.untold.keys():
            telemetry.LAG.labels(*watched.lane.labels, partition).set(watched.lag(partition))

    def _stored(self) -> Stored | None:
        """What Postgres says; None while it does not. One question at a time, however long it takes."""
        answer = self._question.put()
        wait([answer], timeout=ANSWER_SECONDS)
        if not answer.done():
            self._answers_since = time.monotonic()
            return None
        if (error := answer.exception()) is None:
            return answer.result()
        self._answers_since = time.monotonic()
        is_away = isinstance(error, Retryable)
        log.log(
            logging.INFO if is_away else logging.ERROR, "how far the streams are cannot be read now: %s", error,
            exc_info=None if is_away else error,
        )  # fmt: skip
        return None

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


def _standing(watched: Watched, standing: list[int], seconds: float, stored: Stored | None) -> list[Note]:
    """Say in the log that it stands still, and what is to be noted of it."""
    lane = watched.lane
    waiting = sum(watched.lag(partition) for partition in standing)
    untold = few(watched.untold[partition] for partition in standing if partition in watched.untold)
    as_far = f", as far as Kafka tells: {untold}" if untold else ""
    told = (
        f"{lane.stream}: {lane.topic}[{', '.join(map(str, standing))}] has stored nothing for {seconds:.0f} s and "
        f"{waiting} messages wait{as_far}. In the worker {os.getpid()} at {socket.gethostname()} {watched.state}."
    )
    watched.note(standing, told)
    noted = () if stored is None else stored.stalled.get((lane.stream, lane.topic), ())
    if stored is None or set(standing) <= set(noted):
        return []

    def note(connection: Connection) -> None:
        why = blocking.why(connection, lane.session)
        watched.note_blocker(why)
        partitions = watched.standing_by_now(noted, standing)
        stalls.note(connection, lane.stream, lane.topic, partitions, told + why, lane.clock.now())

    return [Note(f"that {lane.group} stands still", note)]


def _going_on(watched: Watched, stored: Stored) -> list[Note]:
    """What is to be noted of a stall that is over."""
    lane = watched.lane
    noted = stored.stalled.get((lane.stream, lane.topic))
    if noted is None:
        watched.forget_stall()
        return []
    if not watched.is_over(noted, stored):
        return []

    def end(connection: Connection) -> None:
        stalls.end(connection, lane.stream, lane.topic, lane.clock.now())
        log.info("%s goes on", lane.group)

    return [Note(f"that {lane.group} goes on", end)]


def _cluster(watched: Watched) -> _Cluster:
    return tuple(sorted(watched.lane.kafka.items()))
