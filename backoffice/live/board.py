"""The rows of one publication: what is true now, what subscribers were told, and the changes between. Pure."""

from collections.abc import Iterable
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


class Told:
    """What subscribers were told, and the changes that they are to be told next, each with its number."""

    def __init__(self) -> None:
        self.seq = 0
        self.rows: Rows = {}
        self._changes: list[tuple[int, Change]] = []

    def tell(self, change: Change) -> None:
        if change:
            self.seq += 1
            apply(self.rows, change)
            self._changes.append((self.seq, change))

    def take(self) -> list[tuple[int, Change]]:
        """The changes since this was last asked, in order."""
        taken, self._changes = self._changes, []
        return taken


class Board:
    """Rows in groups: those of a market are of one version, and come and go together.

    ``leader`` is the field in which a row names the one that it belongs to, by whose version the group is told apart
    from an older or newer state of itself. A row without that field is a group, or the leader of one.
    """

    def __init__(self, leader: str = "") -> None:
        self.told = Told()
        self._leader = leader
        self._groups: dict[str, Rows] = {}
        # Groups that may have changed, as they were told.
        self._touched: dict[str, Rows] = {}
        self._since_reading: set[str] = set()

    def fold(self, leader: str, rows: Rows) -> bool:
        """The group of ``leader`` as it is now; old news where it is known in a later version.

        Whether it takes a reading to know what is true: never, it stands in the rows.
        """
        if _version(rows, leader) >= _version(self._groups.get(leader, {}), leader):
            self._put(leader, rows)
            self._since_reading.add(leader)
        return False

    def begin_reading(self) -> None:
        """From here on what is folded is newer than what `replace` will bring, unless a version says otherwise."""
        self._since_reading.clear()

    def replace(self, rows: Rows) -> None:
        """The whole truth as it was read at one moment, but for groups that were folded since and are not older."""
        groups: dict[str, Rows] = {}
        for key, row in rows.items():
            groups.setdefault(str(row.get(self._leader, key)), {})[key] = row
        for leader in self._groups.keys() | groups.keys():
            read, known = groups.get(leader, {}), self._groups.get(leader, {})
            if leader not in self._since_reading or _version(read, leader) > _version(known, leader):
                self._put(leader, read)

    def take(self) -> list[tuple[int, Change]]:
        """The changes since this was last asked; all that happened meanwhile is one."""
        before: Rows = {}
        now: Rows = {}
        for leader, told in self._touched.items():
            before |= told
            now |= self._groups.get(leader, {})
        self._touched = {}
        self.told.tell(difference(before, now, sorted(before.keys() | now.keys())))
        return self.told.take()

    def _put(self, leader: str, rows: Rows) -> None:
        self._touched.setdefault(leader, self._groups.get(leader, {}))
        if rows:
            self._groups[leader] = rows
        else:
            self._groups.pop(leader, None)


def _version(rows: Rows, leader: str) -> float:
    """Of a group that is not there: less than any; of one that has no versions: always the same."""
    if leader not in rows:
        return float("-inf")
    version = rows[leader].get(VERSION)
    return version if isinstance(version, int) else 0
