"""What must stand in the tables after these events, worked out again in plain Python and by other means.

Nothing here asks the streams how they store anything, so that a fault in a projection cannot hide in its own check: the
meaning of the events is written down once more from the contracts, and the ledger's rules are those that `reconcile`
checks with, which the projections do not know.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from backoffice.kernel.clock import EPOCH, microseconds
from backoffice.simulator.events.envelope import Event
from tests.faults import bookkeeping
from tests.faults.tables import TABLES, UNLOGGED, Group, Table

Key = tuple[Any, ...]
Rows = Callable[..., list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Difference:
    """``kind`` is lost (a row is missing), doubled (a row too many) or altered (another value)."""

    kind: str
    where: str
    told: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.told}"


def differences(sent: Iterable[Event], rows: Rows) -> list[Difference]:
    """All that the database holds otherwise than it must after exactly these messages, in whatever order."""
    messages = list(sent)
    events = list(distinct(messages))
    found: list[Difference] = []
    for table in TABLES:
        found += _compared(table.name, _expected(table, events), _stored(table, rows))
    for name, query, expected in (
        ("wallet_balance", bookkeeping.BALANCES, bookkeeping.balances(events)),
        ("wallet_transfer", bookkeeping.TRANSFERS, bookkeeping.transfers(events)),
        ("metrics_window", bookkeeping.WINDOWS, bookkeeping.windows(events)),
        ("metrics_activity", bookkeeping.ACTIVITY, bookkeeping.activity(events)),
    ):
        found += compared(name, expected, query, rows)
    return found


def compared(where: str, expected: dict[Key, Key], query: str, rows: Rows) -> list[Difference]:
    """What the query finds otherwise than expected; its first columns are the key."""
    return _compared(where, expected, _keyed(rows(query), len(next(iter(expected), ()))))


def check(sent: Iterable[Event], rows: Rows) -> None:
    """Fail with the first few differences, if there are any."""
    found = differences(sent, rows)
    assert not found, "\n".join([f"{len(found)} differences", *map(str, found[:12])])


def distinct(events: Iterable[Event]) -> Iterator[Event]:
    """Each event once, however often it was sent; where no row tells that it was there, every message counts."""
    seen: set[object] = set()
    for event in events:
        if event.record in UNLOGGED:
            yield event
            continue
        identity = event.body[{"BetPlaced": "bet_id", "RoundCompleted": "round_id"}.get(event.record, "event_id")]
        if identity not in seen:
            seen.add(identity)
            yield event


def plain(value: Any) -> Any:
    """A value of the database or of an event, so that both can be compared."""
    if isinstance(value, datetime):
        return microseconds(value)
    if isinstance(value, date):
        return (value - EPOCH.date()).days
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    return value


def fields(event: Event) -> dict[str, Any]:
    """The event's own fields, and those that its record type stands for."""
    values: dict[str, Any] = {"record": event.record, "previous_payout": 0, **event.body}
    kind = event.record.removeprefix("Deposit").removeprefix("Withdrawal")
    if "payment_id" in values:
        direction = "deposit" if event.record.startswith("Deposit") else "withdrawal"
        values |= {"direction": direction, "status": kind.lower(), "rank": _RANKS.get(kind, 1)}
    if event.record in ("BonusCompleted", "BonusExpired"):
        values |= {"ended_as": event.record.removeprefix("Bonus").lower(), "ended_amount": values["amount"]}
    if event.record == "BetVoided":
        values["payout"] = values["refund"]
    if event.record in ("BetSettled", "BetResettled"):
        for column, field in _RESULTS.items():
            told = tuple(leg.get(field) for leg in values["legs"])
            values[column] = None if column in _ONLY_IN_DEAD_HEATS and not any(told) else told
    elif event.record in ("BetVoided", "BetCashedOut"):
        values |= dict.fromkeys(_RESULTS)
    return values


_ONLY_IN_DEAD_HEATS = ("dead_heat_places", "dead_heat_tied")
# A beginning gives way to any end, and an end at which no money moved to one at which it did.
_RANKS = {"Initiated": 0, "Requested": 0, "Completed": 2, "Paid": 2}

_RESULTS = {
    "leg_numbers": "leg_no",
    "results": "result",
    "void_factors": "void_factor",
    "dead_heat_factors": "dead_heat_factor",
    "dead_heat_places": "dead_heat_places",
    "dead_heat_tied": "dead_heat_tied",
}


def _expected(table: Table, events: list[Event]) -> dict[Key, Key]:
    columns = table.columns
    found: dict[Key, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(columns))
    for group in table.groups:
        for values in _latest(table, group, events):
            key = tuple(plain(values[field]) for field in table.key.values())
            found[key] |= {name: plain(values.get(field)) for name, field in group.columns.items()}
    return {key: tuple(values[name] for name in columns) for key, values in found.items()}


def _latest(table: Table, group: Group, events: list[Event]) -> Iterable[dict[str, Any]]:
    latest: dict[Key, dict[str, Any]] = {}
    for sent, event in enumerate(events):
        if event.record not in group.records:
            continue
        for values in _elements(fields(event) | {"sent": sent}, group.each):
            key = tuple(values[field] for field in table.key.values())
            version = tuple(values[field] for field in group.version)
            if key not in latest or version > tuple(latest[key][field] for field in group.version):
                latest[key] = values
    return latest.values()


def _elements(values: dict[str, Any], each: str) -> list[dict[str, Any]]:
    return [values | element for element in values[each]] if each else [values]


def _stored(table: Table, rows: Rows) -> list[tuple[Key, Key]]:
    names = ", ".join([*table.key, *table.columns])
    condition = f" WHERE {table.condition}" if table.condition else ""
    return _keyed(rows(f"SELECT {names} FROM {table.name}{condition}"), len(table.key))


def _keyed(rows: list[tuple[Any, ...]], width: int) -> list[tuple[Key, Key]]:
    return [(plain(row[:width]), plain(row[width:])) for row in rows]


def _compared(where: str, expected: dict[Key, Key], stored: list[tuple[Key, Key]]) -> list[Difference]:
    found = [
        Difference("doubled", where, f"{key} stands there {times} times")
        for key, times in Counter(key for key, _ in stored).items()
        if times > 1
    ]
    held = dict(stored)
    found += [Difference("lost", where, f"{key} is not there") for key in expected.keys() - held.keys()]
    found += [Difference("doubled", where, f"nothing sent asks for {key}") for key in held.keys() - expected.keys()]
    return found + [
        Difference(_kind(wanted, held[key]), where, f"{key}: {wanted} became {held[key]}")
        for key, wanted in expected.items()
        if key in held and held[key] != wanted
    ]


def _kind(wanted: Key, got: Key) -> str:
    """Sums that are too small lost something, sums that are too great hold something twice."""
    changes = [b - a for a, b in zip(wanted, got, strict=True) if type(a) is int and type(b) is int and a != b]
    if len(wanted) > 2 or len(changes) == 0:
        return "altered"
    return "lost" if min(changes) < 0 else "doubled"
