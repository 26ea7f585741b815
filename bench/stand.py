"""What a benchmark runs on: a database and topics of its own, on the servers of the settings, gone afterwards."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient, NewTopic
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.registry import Registry
from backoffice.simulator.events.envelope import Event
from backoffice.streams.kafka.clients import CLIENT

PARTITIONS = 8
BETS = "bet-events"
RECORDS = frozenset(TOPICS[BETS].records)
PEERS = ("write_row", "bulk_create")
TABLES = ("trading_bet", "trading_leg", "trading_settlement", "metrics_window", "metrics_activity")
"""All that the projections of `bet-events` write, in the order of their size."""


class Message(NamedTuple):
    key: bytes
    value: bytes


@dataclass
class Stand:
    """``prefix`` stands before the topics of the benchmark's own stream; each peer has a topic beside it."""

    database_url: str
    prefix: str
    registry: Registry
    _known: dict[str, int] = field(default_factory=dict)

    def topic(self, reader: str = "") -> str:
        """The bets' topic, or the same for one peer alone."""
        return f"{self.prefix}{reader}{BETS}"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that works here."""
        return os.environ | {"DATABASE_URL": self.database_url, "KAFKA_TOPIC_PREFIX": self.prefix}

    def framed(self, events: Iterable[Event]) -> list[Message]:
        """The events as they stand in Kafka."""
        register = self.registry.register
        return [
            Message(event.key.encode(), frame(register(event.record), encode(event.record, event.body)))
            for event in events
        ]

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.database_url, autocommit=True)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query, parameters).fetchall()

    def empty(self, tables: Sequence[str] = TABLES) -> None:
        """The tables without a row, and no checkpoint of what came before in the time that is measured next."""
        with self.connect() as connection:
            # Settlements refuse TRUNCATE; the triggers that do so sleep in a replica's session.
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {', '.join(tables)}, streams_deadletter, streams_repeat")
            connection.execute("CHECKPOINT")


@contextmanager
def stand() -> Iterator[Stand]:
    name = f"bench_{uuid4().hex[:12]}"
    prefix = f"{name}."
    url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{name}"
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as administration:
        administration.execute(f'CREATE DATABASE "{name}"')
        default = connections["default"]
        before = default.settings_dict["NAME"]
        default.close()
        default.settings_dict["NAME"] = name
        try:
            call_command("migrate", verbosity=0)
            registry = Registry(settings.SCHEMA_REGISTRY_URL, prefix)
            here = Stand(url, prefix, registry)
            others = [f"{prefix}{name}" for name in TOPICS if name != BETS]
            with _topics([*others, *(here.topic(reader) for reader in ("", *PEERS))]):
                yield here
        finally:
            default.close()
            default.settings_dict["NAME"] = before
            administration.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _topics(names: list[str]) -> Iterator[None]:
    admin = AdminClient(dict(settings.KAFKA))
    for made in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        made.result(30)
    try:
        yield
    finally:
        for gone in admin.delete_topics(names).values():
            gone.result(30)


class Feed:
    """Messages that lie in the broker, unseen, until they all come into sight at once: a Kafka transaction.

    So the time of producing them is no part of what is measured, and whoever drains them is up and waiting before.
    ``ends`` are the offsets after the last message of each partition.
    """

    def __init__(self, topic: str) -> None:
        self.ends = [0] * PARTITIONS
        self._counts = [0] * PARTITIONS
        self._topic = topic
        self._producer = Producer(
            CLIENT
            | {"transactional.id": f"{topic}-{uuid4().hex}", "transaction.timeout.ms": "300000"}
            | {"compression.type": "lz4", "linger.ms": "20", "queue.buffering.max.messages": "500000"}
            | {"partitioner": "murmur2_random"}
            | settings.KAFKA
        )
        self._producer.init_transactions(30)

    def load(self, messages: Iterable[Message]) -> list[int]:
        """Send the messages; how many went to each partition."""
        self._counts = [0] * PARTITIONS
        self._producer.begin_transaction()
        for number, message in enumerate(messages):
            self._produce(message)
            if not number % 1000:
                self._producer.poll(0)
        self._producer.flush(120)
        return self._counts

    def reveal(self) -> None:
        self._producer.commit_transaction(60)

    def _produce(self, message: Message) -> None:
        while True:
            try:
                self._producer.produce(self._topic, key=message.key, value=message.value, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def _delivered(self, error: KafkaError | None, sent: KafkaMessage) -> None:
        if error is not None:
            raise KafkaException(error)
        partition, offset = sent.partition() or 0, sent.offset() or 0
        self._counts[partition] += 1
        self.ends[partition] = offset + 1
