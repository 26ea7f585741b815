"""How many requests a process serves at a time: each has a thread and a session of Postgres until it is answered."""

import asyncio
import logging
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest

from .ahead import Ahead, Application
from .unavailable import unavailable

log = logging.getLogger(__name__)


class Admission:
    """At most ``count`` requests are with ``pages``; others wait for their turn, ``seconds`` at most, and hold nothing.

    A request has its turn until its answer is sent and its session given back, also where whoever asked has left.
    """

    def __init__(self, pages: Application, count: int, seconds: float) -> None:
        self._pages = pages
        self._turns = asyncio.Semaphore(count)
        self._seconds = seconds
        self._ahead = Ahead()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        turn = _Turn(self._turns, self._seconds)

        async def received() -> Any:
            message = await receive()
            # Not before all of it is there: who sends it slowly takes no turn from others.
            if message["type"] == "http.request" and not message.get("more_body", False):
                await turn.begin()
            return message

        try:
            await self._pages(scope, received, send)
        except _NoTurnError:
            log.warning("a request had no turn within %g s, all are taken: %r", self._seconds, scope["path"])
            request = ASGIRequest(scope, BytesIO())
            answer = unavailable(request, "crowd", is_begun=False)
            await self._ahead.send(request, answer, send)
        finally:
            turn.end()


class _NoTurnError(Exception):
    """All turns are taken, and none ended in time."""


class _Turn:
    def __init__(self, turns: asyncio.Semaphore, seconds: float) -> None:
        self._turns = turns
        self._seconds = seconds
        self._is_had = False

    async def begin(self) -> None:
        """Raises _NoTurnError."""
        if self._is_had:
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise _NoTurnError from None
        self._is_had = True

    def end(self) -> None:
        if self._is_had:
            self._turns.release()
