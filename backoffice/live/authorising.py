"""Who may watch: asked when a socket opens, and again and again for as long as it is open."""

import asyncio
import logging
import time
from collections.abc import Collection
from functools import partial
from typing import Protocol

from backoffice.kernel.clock import Clock

from . import telemetry
from .conditions import Conditions
from .supervising import Well, in_words
from .threads import Threads, at_one_moment
from .visitors import Visitor, Visitors

log = logging.getLogger(__name__)

# Threads that no reading can occupy, nor any request: neither may keep an ended session in.
THREADS = 2
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 2.0
UNCHECKED_SECONDS = 30.0


class Guarded(Protocol):
    """What is open to a visitor. ``checked_at`` is when the session was last known to live, by `time.monotonic`."""

    visitor: Visitor
    checked_at: float

    def revisit(self, visitor: Visitor | None) -> None:
        """Who is behind it now; None when the session has ended."""

    def give_up(self) -> None:
        """Close it: nobody can say any more who is behind it."""


class Authorising:
    """``sockets`` are those that are open at any time."""

    def __init__(self, sockets: Collection[Guarded], clock: Clock, conditions: Conditions) -> None:
        self._sockets = sockets
        self._clock = clock
        self._conditions = conditions
        self._visitors = Visitors()
        self._threads = Threads("live-authorise", THREADS, ANSWER_SECONDS)

    async def visitor(self, session_key: str) -> Visitor | None:
        """Raises whatever goes wrong while Postgres is asked, TimeoutError where it does not answer in time."""
        return (await self._present([session_key])).get(session_key)

    async def keep_looking(self, well: Well) -> None:
        """Sockets close when their session ends or cannot be checked, publications when their permission does."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except Exception as error:
                if self._conditions.note("sessions", "unchecked", in_words(error)):
                    log.warning("sessions cannot be checked: %s", in_words(error), exc_info=True)
            else:
                self._conditions.clear("sessions")
            finally:
                self._give_up_unchecked()
            well()

    async def _look(self) -> None:
        began, looked_at = time.monotonic(), list(self._sockets)
        keys = {socket.visitor.session_key for socket in looked_at}
        present = await self._present(keys) if keys else {}
        for socket in looked_at:
            socket.checked_at = began
            socket.revisit(present.get(socket.visitor.session_key))

    def _give_up_unchecked(self) -> None:
        for socket in list(self._sockets):
            if time.monotonic() - socket.checked_at > UNCHECKED_SECONDS:
                telemetry.UNCHECKED.inc()
                socket.give_up()

    async def _present(self, session_keys: Collection[str]) -> dict[str, Visitor]:
        look = partial(self._visitors.present, session_keys, self._clock.now())
        return await self._threads.run(partial(at_one_moment, look))
