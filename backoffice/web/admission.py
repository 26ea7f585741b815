"""How many requests a process serves at a time, and how much, and how slowly, who asks may send and take.

Each request has a thread and a session of Postgres until it is answered.
"""

import asyncio
import logging
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from prometheus_client import Gauge

from .ahead import Ahead, Application
from .unavailable import too_large, unavailable

log = logging.getLogger(__name__)

SERVED = Gauge("pitboss_web_requests", "Requests that have their turn.", ("of",), multiprocess_mode="livesum")
PAGES, FILES = "pages", "files"


class Admission:
    """At most ``sessions`` requests are with ``pages``; others wait for their turn, ``lock`` seconds at most, and hold
    nothing. Static files, for which Postgres is not asked, have as many turns of their own.

    A request has its turn until its answer is sent and its session given back, also where whoever asked has left: who
    takes nothing of the answer for ``sending`` seconds has left too. One of more than ``body`` bytes is refused.
    """

    def __init__(self, pages: Application, limits: Mapping[str, Any]) -> None:
        self._pages = pages
        self._limits = limits
        self._turns = {kind: asyncio.Semaphore(limits["sessions"]) for kind in (PAGES, FILES)}
        self._ahead = Ahead()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kind = FILES if scope["path"].startswith(settings.STATIC_URL) else PAGES
        turn = _Turn(kind, self._turns[kind], self._limits["lock"])
        left = self._limits["body"]

        async def received() -> Any:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise _TooLargeError
                # Not before all of it is there: who sends it slowly takes no turn from others.
                if not message.get("more_body", False):
                    await turn.begin()
            return message

        try:
            await self._pages(scope, received, self._patient(scope, send))
        except _NoTurnError:
            log.warning("a request had no turn within %g s, all are taken: %r", self._limits["lock"], scope["path"])
            request = ASGIRequest(scope, BytesIO())
            await self._ahead.send(request, unavailable(request, "crowd", is_begun=False), send)
        except _TooLargeError:
            log.warning("a request had more than %d bytes: %r", self._limits["body"], scope["path"])
            request = ASGIRequest(scope, BytesIO())
            await self._ahead.send(request, too_large(self._limits["body"]), send)
        finally:
            turn.end()

    def _patient(self, scope: Any, send: Any) -> Any:
        async def sent(message: Any) -> None:
            try:
                async with asyncio.timeout(self._limits["sending"]):
                    await send(message)
            except TimeoutError:
                log.warning("an answer was not taken within %g s: %r", self._limits["sending"], scope["path"])
                # Django takes it for a hang-up, and gives the session back; the server hangs up.
                raise asyncio.CancelledError from None

        return sent


class _NoTurnError(Exception):
    """All turns are taken, and none ended in time."""


class _TooLargeError(Exception):
    """It sends more than anything here takes."""


class _Turn:
    def __init__(self, kind: str, turns: asyncio.Semaphore, seconds: float) -> None:
        self._turns = turns
        self._seconds = seconds
        self._served = SERVED.labels(kind)
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
        self._served.inc()

    def end(self) -> None:
        if self._is_had:
            self._turns.release()
            self._served.dec()
