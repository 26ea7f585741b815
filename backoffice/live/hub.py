"""All that is live in one web process: one Redis subscription, one feed for each topic that somebody watches."""

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

import orjson
from django.db import DatabaseError, connections

from backoffice.kernel.clock import Clock

from . import channel, frames
from .board import Row, Rows
from .feed import Feed
from .outbox import Outbox
from .topics import TOPICS, Topic, find
from .visitors import Visitor, visitors

log = logging.getLogger(__name__)

# One reading that hangs must not keep the others waiting; each thread holds a connection.
READERS = 4
LOOK_SECONDS = 2.0

Result = TypeVar("Result")


class Socket(Protocol):
    """What the hub knows of an open socket."""

    outbox: Outbox
    visitor: Visitor

    def revisit(self, visitor: Visitor | None) -> None:
        """Who is behind it now; None when the session has ended."""


class Hub:
    """Lives in one event loop; begins with the first socket."""

    def __init__(self, clock: Clock) -> None:
        self.topics: dict[str, Topic] = TOPICS | {"live": Topic("live", "", self._conditions)}
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self._sockets: set[Socket] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="live-read")
        self._state: Rows = {}
        self._since("redis", state="connecting", why="")

    async def visitor(self, session_key: str) -> Visitor | None:
        """Raises DatabaseError while Postgres is away."""
        found = await self._in_thread(partial(visitors, [session_key], self._clock.now()))
        return found.get(session_key)

    def join(self, socket: Socket) -> None:
        self._begin()
        self._sockets.add(socket)

    def leave(self, socket: Socket) -> None:
        self._sockets.discard(socket)
        for name in list(self._feeds):
            self.unsubscribe(socket.outbox, name)

    def subscribe(self, socket: Socket, name: str) -> bool:
        """Send the topic's snapshot and then its changes; False where the visitor may not see it.

        Raises:
            Rejected: there is no such topic.
        """
        topic, argument = find(name, self.topics)
        if not socket.visitor.may(topic.permission):
            return False
        if name not in self._feeds:
            self._feeds[name] = self._started(name, topic, argument)
        self._feeds[name].subscribers.add(socket.outbox)
        socket.outbox.want_snapshot(name)
        return True

    def unsubscribe(self, outbox: Outbox, name: str) -> None:
        """A topic that nobody watches is not read any more."""
        outbox.forget(name)
        feed = self._feeds.get(name)
        if feed is None:
            return
        feed.subscribers.discard(outbox)
        if not feed.subscribers:
            self._feeds.pop(name).stop()

    def snapshot(self, name: str) -> bytes | None:
        feed = self._feeds.get(name)
        return feed.snapshot() if feed else None

    def _begin(self) -> None:
        if not self._tasks:
            listening = channel.listen(self._heard, self._redis_reached, self._redis_lost)
            self._tasks = [asyncio.create_task(listening), asyncio.create_task(self._keep_looking())]

    def _started(self, name: str, topic: Topic, argument: str) -> Feed:
        read = partial(self._in_thread, partial(topic.read, argument))
        feed = Feed(name, topic, read, self._cannot_read, self._clock)
        feed.start()
        return feed

    def _heard(self, data: bytes) -> None:
        for name, updates in orjson.loads(data).items():
            if updates is None:
                self._doubt(name)
            elif name in self._feeds:
                self._feeds[name].fold(updates)

    def _doubt(self, name: str) -> None:
        """Have the topic read anew; ``prices:*`` are all that begin so, ``*`` is everything."""
        for known, feed in self._feeds.items():
            if known == name or (name.endswith("*") and known.startswith(name[:-1])):
                feed.doubt()

    def _redis_reached(self) -> None:
        self._since("redis", state="connected", why="")
        # Nobody knows what was said meanwhile.
        self._doubt("*")

    def _redis_lost(self, why: str) -> None:
        if self._state["redis"]["state"] != "away":
            log.warning("live pages read every few seconds what nobody tells them: %s", why)
        self._since("redis", state="away", why="Redis is away; numbers are read every few seconds instead.")
        self._doubt("live")

    def _cannot_read(self, name: str, why: str) -> None:
        key, was = f"topic {name}", f"topic {name}" in self._state
        if why:
            self._since(key, state="unread", why=why)
        else:
            self._state.pop(key, None)
        if bool(why) != was:
            log.warning("%s cannot be read: %s", name, why) if why else log.info("%s can be read again", name)
            self._doubt("live")

    def _since(self, what: str, **row: str) -> None:
        """Note a state of ours, with the time from which on it is so."""
        known: Row = self._state.get(what, {})
        same = known.get("state") == row["state"]
        since = known["since"] if same else frames.milliseconds(self._clock.now())
        self._state[what] = {**row, "since": since}

    def _conditions(self, _: str) -> Rows:
        return dict(self._state)

    async def _keep_looking(self) -> None:
        """Sockets close when their session ends, topics when their permission does."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            keys = {socket.visitor.session_key for socket in self._sockets}
            try:
                present = await self._in_thread(partial(visitors, keys, self._clock.now())) if keys else {}
            except DatabaseError as error:
                log.warning("sessions cannot be looked up: %s", str(error).strip())
                continue
            for socket in [one for one in self._sockets if one.visitor.session_key in keys]:
                socket.revisit(present.get(socket.visitor.session_key))

    async def _in_thread(self, read: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._readers, _reading, read)


def _reading(read: Callable[[], Result]) -> Result:
    """The thread keeps its connection, but not one that failed."""
    try:
        return read()
    except DatabaseError:
        connections.close_all()
        raise


def may_see(visitor: Visitor, topics: Collection[Topic]) -> bool:
    """Whether there is anything at all for this visitor."""
    return any(topic.permission and visitor.may(topic.permission) for topic in topics)
