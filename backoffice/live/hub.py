"""All that is live in one web process: one Redis subscription, and a broadcast of whatever somebody watches."""

import asyncio
import logging
from collections.abc import Collection
from functools import partial
from typing import Any, Protocol

from backoffice.kernel.clock import Clock

from . import telemetry
from .authorising import Authorising, Guarded
from .broadcast import Broadcast
from .conditions import Conditions
from .hearing import Hearing
from .messages import Said
from .publications import PUBLICATIONS, AnyPublication, Publication, find
from .sendqueue import SendQueue
from .supervising import Well, supervised
from .threads import Threads, at_one_moment
from .visitors import Visitor

log = logging.getLogger(__name__)

# One reading that hangs must not keep the others waiting; each thread holds a connection.
READERS = 4
READING_SECONDS = 10.0
WATCH_SECONDS = 1.0


class Socket(Guarded, Protocol):
    """What the hub knows of an open socket."""

    queue: SendQueue


class Hub:
    """Lives in one event loop; begins with the first socket."""

    def __init__(self, clock: Clock, conditions: Conditions | None = None) -> None:
        self.conditions = conditions or Conditions(clock)
        own = Publication("live", "", lambda _: self.conditions.rows(), every=WATCH_SECONDS, in_memory=True)
        self.publications: dict[str, AnyPublication] = PUBLICATIONS | {own.name: own}
        self._clock = clock
        self._broadcasts: dict[str, Broadcast] = {}
        self._sockets: set[Socket] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._readers = Threads("live-read", READERS, READING_SECONDS)
        self._hearing = Hearing(self._take, partial(self._doubt, "*"), self.conditions)
        self._authorising = Authorising(self._sockets, clock, self.conditions)

    async def visitor(self, session_key: str) -> Visitor | None:
        """Raises whatever goes wrong while Postgres is asked, TimeoutError where it does not answer in time."""
        return await self._authorising.visitor(session_key)

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
        """What nobody watches is not read any more."""
        queue.forget(name)
        broadcast = self._broadcasts.get(name)
        if broadcast is None:
            return
        broadcast.subscribers.discard(queue)
        if not broadcast.subscribers:
            self._broadcasts.pop(name).stop()
            self.conditions.clear(f"publication {name}")

    def snapshot(self, name: str) -> bytes | None:
        broadcast = self._broadcasts.get(name)
        return broadcast.snapshot() if broadcast else None

    def _begin(self) -> None:
        if not self._tasks:
            self.conditions.note("redis", "connecting")
            acts = {
                "task listening": self._hearing.listen,
                "task looking": self._authorising.keep_looking,
                "task watching": self._keep_watching,
            }
            self._tasks = [asyncio.create_task(supervised(part, act, self.conditions)) for part, act in acts.items()]

    def _started(self, name: str, publication: AnyPublication, argument: str) -> Broadcast:
        async def read(cursor: Any) -> Any:
            act = partial(publication.reading, argument, cursor)
            if publication.in_memory:
                return act()
            return await self._readers.run(partial(at_one_moment, act) if publication.at_one_moment else act)

        broadcast = Broadcast(name, publication, read, self._hearing.is_everything, self._has_read, self._clock)
        broadcast.start(self.conditions)
        return broadcast

    def _take(self, said: Said) -> None:
        for name, updates in said.items():
            if updates is None:
                self._doubt(name)
            elif name in self._broadcasts:
                self._broadcasts[name].fold(updates)

    def _doubt(self, name: str) -> None:
        """Have the publication read anew; ``prices:*`` are all that begin so, ``*`` is everything."""
        for known, broadcast in self._broadcasts.items():
            if known == name or (name.endswith("*") and known.startswith(name[:-1])):
                broadcast.doubt()

    async def _keep_watching(self, well: Well) -> None:
        while True:
            if self._hearing.watch():
                for broadcast in self._broadcasts.values():
                    broadcast.affirm()
            well()
            await asyncio.sleep(WATCH_SECONDS)

    def _has_read(self, name: str, why: str) -> None:
        """Note why a reading failed, or that one was done."""
        part = f"publication {name}"
        if not why:
            if self.conditions.state(part) == "unread":
                self.conditions.clear(part)
                log.info("%s can be read again", name)
            return
        telemetry.READ_FAILURES.labels(name.partition(":")[0]).inc()
        if self.conditions.note(part, "unread", why):
            log.warning("%s cannot be read: %s", name, why)


def may_see(visitor: Visitor, publications: Collection[AnyPublication]) -> bool:
    """Whether there is anything at all for this visitor."""
    return any(each.permission and visitor.may(each.permission) for each in publications)
