"""What a seed plays on: servers, workers, load, and how far the workers are."""

import random
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO

import psycopg
from confluent_kafka import KafkaException

from backoffice.localstack.stack import Stack
from backoffice.localstack.supervise import Part
from backoffice.simulator.events.envelope import Event
from backoffice.streams.store.projection import STREAMS
from tests.faults.groups import assignments
from tests.faults.load import Load
from tests.spine import Process, Spine, kill, thaw, until

WORKERS = 2
LITTLE = 1_000
PATIENCE_SECONDS = 90.0
# A lane that stands still tells so, and what it waits for, before patience is over.
STALL_SECONDS = "45"
LOOK_SECONDS = 0.2
A_LANE = ("wallet", "wallet-transactions")

_HALTED = "SELECT stream, topic, partition FROM streams_halt WHERE resumed_at IS NULL"
_STALLS = "SELECT stream, topic, told FROM streams_stall WHERE ended_at IS NULL"

Place = tuple[str, str, int]


@dataclass
class Scene:
    stack: Stack
    spine: Spine
    load: Load
    rng: random.Random
    output: int
    brokers: Mapping[int, Part] = field(default_factory=dict)
    """The three of a cluster by number; none where Kafka is the stack's."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What workers are told besides."""
    workers: list[Process] = field(default_factory=list)
    emitted: list[Event] = field(default_factory=list)
    """What was put into the outbox, and is to arrive."""
    recoveries: list[float] = field(default_factory=list)
    said: StringIO = field(default_factory=StringIO)

    def hire(self) -> Process:
        """Start one more worker."""
        worker = self.spine.worker(output=self.output, STREAM_STALL_SECONDS=STALL_SECONDS, **self.environ)
        self.workers.append(worker)
        return worker

    def any_worker(self) -> Process:
        return self.rng.choice(self.workers)

    def kill_and_replace(self, worker: Process) -> None:
        kill(worker)
        self.workers.remove(worker)
        self.hire()

    def wait(self, shortest: float, longest: float) -> None:
        time.sleep(self.rng.uniform(shortest, longest))

    def lag(self) -> dict[Place, int]:
        """What is not stored yet, for each stream, topic and partition.

        Raises:
            psycopg.OperationalError, KafkaException, TimeoutError: it cannot be told now.
        """
        return self.spine.lag()

    def recovery(self) -> float:
        """Seconds until all that lagged has moved on and little is left to store; noted among the others.

        Raises:
            TimeoutError: that does not come true.
        """
        began = time.monotonic()
        behind: dict[Place, int] = {}
        while time.monotonic() < began + PATIENCE_SECONDS:
            try:
                lag = self.lag()
                stored = self._stored()
            except (psycopg.OperationalError, KafkaException, TimeoutError):
                time.sleep(LOOK_SECONDS)
                continue
            if not behind:
                behind = {place: stored.get(place, 0) for place in lag}
            if behind and sum(lag.values()) < LITTLE and all(stored.get(place, 0) > at for place, at in behind.items()):
                self.recoveries.append(time.monotonic() - began)
                return self.recoveries[-1]
            time.sleep(LOOK_SECONDS)
        raise TimeoutError(f"no recovery within {PATIENCE_SECONDS:.0f} s; {self._stuck_or_not_told(behind)}")

    def all_stored(self) -> None:
        """Wait until all is stored that is in Kafka now."""
        ends = self.spine.ends()
        until(lambda: max(self.spine.lag(ends=ends).values(), default=0) <= 0, "all of now is stored")

    def _stuck_or_not_told(self, behind: Mapping[Place, int]) -> str:
        try:
            return self.stuck(behind)
        except (psycopg.Error, KafkaException, TimeoutError) as error:
            return f"what stands still cannot be told: {error}"

    def stuck(self, behind: Mapping[Place, int]) -> str:
        """Of each partition that has not moved: who has it, whether it is halted, and what its lane waits for."""
        self._ask_what_they_do()
        stored, lag = self._stored(), self.lag()
        standing = [place for place, at in behind.items() if stored.get(place, 0) == at]
        halted = {tuple(row) for row in self.spine.rows(_HALTED)}
        stalls = {(stream, topic): told for stream, topic, told in self.spine.rows(_STALLS)}
        told = [
            f"{stream}: {topic}[{partition}] stands at {stored.get((stream, topic, partition))} with"
            f" {lag.get((stream, topic, partition), 0)} to store, {self._owner(stream, topic, partition)},"
            f" {'halted' if (stream, topic, partition) in halted else 'not halted'};"
            f" {stalls.get((stream, topic), 'no worker has told what it waits for')}"
            for stream, topic, partition in standing
        ]
        return "\n    ".join([f"still to store: {sum(lag.values())}", *told])

    def _ask_what_they_do(self) -> None:
        """Celery's worker answers with what each of its threads is doing."""
        for worker in self.workers:
            worker.send_signal(signal.SIGUSR1)

    def _members(self) -> dict[str, int]:
        """How many are in the group of each stream and topic."""
        lanes = [(name, topic) for name, stream in STREAMS.items() for topic in stream.topics()]
        return {f"{stream}.{topic}": len(assignments(self.spine, stream, topic)) for stream, topic in lanes}

    def _owner(self, stream: str, topic: str, partition: int) -> str:
        try:
            members = assignments(self.spine, stream, topic)
        except (KafkaException, TimeoutError) as error:
            return f"owned by somebody unknown ({error})"
        owners = [member for member, partitions in members.items() if partition in partitions]
        return f"owned by the member {owners[0]}" if owners else "owned by nobody"

    def wait_joined(self) -> None:
        """Until every worker is in its groups: one that is just starting does not know yet what SIGTERM asks of it."""
        try:
            until(self._all_joined, "all workers have joined")
        except TimeoutError as error:
            self._ask_what_they_do()
            raise TimeoutError(f"{error}; in the groups are {self._members()} of {len(self.workers)}") from None

    def _all_joined(self) -> bool:
        """Kafka may be just coming back, and its coordinator later still."""
        with suppress(KafkaException, TimeoutError):
            return len(assignments(self.spine, *A_LANE)) == len(self.workers)
        return False

    def wait_relayed(self) -> None:
        """Until nothing waits in the outbox."""
        unsent = "SELECT count(*) FROM streams_outbox WHERE sent_at IS NULL AND discarded_at IS NULL"
        until(lambda: not self.spine.value(unsent), "the outbox is empty")

    def _stored(self) -> dict[Place, int]:
        rows = self.spine.rows("SELECT stream, topic, partition, next FROM streams_offset")
        return {(stream, topic, partition): following for stream, topic, partition, following in rows}

    def dismiss(self) -> list[int]:
        """End all workers politely; their exit codes."""
        for worker in self.workers:
            thaw(worker)
            worker.terminate()
        codes = [worker.wait(30) for worker in self.workers]
        self.workers.clear()
        return codes
