"""The end of a log: what happens once each, in order, none folded away and none lost in silence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from .board import Change, Row, Rows, Told, difference

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
        self._hints: dict[str, Rows] = {}

    def fold(self, leader: str, rows: Rows) -> bool:
        """A hint: what a worker says of ``leader``. Whether it says something new, so that the log has to be read."""
        is_new = self._hints.get(leader) != rows
        self._hints[leader] = rows
        return is_new

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
