"""What one socket is still to be sent. Bounded: who does not read gets a snapshot later instead of a longer queue."""

import asyncio
from collections import deque
from collections.abc import Callable

from . import telemetry

ROOM = 64


class SendQueue:
    """``snapshot`` gives the present snapshot of a publication, or None where its first reading is not done yet."""

    def __init__(self, snapshot: Callable[[str], bytes | None]) -> None:
        self._snapshot = snapshot
        self._frames: deque[tuple[str, bytes]] = deque()
        self._behind: dict[str, None] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, publication: str, frame: bytes) -> None:
        """Send the frame after the others, unless the publication waits for a snapshot that will hold it anyway."""
        if publication in self._behind:
            return
        if len(self._frames) >= ROOM:
            telemetry.SLOW_READERS.inc()
            self._behind |= dict.fromkeys(name for name, _ in self._frames if name)
            self._frames.clear()
            if publication in self._behind:
                return
        self._frames.append((publication, frame))
        self._filled.set()

    def want_snapshot(self, publication: str) -> None:
        """Send the whole publication as soon as all that waits is sent; its frames that wait would only repeat it."""
        self._frames = deque(waiting for waiting in self._frames if waiting[0] != publication)
        self._behind[publication] = None
        self._filled.set()

    def forget(self, publication: str) -> None:
        self._frames = deque(waiting for waiting in self._frames if waiting[0] != publication)
        self._behind.pop(publication, None)

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
        for publication in self._behind:
            if snapshot := self._snapshot(publication):
                del self._behind[publication]
                return snapshot
        return None
