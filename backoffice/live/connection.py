"""One live socket: opened for who may see something, closed when they no longer may. A plain ASGI application."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
from django.conf import settings

from backoffice.kernel.errors import Rejected

from . import frames, telemetry
from .allowance import Allowance
from .hub import Hub, may_see
from .sendqueue import SendQueue
from .supervising import in_words
from .visitors import Visitor

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Private codes of RFC 6455 §7.4.2; and "try again later", as registered with IANA.
SIGNED_OUT = 4401
NOT_ALLOWED = 4403
UNCHECKED = 1013
WHY = {
    SIGNED_OUT: "Your session has ended; sign in again.",
    NOT_ALLOWED: "Your roles see nothing here any more; ask whoever administers the roles.",
    UNCHECKED: "Nobody can check your session at present; try again in a moment.",
}
LONGEST_MESSAGE = 4_096
MOST_PUBLICATIONS = 32
# A page asks for all it shows at once, and now and then for another match.
ASKED_AT_ONCE = 64
ASKED_A_SECOND = 4.0
LAST_WORD_SECONDS = 1.0


def live_socket(hub: Hub) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The ASGI application of the path /live; its scope has to have ``cookies``."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        visitor = await _visitor(hub, scope["cookies"])
        if visitor is None or not may_see(visitor, hub.publications.values()):
            # Closing before accepting is what ASGI calls answering 403.
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        with telemetry.SOCKETS.track_inprogress():
            await Connection(hub, visitor, send).run(receive)

    return application


async def _visitor(hub: Hub, cookies: dict[str, str]) -> Visitor | None:
    session_key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    try:
        return await hub.visitor(session_key) if session_key else None
    except Exception as error:
        log.warning("a live socket is refused, its session cannot be checked: %s", in_words(error), exc_info=True)
        return None


class Connection:
    """An open socket: what its client asks for, what it is sent."""

    def __init__(self, hub: Hub, visitor: Visitor, send: Send) -> None:
        self.visitor = visitor
        self.queue = SendQueue(hub.snapshot)
        self._hub = hub
        self._send = send
        self._publications: set[str] = set()
        self.checked_at = time.monotonic()
        self._allowance = Allowance(ASKED_AT_ONCE, ASKED_A_SECOND, time.monotonic())
        self._code = 0
        self._ended = asyncio.Event()

    async def run(self, receive: Receive) -> None:
        """Until the client leaves or is sent away."""
        self._hub.join(self)
        tasks = [asyncio.create_task(act) for act in (self._listen(receive), self._write(), self._wait_for_the_end())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self)
            for task in tasks:
                task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            # A client that is gone is no fault; anything else is one of ours.
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                raise outcome
        if self._code:
            with suppress(OSError, TimeoutError):
                close = {"type": "websocket.close", "code": self._code, "reason": WHY[self._code]}
                async with asyncio.timeout(LAST_WORD_SECONDS):
                    await self._send(close)

    def revisit(self, visitor: Visitor | None) -> None:
        """End it with the session or the last permission, and a publication with the permission for it."""
        if visitor is None or not may_see(visitor, self._hub.publications.values()):
            self._end(SIGNED_OUT if visitor is None else NOT_ALLOWED)
        elif visitor != self.visitor:
            self.visitor = visitor
            for name in sorted(self._publications):
                self._subscribe(name)

    def give_up(self) -> None:
        """End it although the session may live: nobody can check whether it does."""
        self._end(UNCHECKED)

    def _end(self, code: int) -> None:
        self._code = self._code or code
        self._ended.set()

    async def _listen(self, receive: Receive) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            self._heard(message.get("text") or message.get("bytes") or "")

    async def _write(self) -> None:
        while True:
            await self._send({"type": "websocket.send", "bytes": await self.queue.next()})

    async def _wait_for_the_end(self) -> None:
        await self._ended.wait()

    def _heard(self, text: str | bytes) -> None:
        """``{"subscribe": [publication, …]}``, ``unsubscribe`` likewise; ``resync`` asks for a snapshot after a gap."""
        try:
            acts = _parsed(text)
            self._allow(acts)
        except Rejected as refused:
            self.queue.put("", frames.refused("", str(refused)))
            return
        for act, names in acts.items():
            for name in names:
                if act == "unsubscribe":
                    self._unsubscribe(name)
                elif act == "subscribe" or name in self._publications:
                    self._subscribe(name)

    def _allow(self, acts: dict[str, list[str]]) -> None:
        """Raises Rejected where more is asked for than is good for the others; nothing of the message is done then."""
        names = sum(map(len, acts.values()))
        if seconds := self._allowance.take(max(1, names), time.monotonic()):
            raise Rejected(
                f"You ask for too much: {ASKED_AT_ONCE} names at once, and {ASKED_A_SECOND:.0f} a second from then on. "
                f"Nothing of this message is done; send it again in {seconds:.0f} s."
                if names <= ASKED_AT_ONCE
                else f"One message holds {ASKED_AT_ONCE} names at most; nothing of this one is done."
            )

    def _subscribe(self, name: str) -> None:
        try:
            if len(self._publications | {name}) > MOST_PUBLICATIONS:
                raise Rejected(f"One socket watches {MOST_PUBLICATIONS} publications at most; unsubscribe from some.")
            if not self._hub.subscribe(self, name):
                raise Rejected("Your role does not see this; ask whoever administers the roles.")
        except Rejected as refused:
            self._unsubscribe(name)
            self.queue.put("", frames.refused(name, str(refused)))
        else:
            self._publications.add(name)

    def _unsubscribe(self, name: str) -> None:
        self._publications.discard(name)
        self._hub.unsubscribe(self.queue, name)


def _parsed(text: str | bytes) -> dict[str, list[str]]:
    """Raises Rejected for what is no message of the protocol."""
    try:
        acts = orjson.loads(text) if len(text) <= LONGEST_MESSAGE else None
    except orjson.JSONDecodeError:
        acts = None
    if not isinstance(acts, dict) or not acts.keys() <= {"subscribe", "unsubscribe", "resync"}:
        raise Rejected(
            'Send {"subscribe": [publication, …]}, "unsubscribe" or "resync" likewise, in 4,096 bytes at most.'
        )
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in acts.values()):
        raise Rejected("Publications are given as a list of names.")
    return acts
