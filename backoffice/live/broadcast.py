"""One publication in one web process: reads snapshots, folds updates, and writes one frame for all who watch."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from backoffice.kernel.clock import Clock

from . import frames, telemetry
from .board import Board, Rows
from .bus import Updates
from .publications import Publication
from .sendqueue import SendQueue

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
# What is committed may be read a moment before its message arrives. Where no value may be folded away the message has
# to come first.
MESSAGE_SECONDS = 0.25


class Broadcast:
    """``read`` gives the whole snapshot; ``fails`` is told why it could not be read, or an empty text once it could."""

    def __init__(
        self,
        name: str,
        publication: Publication,
        read: Callable[[], Awaitable[Rows]],
        fails: Callable[[str, str], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self.subscribers: set[SendQueue] = set()
        self._publication = publication
        self._read = read
        self._fails = fails
        self._clock = clock
        self._board = Board(publication.each)
        self._at: datetime | None = None
        self._told_at: datetime | None = None
        self._snapshot: bytes | None = None
        self._doubted = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def fold(self, updates: Updates) -> None:
        """Take in what a worker has stored."""
        for leader, rows in updates:
            self._board.fold(leader, rows)
        if self._at is not None:
            self._at = self._clock.now()
        self._changed.set()

    def doubt(self) -> None:
        """Read the snapshot anew: something changed, or messages may have been lost."""
        self._doubted.set()

    def snapshot(self) -> bytes | None:
        """The frame that brings a new subscriber to where the others are; None before the first reading."""
        if self._at is None:
            return None
        if self._snapshot is None:
            self._snapshot = frames.snapshot(
                self.name, self._board.seq, self._board.told, at=self._at, now=self._clock.now()
            )
        return self._snapshot

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        """Until cancelled; after a fault that nobody foresaw it begins anew, it never just goes silent."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._keep_reading())
                    tasks.create_task(self._keep_flushing())
            except* Exception:
                log.exception("%s failed; it begins anew", self.name)
            await asyncio.sleep(self._publication.every)

    async def _keep_reading(self) -> None:
        while True:
            self._doubted.clear()
            await self._read_once()
            await asyncio.sleep(self._publication.least)
            try:
                await asyncio.wait_for(self._doubted.wait(), self._publication.every)
            except TimeoutError:
                continue

    async def _read_once(self) -> None:
        self._board.begin_reading()
        began = self._clock.now()
        try:
            rows = await self._read()
        except Exception as error:
            # Whatever it is, who watches is told, and it is tried again.
            telemetry.READ_FAILURES.labels(self._publication.name).inc()
            log.debug("%s cannot be read", self.name, exc_info=True)
            self._fails(self.name, str(error).strip().partition("\n")[0] or type(error).__name__)
            return
        if self._publication.each and self._at is not None:
            await asyncio.sleep(MESSAGE_SECONDS)
        self._board.replace(rows)
        self._at = max(began, self._at or began)
        self._fails(self.name, "")
        self._changed.set()

    async def _keep_flushing(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._flush()
            await asyncio.sleep(FLUSH_SECONDS)

    def _flush(self) -> None:
        """Write what changed to all subscribers: a frame is encoded once, and all get the same bytes."""
        if self._at is None:
            return
        is_first, now = self._told_at is None, self._clock.now()
        changes = self._board.take()
        written = [frames.diff(self.name, seq, change, at=self._at, now=now) for seq, change in changes]
        if not written and self._at != self._told_at:
            written = [frames.same(self.name, self._board.seq, at=self._at, now=now)]
        self._told_at, self._snapshot = self._at, None
        for queue in self.subscribers:
            if is_first:
                queue.wake()
            for frame in written:
                queue.put(self.name, frame)
