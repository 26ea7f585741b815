"""The way of an event for one test: its own topics and database, workers in this process or beside it."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from django.conf import settings
from django.test import override_settings

from backoffice.contracts.catalogue import TOPICS, dead_letter_topic, topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.registry import Registry
from backoffice.simulator.events.envelope import Event
from backoffice.streams.consume.watching.watchdog import Watchdog
from backoffice.streams.kafka.clients import READS_COMMITTED, producer
from backoffice.streams.step import LaneThread, lanes_of
from backoffice.streams.store.projection import STREAMS

# Times in the log are the broker's, as `manage.py topics` makes them.
LOGGED = {"message.timestamp.type": "LogAppendTime"}
PATIENCE_SECONDS = 60.0
# Whoever reads what is there does not want to wait for more.
BRISK = {"fetch.wait.max.ms": "10"}
Ends = dict[tuple[str, int], int]
Process = subprocess.Popen[bytes]


def until(condition: Callable[[], object], what: str, timeout: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition; a test never sleeps for a time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.02)


@dataclass
class Spine:
    """``topics`` are those of the catalogue under a prefix of this spine's own, with ``partitions`` each."""

    database_url: str
    prefix: str
    partitions: int
    registry: Registry
    replication: int = 1
    _exits: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @contextmanager
    def on_servers(cls, database: str, partitions: int = 2, replication: int = 1, **servers: str) -> Iterator["Spine"]:
        """A spine on the servers of the settings, or on those of ``servers`` (an own stack's environment)."""
        url = servers.get("DATABASE_URL", settings.DATABASE_URL)
        kafka = settings.KAFKA | (
            {"bootstrap.servers": servers["KAFKA_BOOTSTRAP_SERVERS"]} if "KAFKA_BOOTSTRAP_SERVERS" in servers else {}
        )
        prefix = f"t{uuid4().hex[:10]}."
        changed = override_settings(
            KAFKA=kafka,
            KAFKA_TOPIC_PREFIX=prefix,
            REDIS_URL=servers.get("REDIS_URL", settings.REDIS_URL),
            SCHEMA_REGISTRY_URL=servers.get("SCHEMA_REGISTRY_URL", settings.SCHEMA_REGISTRY_URL),
        )
        with changed:
            spine = cls(
                f"{url.rpartition('/')[0]}/{database}",
                prefix,
                partitions,
                Registry(settings.SCHEMA_REGISTRY_URL),
                replication,
            )
            spine._create_topics()
            # The template may be older than what makes a job late.
            spine.rows("UPDATE streams_clocked_job SET known_since = now() RETURNING name")
            with spine._exits:
                yield spine
            spine._delete_topics()

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that is to work on this spine."""
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "backoffice.settings.test",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": settings.REDIS_URL,
            "KAFKA_BOOTSTRAP_SERVERS": settings.KAFKA["bootstrap.servers"],
            "SCHEMA_REGISTRY_URL": settings.SCHEMA_REGISTRY_URL,
            "KAFKA_TOPIC_PREFIX": self.prefix,
        }

    def send(self, events: Iterable[Event]) -> None:
        """Produce the events and wait until Kafka has all of them."""
        sender = producer(settings.KAFKA)
        for event in events:
            value = frame(self.registry.register(event.record), encode(event.record, event.body))
            produce(sender, f"{self.prefix}{topic_of(event.record)}", event.key.encode(), value)
        assert sender.flush(PATIENCE_SECONDS) == 0

    def send_bytes(self, topic: str, values: Iterable[bytes | None], key: bytes = b"k", partition: int = -1) -> None:
        """Produce values as they are, all under one key or to one partition."""
        sender = producer(settings.KAFKA)
        for value in values:
            produce(sender, f"{self.prefix}{topic}", key, value, partition)
        assert sender.flush(PATIENCE_SECONDS) == 0

    def set_topic(self, topic: str, **settings_of_it: str) -> None:
        """Change settings of a topic that is there."""
        entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                   for name, value in settings_of_it.items()]  # fmt: skip
        resource = ConfigResource(ResourceType.TOPIC, f"{self.prefix}{topic}", incremental_configs=entries)
        admin = AdminClient({**settings.KAFKA})
        admin.incremental_alter_configs([resource])[resource].result(30)

    @contextmanager
    def streaming(self, *names: str) -> Iterator[None]:
        """The named streams (default: all) stored by threads of this process, until the block ends."""
        stopping = threading.Event()
        lanes = [LaneThread(lane, sink, stopping) for lane, sink in lanes_of(list(names) or sorted(STREAMS))]
        threads = [*lanes, Watchdog([(lane.lane, lane.state) for lane in lanes], stopping)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopping.set()
            for thread in threads:
                thread.join(15)
            assert not any(thread.is_alive() for thread in threads)

    def drain(self, *names: str) -> None:
        """Store all that is in the topics now."""
        with self.streaming(*names):
            self.wait_drained(*names)

    def worker(self, streams: str = "all", output: int | None = None, **environ: str) -> Process:
        """A Celery worker process; ended at the end of the spine if it still lives then."""
        command = [
            sys.executable, "-m", "celery", "-A", "backoffice", "worker", "--streams", streams,
            "--hostname", f"{uuid4().hex}@test",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, env=self.environ | environ, start_new_session=True, stdout=output, stderr=output
        )
        self._exits.callback(_end, process)
        return process

    def wait_drained(self, *names: str, timeout: float = PATIENCE_SECONDS) -> None:
        ends = self.ends()

        def is_stored() -> bool:
            """What came after the ends were told may be stored too."""
            return max(self.lag(*names, ends=ends).values(), default=0) <= 0

        try:
            until(is_stored, f"{', '.join(names) or 'all streams'} drained", timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; these wait: {self.lag(*names, ends=ends)}") from None
        beyond = self.lag(*names, ends=ends)
        if self.ends() != ends:
            self.wait_drained(*names, timeout=timeout)
        elif beyond:
            raise AssertionError(f"stored beyond the end: {beyond}")

    def lag(self, *names: str, ends: Ends | None = None) -> dict[tuple[str, str, int], int]:
        """Messages not stored yet, for each stream, topic and partition that has any."""
        stored = {(s, t, p): n for s, t, p, n in self.rows("SELECT stream, topic, partition, next FROM streams_offset")}
        ends = self.ends() if ends is None else ends
        return {
            (stream, topic, partition): end - int(stored.get((stream, topic, partition), 0))
            for stream in names or STREAMS
            for (topic, partition), end in ends.items()
            if STREAMS[stream].records_of(topic) and end != stored.get((stream, topic, partition), 0)
        }

    def ends(self) -> Ends:
        """The end of each partition of each topic of the catalogue."""
        wanted = {
            TopicPartition(self.prefix + topic, partition): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for topic in TOPICS
            for partition in range(self.partitions)
        }
        found: dict[TopicPartition, int] = {}
        patience = itertools.count(0.1, 0.1)

        def are_told() -> bool:
            # A topic just made has no leader yet, nor has any just after the broker came back; and a client remembers
            # for a while what it was told, or waits for seconds before it asks again.
            admin = AdminClient({**settings.KAFKA})
            asked = admin.list_offsets(wanted, request_timeout=next(patience))
            with suppress(KafkaException, TimeoutError):
                told = {at: future.result(10).offset for at, future in asked.items()}
                # Of a leader that the client has just lost it says -1001 and no error.
                found.update({at: end for at, end in told.items() if end != OFFSET_INVALID})
            return len(found) == len(wanted)

        until(are_told, "Kafka tells where each partition ends")
        return {(at.topic.removeprefix(self.prefix), at.partition): end for at, end in found.items()}

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        return self.rows(query, *parameters)[0][0]

    def read(self, topic: str) -> list[tuple[bytes | None, bytes | None, dict[str, str]]]:
        """Key, value and headers of all that a topic holds now, without what is not committed (yet)."""
        return [(message.key(), message.value(), _headers(message)) for message in self.messages(topic)]

    def messages(self, topic: str) -> Iterator[Message]:
        """All that a topic holds now, in order within each partition, without what is not committed (yet)."""
        told = {"group.id": "read", "auto.offset.reset": "earliest", "enable.partition.eof": "true"}
        with closing(Consumer(settings.KAFKA | READS_COMMITTED | BRISK | told)) as consumer:
            # By itself the client looks once a second for who leads a topic that it has not read yet.
            consumer.list_topics(f"{self.prefix}{topic}", 10)
            for partition in range(self.partitions):
                consumer.assign([TopicPartition(f"{self.prefix}{topic}", partition, 0)])
                while (message := consumer.poll(10)) is None or not _is_end(message):
                    assert message is not None
                    yield message

    def make_topic(self, topic: str) -> None:
        """Make one topic of the catalogue."""
        self._make([topic])

    def add_partitions(self, topic: str, count: int) -> None:
        """Give a topic of the catalogue so many partitions, and wait until they take messages."""
        name, admin = f"{self.prefix}{topic}", AdminClient({**settings.KAFKA})
        admin.create_partitions([NewPartitions(name, count)])[name].result(30)

        # The broker answers before it has them.
        def led() -> bool:
            partitions = AdminClient({**settings.KAFKA}).list_topics(name, 10).topics[name].partitions
            return len(partitions) == count and all(partition.leader >= 0 for partition in partitions.values())

        until(led, f"{topic} has {count} partitions")

    def _create_topics(self) -> None:
        self._make([*TOPICS, *map(dead_letter_topic, TOPICS)])

    def _make(self, names: list[str]) -> None:
        new = [NewTopic(f"{self.prefix}{name}", self.partitions, self.replication, config=LOGGED) for name in names]
        admin = AdminClient({**settings.KAFKA})
        for future in admin.create_topics(new).values():
            future.result(30)
        self.ends()  # Answers once every partition has its leader.

    def _delete_topics(self) -> None:
        names = [f"{self.prefix}{name}" for name in (*TOPICS, *map(dead_letter_topic, TOPICS))]
        admin = AdminClient({**settings.KAFKA})
        for future in admin.delete_topics(names).values():
            # A broker that was frozen or away takes its time.
            future.result(PATIENCE_SECONDS)


def kill(process: Process) -> None:
    """SIGKILL to the whole process group, as a machine that loses its power would do it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@contextmanager
def frozen(process: Process) -> Iterator[None]:
    """It lives and does nothing, and its machine answers for its connections."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        thaw(process)


def thaw(process: Process) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """The same of single processes."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _is_end(message: Message) -> bool:
    error = message.error()
    assert error is None or error.code() == KafkaError._PARTITION_EOF, error
    return error is not None


def _headers(message: Message) -> dict[str, str]:
    headers: Any = message.headers() or []
    return {name: value.decode() for name, value in headers}


def _end(process: Process) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            kill(process)


def produce(sender: Any, topic: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
    """Hand a message to the producer; where Kafka does not take it, a later call or flush raises what it said."""
    while True:
        try:
            sender.produce(topic, key=key, value=value, partition=partition, on_delivery=_delivered)
        except BufferError:
            sender.poll(0.1)
        else:
            sender.poll(0)
            return


def _delivered(error: KafkaError | None, message: Message) -> None:
    if error is not None:
        raise KafkaException(error)
