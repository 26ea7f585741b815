"""The rows of one publication: what is true now, what subscribers were told, and the changes between. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .keys import key_of

Value = str | int | float | bool | None
Row = dict[str, Value]
Rows = dict[str, Row]

Judge = Callable[[Rows], Rows]

# The fields of a leader that tell which of two states of its group is the later; what the tables compare, in its order.
STANDING = ("version", "logged", "offset")


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


def as_told(rows: Rows) -> Rows:
    """For what is shown as workers tell it."""
    return rows


@dataclass(frozen=True)
class Reading:
    """The whole truth as it was at one moment, as it is shown; and how what workers tell of a group is shown by what
    was true at that moment.
    """

    rows: Rows
    judge: Judge = as_told


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
    """Rows in groups: those of a market are of one state, and come and go together.

    ``leader`` is the field in which a row names the one that it belongs to, by whose `STANDING` the group is told apart
    from an older or newer state of itself. A row without that field is a group, or the leader of one. States of a group
    without a standing follow one another as they come.
    """

    def __init__(self, leader: str = "") -> None:
        self.told = Told()
        self._leader = leader
        self._judge: Judge = as_told
        # As they are shown.
        self._groups: dict[str, Rows] = {}
        # Groups that may have changed, as they were told.
        self._touched: dict[str, Rows] = {}
        # As workers told them: the reading that is under way may bring another judge.
        self._since_reading: dict[str, Rows] = {}

    def fold(self, leader: str, rows: Rows) -> bool:
        """The group under the key ``leader`` as a worker stored it; old news where a later state of it is known.

        Whether it takes a reading to know what is true: of two states that stand at one place the tables know which
        they kept, and whether they have rows of both.
        """
        shown, known = self._judge(rows), self._groups.get(leader, {})
        new, old = standing(shown, leader), standing(known, leader)
        if leader in known and (new is None) != (old is None):
            return True
        if new is not None and old is not None and new <= old:
            return new == old and shown != known
        self._since_reading[leader] = rows
        self._put(leader, shown)
        return False

    def begin_reading(self) -> None:
        """From here on what is folded is newer than what `replace` will bring, unless its standing says otherwise."""
        self._since_reading.clear()

    def replace(self, reading: Reading) -> None:
        """What was read, but for groups that were folded since and are later; they are shown by the new judge."""
        self._judge = reading.judge
        groups: dict[str, Rows] = {}
        for key, row in reading.rows.items():
            groups.setdefault(self._leader_of(key, row), {})[key] = row
        for leader in self._groups.keys() | groups.keys():
            read, folded = groups.get(leader, {}), self._since_reading.get(leader)
            self._put(leader, read if folded is None or _has(read, leader, folded) else self._judge(folded))

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

    def _leader_of(self, key: str, row: Row) -> str:
        return key_of(str(row[self._leader])) if self._leader in row else key

    def _put(self, leader: str, rows: Rows) -> None:
        self._touched.setdefault(leader, self._groups.get(leader, {}))
        if rows:
            self._groups[leader] = rows
        else:
            self._groups.pop(leader, None)


def _has(read: Rows, leader: str, folded: Rows) -> bool:
    """Whether what was read is the state that was folded or a later one. At one place it is what the tables kept."""
    mine, other = standing(read, leader), standing(folded, leader)
    return mine is not None and (other is None or mine >= other)


def standing(rows: Rows, leader: str) -> tuple[int, ...] | None:
    """None for a group that is not there, or has none."""
    found = [rows.get(leader, {}).get(name) for name in STANDING]
    numbers = tuple(value for value in found if isinstance(value, int))
    return numbers if len(numbers) == len(STANDING) else None
