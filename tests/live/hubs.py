"""A hub in the test's own event loop, on real servers, with sockets that only note what befalls them."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
import redis
from django.conf import settings

from backoffice.kernel.clock import SystemClock
from backoffice.live import bus
from backoffice.live.hub import Hub
from backoffice.live.messages import Message, Said, encoded
from backoffice.live.publications import AnyPublication
from backoffice.live.sendqueue import SendQueue
from backoffice.live.visitors import Visitor
from tests.live.client import Client

EVERYTHING = frozenset({"p"})
PATIENCE_SECONDS = 40.0


async def until(condition: Callable[[], object], what: str) -> None:
    """The event loop goes on meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


class OpenSocket:
    """Reads all that it is sent; ``ended`` says how it was sent away."""

    def __init__(self, hub: Hub, session_key: str = "", permissions: frozenset[str] = EVERYTHING) -> None:
        self.visitor = Visitor(session_key, permissions)
        self.queue = SendQueue(hub.snapshot)
        self.checked_at = time.monotonic()
        self.ended = ""
        self.clients: dict[str, Client] = {}
        self.frames: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())
        hub.join(self)

    def revisit(self, visitor: Visitor | None) -> None:
        # A socket without a session is no concern of these tests.
        if self.visitor.session_key:
            self.ended = self.ended or ("" if visitor else "session ended")

    def give_up(self) -> None:
        self.ended = self.ended or "unchecked"

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        return self.clients[name].rows if name in self.clients else {}

    async def _read(self) -> None:
        while True:
            data = await self.queue.next()
            frame = orjson.loads(data)
            self.frames.append(frame)
            self.clients.setdefault(frame["publication"], Client()).take(data)


def hub_of(*publications: AnyPublication) -> Hub:
    hub = Hub(SystemClock())
    hub.publications |= {publication.name: publication for publication in publications}
    return hub


class Worker:
    """Speaks on the channel as a worker does; ``lose`` is a message that never arrives."""

    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._name = uuid4().hex
        self._number = 0

    def say(self, said: Said) -> None:
        self.lose(said)
        self.send(encoded(Message(self._name, self._number, said)))

    def beat(self) -> None:
        self.say({})

    def lose(self, said: Said) -> None:  # noqa: ARG002 - nobody hears it
        self._number += 1

    def send(self, data: bytes) -> None:
        self._redis.publish(bus.name(), data)
