"""The rows of one publication: what is true now, what subscribers were told, and the changes between the two. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

Value = str | int | float | bool | None
Row = dict[str, Value]
Rows = dict[str, Row]

VERSION = "version"


@dataclass(frozen=True)
class Change:
    """What turns one set of rows into another: first ``drop`` these keys, then ``set`` these fields of these rows."""

    set: Rows = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.set or self.drop)


def difference(before: Rows, after: Rows, keys: Iterable[str]) -> Change:
    """The change of the rows under ``keys``; a row that loses a field is dropped and set anew."""
    change = Change()
    for key in keys:
        old, new = before.get(key), after.get(key)
        if new is None:
            if old is not None:
                change.drop.append(key)
        elif old is None:
            change.set[key] = new
        elif old.keys() - new.keys():
            change.drop.append(key)
            change.set[key] = new
        elif changed := {name: value for name, value in new.items() if name not in old or old[name] != value}:
            change.set[key] = changed
    return change


def apply(rows: Rows, change: Change) -> None:
    """Carry the change out on the rows."""
    for key in change.drop:
        rows.pop(key, None)
    for key, fields in change.set.items():
        rows[key] = rows.get(key, {}) | fields


class Board:
    """Folds updates by key and says, when asked, what subscribers have to be told.

    ``each`` names fields of which no value may be folded away (a suspension): a change of one that would cover an
    earlier one nobody was told of yet becomes a change of its own.
    """

    def __init__(self, each: Collection[str] = ()) -> None:
        self.seq = 0
        self.told: Rows = {}
        self._each = each
        self._now: Rows = {}
        self._touched: set[str] = set()
        self._since_reading: set[str] = set()
        self._changes: list[tuple[int, Change]] = []

    def fold(self, leader: str, rows: Rows) -> None:
        """Rows that changed together; where ``leader``, one of them, is known in a later version they are old news."""
        known, new = self._now.get(leader), rows[leader]
        if known is not None:
            if _version(new) < _version(known):
                return
            if self._would_cover(leader, known, new):
                self._cut()
        self._now |= rows
        self._touched |= rows.keys()
        self._since_reading |= rows.keys()

    def begin_reading(self) -> None:
        """From here on what is folded is newer than what `replace` will bring, unless a version says otherwise."""
        self._since_reading.clear()

    def replace(self, rows: Rows) -> None:
        """The whole truth as it was read, but for what was folded since the reading began."""
        now = dict(rows)
        for key in self._since_reading:
            read = rows.get(key)
            if read is None or _version(read) <= _version(self._now[key]):
                now[key] = self._now[key]
        self._touched |= self._now.keys() | now.keys()
        self._now = now

    def take(self) -> list[tuple[int, Change]]:
        """The changes since this was last asked, in order, each with its number."""
        self._cut()
        taken, self._changes = self._changes, []
        return taken

    def _would_cover(self, key: str, known: Row, new: Row) -> bool:
        told = self.told.get(key, {})
        return any(told.get(name) != known.get(name) != new.get(name) for name in self._each)

    def _cut(self) -> None:
        change = difference(self.told, self._now, sorted(self._touched))
        self._touched.clear()
        if change:
            self.seq += 1
            apply(self.told, change)
            self._changes.append((self.seq, change))


def _version(row: Row) -> int:
    version = row.get(VERSION)
    return version if isinstance(version, int) else 0
