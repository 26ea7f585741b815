"""What one socket is still to be sent. Bounded: who does not read gets a snapshot later instead of a longer queue."""

import asyncio
from collections import deque
from collections.abc import Callable

from . import telemetry

ROOM = 64


class Outbox:
    """``snapshot`` gives the present snapshot of a topic, or None where its first reading is not done yet."""

    def __init__(self, snapshot: Callable[[str], bytes | None]) -> None:
        self._snapshot = snapshot
        self._frames: deque[tuple[str, bytes]] = deque()
        self._behind: dict[str, None] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, topic: str, frame: bytes) -> None:
        """Send the frame after the others, unless the topic waits for a snapshot that will hold it anyway."""
        if topic in self._behind:
            return
        if len(self._frames) >= ROOM:
            telemetry.SLOW_READERS.inc()
            self._behind |= dict.fromkeys(name for name, _ in self._frames if name)
            self._frames.clear()
            if topic in self._behind:
                return
        self._frames.append((topic, frame))
        self._filled.set()

    def want_snapshot(self, topic: str) -> None:
        """Send the whole topic as soon as all that waits is sent; its frames that wait would only repeat it."""
        self._frames = deque(waiting for waiting in self._frames if waiting[0] != topic)
        self._behind[topic] = None
        self._filled.set()

    def forget(self, topic: str) -> None:
        self._frames = deque(waiting for waiting in self._frames if waiting[0] != topic)
        self._behind.pop(topic, None)

    def wake(self) -> None:
        """A snapshot that was not there may be there now."""
        self._filled.set()

    async def next(self) -> bytes:
        """The next frame, as soon as there is one."""
        while True:
            if self._frames:
                return self._frames.popleft()[1]
            if snapshot := self._next_snapshot():
                return snapshot
            self._filled.clear()
            await self._filled.wait()

    def _next_snapshot(self) -> bytes | None:
        for topic in self._behind:
            if snapshot := self._snapshot(topic):
                del self._behind[topic]
                return snapshot
        return None
