"""What the apps say that their tables must hold, by the events: the second opinion that a reconciliation asks.

An app describes each of its streams in ``reconciled.py`` and registers that in ``AppConfig.ready()``. It is written
apart from the projections and uses nothing of them, so that a fault of theirs cannot hide in its own check.
Whatever is not described has its fact rows compared by name, column by column.

In an event ids are text, times are microseconds and dates are days since 1970.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from .differences import Found
from .messages.reading import Event, Events

# Metric, key and amount; None where no money is summed.
Count = tuple[str, str, int | None]
# The id of an account, what stands in its row if it has one, and what is debited and credited.
Entry = tuple[str, tuple[Any, ...] | None, int, int]
Expected = Callable[[str, Event, int], list[tuple[Any, ...]]]
# What of a topic a stream stores: its name, and that of the topic.
Source = tuple[str, str]
# Up to when a stream has stored all that a topic tells of, or None where it has stored nothing.
ToldUntil = Callable[[str, str], datetime | None]


@dataclass(frozen=True)
class State:
    """Columns of ``table`` that the newest of these records sets; ``columns`` map a column to its field.

    ``by`` are the columns of the event's number or ``ranks`` by record, if it has any, and of its place in the log.
    ``each`` names a list of the event whose elements make a row each. ``constants`` are values by record. ``to_minute``
    has for ``by`` the time cut to the minute, brand and jurisdiction. The message key of a tombstone names the value of
    the first key column whose rows it deletes, where the state ``forgets``. A row whose message was logged longer ago
    than ``kept`` may be purged.
    """

    name: str
    records: tuple[str, ...]
    table: str
    key: Mapping[str, str]
    by: tuple[str, ...]
    columns: Mapping[str, str]
    each: str = ""
    constants: tuple[tuple[str, str, str], ...] = ()
    to_minute: bool = False
    with_topic: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict)
    forgets: bool = False
    kept: Callable[[], timedelta] | None = None


@dataclass(frozen=True)
class Link:
    """``fact``.``key`` = ``child``.``child_key``; ``expected`` gives the child rows of an event of a partition."""

    check: str
    topic: str
    records: tuple[str, ...]
    fact: str
    key: str
    child: str
    child_key: str
    columns: tuple[str, ...]
    expected: Expected


@dataclass(frozen=True)
class Trace:
    """Rows of ``table`` that some events of these records leave; ``columns`` map all columns to their fields, of which
    ``logged_at`` is one.

    They are found by where they come from (``source_generation``, ``source_partition``, ``source_offset``), and named
    by the column ``key``. Where that is not known of a row, nothing is held against it.
    """

    check: str
    topic: str
    records: tuple[str, ...]
    table: str
    key: str
    columns: Mapping[str, str]

    def __hash__(self) -> int:
        return hash((self.check, self.table))


@dataclass(frozen=True)
class Unique:
    """No two rows of a fact table have the same in these columns, which an index leads to."""

    check: str
    table: str
    columns: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Book:
    """What events of a topic debit and credit to accounts, as one table of balances has it for each partition.

    Without a ``target`` it is kept only to be held against another book. ``accounts`` is the table of the accounts with
    the columns that ``entries`` gives of each.
    """

    name: str
    topic: str
    entries: Callable[[str, Event], Iterator[Entry]]
    target: str = ""
    accounts: str = ""
    account_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """One look at a stretch of a table, in the snapshot of a step.

    ``condition`` (with ``bounds`` as its parameters) holds for the rows of the stretch, by the columns of the key;
    ``is_last`` says that the table ends with it. ``balances`` is the table of what the books say of accounts.

    A look tells of every fault that it sees: one that may yet turn out to be none, as `Unjudged`. What it says nothing
    of is right, and a finding of it that stood open ends.
    """

    cursor: CursorWrapper
    condition: sql.Composable
    bounds: Sequence[str]
    is_last: bool
    balances: sql.Composable
    told_until: ToldUntil


@dataclass(frozen=True)
class Invariant:
    """What must hold of the tables of one snapshot, looked at stretch by stretch along the key of ``table``.

    It needs all of its ``sources`` to be read as far as they are stored. Where it ``needs_all`` from the first event
    on, and something was never stored, nothing that it finds can be judged.
    """

    name: str
    table: str
    key: tuple[str, ...]
    sources: tuple[Source, ...]
    look: Callable[[Look], Iterable[Found]]
    needs_all: bool = False


@dataclass(frozen=True)
class Heard:
    """Events that a step reads of a partition of a topic, by record, in the snapshot of the step.

    Rows of the partition below the offset ``former_until`` may be of a former log. ``is_whole`` says that the log of
    the topic has lost nothing of what was stored. ``told_until`` is that of a ``Look``, and what is told and what is
    not means the same.
    """

    cursor: CursorWrapper
    partition: int
    events: Mapping[str, Events]
    former_until: int
    is_whole: bool
    told_until: ToldUntil


@dataclass(frozen=True)
class Agreement:
    """What events of these records say of others must be what these said themselves, as it stands in the tables.

    It is asked wherever such events are read: when they are new, and in each round of their partition. So what does not
    agree stands at the offset of its message, and ends when that is read again and agrees.
    """

    topic: str
    records: tuple[str, ...]
    look: Callable[[Heard], Iterable[Found]]


@dataclass(frozen=True)
class Description:
    """One stream's tables. ``fields`` and ``constants`` are by (record, column): columns that are not named like their
    field (``legs.odds`` is the field of each element, as one text), and values where the record has no such field.

    ``counts`` gives what an event adds to the rolling windows; those of ``by_hour_and_day`` are kept by these too.
    ``counted`` are the records that are counted as events, ``seen`` those that show that a player is there.
    """

    stream: str
    fields: Mapping[tuple[str, str], str] = field(default_factory=dict)
    constants: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    states: tuple[State, ...] = ()
    links: tuple[Link, ...] = ()
    traces: tuple[Trace, ...] = ()
    unique: tuple[Unique, ...] = ()
    counts: Mapping[str, Callable[[Event], list[Count]]] = field(default_factory=dict)
    by_hour_and_day: frozenset[str] = frozenset()
    counted: frozenset[str] = frozenset()
    seen: tuple[str, ...] = ()
    books: tuple[Book, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    agreements: tuple[Agreement, ...] = ()

    def counts_windows_of(self, records: Iterable[str]) -> bool:
        """Whether events of any of these records stand in the rolling windows through this stream."""
        return any(record in self.counts or record in self.counted for record in records)


_DESCRIBED: dict[str, Description] = {}


def describe(description: Description) -> None:
    """Have a stream's tables compared by this.

    Raises:
        ValueError: a book of that name is described already; two streams would add to one.
    """
    names = {book.name for other in _DESCRIBED.values() if other.stream != description.stream for book in other.books}
    if twice := sorted(names & {book.name for book in description.books}):
        raise ValueError(f"There is a book named {', '.join(twice)} already; each stream keeps its own.")
    _DESCRIBED[description.stream] = description


def described(stream: str) -> Description:
    """The description of a stream; an empty one where its app has said nothing."""
    return _DESCRIBED.get(stream) or Description(stream)


def descriptions() -> Sequence[Description]:
    return tuple(_DESCRIBED.values())


def standing(name: str) -> tuple[str, str]:
    """The columns that tell where in the log the message stands that made the row; the later one wins."""
    return f"{name}_logged_at", f"{name}_offset"


def same(names: str) -> dict[str, str]:
    """Columns that are named like their fields, by blanks."""
    return {name: name for name in names.split()}
