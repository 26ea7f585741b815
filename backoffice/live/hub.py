"""All that is live in one web process: one Redis subscription, a broadcast of what somebody watches."""

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

import orjson
from django.db import DatabaseError, connections

from backoffice.kernel.clock import Clock

from . import bus, frames
from .board import Row, Rows
from .broadcast import Broadcast
from .publications import PUBLICATIONS, Publication, find
from .sendqueue import SendQueue
from .visitors import Visitor, visitors

log = logging.getLogger(__name__)

# One reading that hangs must not keep the others waiting; each thread holds a connection.
READERS = 4
LOOK_SECONDS = 2.0

Result = TypeVar("Result")


class Socket(Protocol):
    """What the hub knows of an open socket."""

    queue: SendQueue
    visitor: Visitor

    def revisit(self, visitor: Visitor | None) -> None:
        """Who is behind it now; None when the session has ended."""


class Hub:
    """Lives in one event loop; begins with the first socket."""

    def __init__(self, clock: Clock) -> None:
        self.publications: dict[str, Publication] = PUBLICATIONS | {"live": Publication("live", "", self._conditions)}
        self._clock = clock
        self._broadcasts: dict[str, Broadcast] = {}
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
        for name in list(self._broadcasts):
            self.unsubscribe(socket.queue, name)

    def subscribe(self, socket: Socket, name: str) -> bool:
        """Send the publication's snapshot and then its changes; False where the visitor may not see it.

        Raises:
            Rejected: there is no such publication.
        """
        publication, argument = find(name, self.publications)
        if not socket.visitor.may(publication.permission):
            return False
        if name not in self._broadcasts:
            self._broadcasts[name] = self._started(name, publication, argument)
        self._broadcasts[name].subscribers.add(socket.queue)
        socket.queue.want_snapshot(name)
        return True

    def unsubscribe(self, queue: SendQueue, name: str) -> None:
        """A publication that nobody watches is not read any more."""
        queue.forget(name)
        broadcast = self._broadcasts.get(name)
        if broadcast is None:
            return
        broadcast.subscribers.discard(queue)
        if not broadcast.subscribers:
            self._broadcasts.pop(name).stop()

    def snapshot(self, name: str) -> bytes | None:
        broadcast = self._broadcasts.get(name)
        return broadcast.snapshot() if broadcast else None

    def _begin(self) -> None:
        if not self._tasks:
            listening = bus.listen(self._heard, self._redis_reached, self._redis_lost)
            self._tasks = [asyncio.create_task(listening), asyncio.create_task(self._keep_looking())]

    def _started(self, name: str, publication: Publication, argument: str) -> Broadcast:
        read = partial(self._in_thread, partial(publication.read, argument))
        broadcast = Broadcast(name, publication, read, self._cannot_read, self._clock)
        broadcast.start()
        return broadcast

    def _heard(self, data: bytes) -> None:
        for name, updates in orjson.loads(data).items():
            if updates is None:
                self._doubt(name)
            elif name in self._broadcasts:
                self._broadcasts[name].fold(updates)

    def _doubt(self, name: str) -> None:
        """Have the publication read anew; ``prices:*`` are all that begin so, ``*`` is everything."""
        for known, broadcast in self._broadcasts.items():
            if known == name or (name.endswith("*") and known.startswith(name[:-1])):
                broadcast.doubt()

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
        key, was = f"publication {name}", f"publication {name}" in self._state
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
        """Sockets close when their session ends, publications when their permission does."""
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


def may_see(visitor: Visitor, publications: Collection[Publication]) -> bool:
    """Whether there is anything at all for this visitor."""
    return any(publication.permission and visitor.may(publication.permission) for publication in publications)
