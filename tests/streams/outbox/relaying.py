"""The relay a round at a time, in the test's own thread and at the test's own time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from confluent_kafka import Producer
from django.conf import settings

from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import FixedClock
from backoffice.streams.database import Connection
from backoffice.streams.kafka.clients import producer
from backoffice.streams.kafka.writing import refusals
from backoffice.streams.outbox.delivery import Delivery, Refusals
from backoffice.streams.outbox.relay import Limits, relay_once, session
from backoffice.streams.outbox.transactions import as_the_only_relay
from tests.spine import Spine

# Between two rounds the relay says nothing for as long as the test takes.
LIMITS = Limits(timedelta(seconds=1), timedelta(seconds=60), timedelta(seconds=300), timedelta(seconds=600))


@dataclass
class Rounds:
    """``clock`` stands still but for the test."""

    connection: Connection
    delivery: Delivery
    clock: FixedClock

    def one(self) -> int:
        return relay_once(self.connection, self.delivery, self.clock, LIMITS)

    def until_idle(self) -> int:
        """How many rounds there was something to do."""
        rounds = 0
        while self.one():
            rounds += 1
            assert rounds < 1_000, "the relay does not come to rest"
        return rounds


@contextmanager
def relaying(
    spine: Spine,
    registry: Registry | None = None,
    *,
    patience: float = 30.0,
    servers: str = "",
    client: Callable[[dict[str, Any]], Producer] = producer,
    stopping: threading.Event | None = None,
    limits: Limits = LIMITS,
    asked: Refusals | None = None,
) -> Iterator[Rounds]:
    """Kafka (other ``servers``, if given) has ``patience`` seconds for an answer."""
    elsewhere = {"bootstrap.servers": servers, "log_level": "0"} if servers else {}
    known = registry or Registry(settings.SCHEMA_REGISTRY_URL, spine.prefix)
    make = partial(client, settings.KAFKA | as_the_only_relay(spine.prefix) | elsewhere)
    refused = asked or partial(refusals, settings.KAFKA | elsewhere)
    delivery = Delivery(
        make, refused, known, spine.prefix, stopping=stopping, batch_seconds=patience, alone_seconds=patience
    )
    with session(limits) as connection:
        yield Rounds(connection, delivery, FixedClock(datetime.now(UTC)))
