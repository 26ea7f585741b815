"""Connections that end, whatever those at their other ends do or leave undone.

Each is a descriptor, and a process that has as many as it may takes nobody. uvicorn waits for ever for who sends half a
request, and for who takes nothing of what it still has to say before it closes.
"""

import asyncio
import errno
import logging
import socket

from django.conf import settings
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

log = logging.getLogger(__name__)


class Bounded(HttpToolsProtocol):
    """uvicorn's, as its option ``--http`` takes it.

    A request is whole within ``receiving`` seconds, or its connection is closed. One that takes nothing for ``sending``
    seconds is ended, also where it is being closed or has become a live socket.
    """

    _unsent: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        own = transport.get_extra_info("socket")
        if own is not None and own.family in (socket.AF_INET, socket.AF_INET6):
            # Linux sees to it: it alone knows of all that is on its way, whoever wrote it, and goes on with it where
            # the process has closed the connection.
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1_000 * settings.WEB["sending"]))
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        if isinstance(exc, OSError) and exc.errno == errno.ETIMEDOUT:
            log.warning("what was sent was not taken within %g s: %s", settings.WEB["sending"], self.client)
        super().connection_lost(exc)
        # uvicorn tells the request that came last; the answer of one before it may be on its way still, and has to be
        # told as well: what writes on fails, and leaves its file open.
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        # Whatever it is, uvicorn does not take the connection for an idle one any more. While it answers it is none.
        if not self._is_answering:
            self._await_request()
        super().data_received(data)

    @property
    def _is_answering(self) -> bool:
        """A request that is whole; an answer may begin before."""
        cycle = self._answered
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def on_message_begin(self) -> None:
        self._await_request()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._await_nothing()
        super().on_message_complete()

    def _await_request(self) -> None:
        if self._unsent is None:
            self._unsent = self.loop.call_later(settings.WEB["receiving"], self._give_up)

    def _await_nothing(self) -> None:
        if self._unsent is not None:
            self._unsent.cancel()
            self._unsent = None

    def _give_up(self) -> None:
        self._unsent = None
        if self._is_answering:
            # The next one's turn comes after that.
            self._await_request()
            return
        # Browsers open connections ahead of their use: one on which nothing came is no news.
        if self.scope is not None:
            seconds, client = settings.WEB["receiving"], self.client
            log.warning("a request was not whole within %g s, its connection is closed: %s", seconds, client)
        self.transport.close()
