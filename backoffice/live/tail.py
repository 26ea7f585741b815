"""The end of a log: what happens once each, in order, none folded away and none lost in silence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from .board import STANDING, Change, Row, Rows, Told, difference, standing

Cursor = TypeVar("Cursor")

# The row that tells of the others; entries have ids of their own.
TOTAL = "total"


@dataclass(frozen=True)
class Page(Generic[Cursor]):
    """What a log got since a cursor, oldest first, and the cursor from which to read on.

    ``skipped`` were too many to be read, and are older than ``entries``.
    """

    cursor: Cursor
    entries: Sequence[tuple[str, Row]] = field(default_factory=list)
    skipped: int = 0


class Tail(Generic[Cursor]):
    """The newest ``keep`` entries, and under `TOTAL` how many there were ``since`` (ms) and how many were skipped."""

    def __init__(self, keep: int, since: int) -> None:
        self.told = Told()
        self._keep = keep
        self._since = since
        self._cursor: Cursor | None = None
        self._entries: Rows = {}
        self._counted = self._skipped = 0
        # Of each leader what was said of it last, and where that stands.
        self._hints: dict[str, tuple[Rows, tuple[int, ...] | None]] = {}

    def fold(self, leader: str, rows: Rows) -> bool:
        """A hint: what a worker says of ``leader``. Whether it says something new, so that the log has to be read.

        What is older than the hint before (see `STANDING`) may be an entry, and is nothing that a later hint repeats.
        """
        said = {key: {name: value for name, value in row.items() if name not in STANDING} for key, row in rows.items()}
        known, before = self._hints.get(leader, (None, None))
        now = standing(rows, leader)
        if now is not None and before is not None and now < before:
            return True
        self._hints[leader] = (said, now)
        return known != said

    def begin_reading(self) -> Cursor | None:
        """The cursor to read from; None for a first look at the end of the log."""
        return self._cursor

    def replace(self, page: Page[Cursor]) -> None:
        """Go on with what was read; more entries than are kept are told in several changes, so that each is told."""
        is_first, self._cursor = self._cursor is None, page.cursor
        fresh = iter([(key, row) for key, row in page.entries if key not in self._entries])
        if page.skipped:
            self._counted += page.skipped
            self._skipped += page.skipped
            self._entries = {}
        while chunk := dict(islice(fresh, self._keep)):
            self._counted += 0 if is_first else len(chunk)
            self._entries = dict(list((self._entries | chunk).items())[-self._keep :])
            self._tell()
        self._tell()

    def take(self) -> list[tuple[int, Change]]:
        return self.told.take()

    def _tell(self) -> None:
        total: Row = {"count": self._counted, "skipped": self._skipped, "since": self._since}
        now = self._entries | {TOTAL: total}
        # In the order of the log, and not in that of the keys.
        self.told.tell(difference(self.told.rows, now, [*(key for key in self.told.rows if key not in now), *now]))
