"""One publication in one web process: reads it, folds updates, and writes one frame for all who watch."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from backoffice.kernel.clock import Clock, milliseconds

from . import frames, telemetry
from .conditions import Conditions
from .messages import Updates
from .publications import AnyPublication
from .sendqueue import SendQueue
from .supervising import Well, supervised
from .tail import Page

# After a reading Postgres is left alone for so many times as long as it took.
SPARED = 3


class Broadcast:
    """``read`` gives what the publication's board takes, from the board's cursor on.

    ``is_told`` says whether workers tell of every change at present; ``fails`` is told why a reading failed, or an
    empty text once one was done.
    """

    def __init__(
        self,
        name: str,
        publication: AnyPublication,
        read: Callable[[Any], Awaitable[Any]],
        is_told: Callable[[], bool],
        fails: Callable[[str, str], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self.subscribers: set[SendQueue] = set()
        self._publication = publication
        self._read = read
        self._is_told = is_told
        self._fails = fails
        self._clock = clock
        self._board = publication.board(milliseconds(clock.now()))
        self._at: datetime | None = None
        self._told_at: datetime | None = None
        self._snapshot: bytes | None = None
        self._doubted = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def fold(self, updates: Updates) -> None:
        """Take in what a worker has stored."""
        for leader, rows in updates:
            if self._board.fold(leader, rows):
                self.doubt()
        self._changed.set()
        self.affirm()

    def doubt(self) -> None:
        """Read anew: something changed, or messages may have been lost."""
        self._doubted.set()

    def affirm(self) -> None:
        """Where all that is stored is heard of, what is shown is right now."""
        is_known = self._publication.is_told and self._is_told() and not self._doubted.is_set()
        if self._at is not None and is_known:
            self._at = self._clock.now()
            self._changed.set()

    def snapshot(self) -> bytes | None:
        """The frame that brings a new subscriber to where the others are; None before the first reading."""
        if self._at is None:
            return None
        if self._snapshot is None:
            told = self._board.told
            self._snapshot = frames.snapshot(self.name, told.seq, told.rows, at=self._at, now=self._clock.now())
        return self._snapshot

    def start(self, conditions: Conditions) -> None:
        self._task = asyncio.create_task(supervised(f"publication {self.name}", self._run, conditions))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self, well: Well) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_reading())
            tasks.create_task(self._keep_flushing(well))

    async def _keep_reading(self) -> None:
        while True:
            self._doubted.clear()
            began = time.monotonic()
            if not await self._read_once():
                # What was doubted is as doubtful as before: nothing of it is said to be right now.
                self.doubt()
                await asyncio.sleep(self._publication.every)
                continue
            spared = min(SPARED * (time.monotonic() - began), self._publication.every)
            await asyncio.sleep(max(self._publication.least, spared))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._doubted.wait()

    def _patience(self) -> float:
        """Publications that began together are not all read again at the same moment."""
        if self._publication.is_told and self._is_told():
            return random.uniform(0.5, 1.0) * self._publication.review
        return self._publication.every

    async def _read_once(self) -> bool:
        cursor = self._board.begin_reading()
        began = self._clock.now()
        try:
            found = await self._read(cursor)
        except Exception as error:  # noqa: BLE001 - whatever it is, who watches is told, and it is tried again
            self._fails(self.name, str(error).strip().partition("\n")[0] or type(error).__name__)
            return False
        if isinstance(found, Page):
            telemetry.SKIPPED.labels(self._publication.name).inc(found.skipped)
        self._board.replace(found)
        self._at = max(began, self._at or began)
        self._fails(self.name, "")
        self._changed.set()
        return True

    async def _keep_flushing(self, well: Well) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._flush()
            well()
            await asyncio.sleep(self._publication.pace)

    def _flush(self) -> None:
        """Write what changed to all subscribers: a frame is encoded once, and all get the same bytes."""
        if self._at is None:
            return
        is_first, now = self._told_at is None, self._clock.now()
        changes = self._board.take()
        written = [frames.diff(self.name, seq, change, at=self._at, now=now) for seq, change in changes]
        if not written and self._at != self._told_at:
            written = [frames.same(self.name, self._board.told.seq, at=self._at, now=now)]
        self._told_at, self._snapshot = self._at, None
        for queue in self.subscribers:
            if is_first:
                queue.wake()
            for frame in written:
                queue.put(self.name, frame)
