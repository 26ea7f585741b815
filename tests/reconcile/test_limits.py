"""A query that lists the first rows asks for one more, and says of what nothing was judged where that is there."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import pytest
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.reconcile.checks.comparing import Stretch
from backoffice.reconcile.checks.doubles import check_doubled
from backoffice.reconcile.checks.linked import check_orphans
from backoffice.reconcile.checks.rows import check_strangers
from backoffice.reconcile.checks.traces import check_places
from backoffice.reconcile.declared import Look, described
from backoffice.reconcile.differences import LISTED, MORE, Found, Unjudged
from backoffice.reconcile.messages.log import Chunk, Slice
from backoffice.streams.store.projection import STREAMS
from trading.invariants import broken_sequences, without_source
from trading.payouts import moved_for_none, paid_otherwise
from wallet.invariants import booked_otherwise, of_no_account, told_by_none, unlike_its_transfers

ALL = Stretch(None, None)
TRADING = described("trading")
# Offsets of which nothing was read.
CHUNK = Chunk(Slice(STREAMS["trading"], "bet-events", 0, 0, 9, is_new=True), 0, 9)
Ask = Callable[[CursorWrapper], Iterable[Found]]


class Rows:
    """Has the same row as often as it is asked for, up to a number."""

    def __init__(self, row: Sequence[Any], number: int) -> None:
        self._rows = [row] * number

    def execute(self, _query: sql.Composable, parameters: Sequence[Any]) -> None:
        self._rows = self._rows[: parameters[-1]]

    def fetchall(self) -> list[Sequence[Any]]:
        return self._rows


def looking(look: Callable[[Look], Iterable[Found]]) -> Ask:
    def ask(cursor: CursorWrapper) -> Iterable[Found]:
        now = datetime(2026, 3, 1, tzinfo=UTC)
        return look(Look(cursor, sql.SQL("true"), (), True, sql.SQL("x"), lambda *_: now))

    return ask


ASKED: dict[str, tuple[Ask, Sequence[Any], set[str]]] = {
    "bets": (looking(paid_otherwise), ("b", "p", 5, 0, 1, None, 0, 0, 0, 0, 0, 0, None, True, False), {"payouts"}),
    "money": (looking(moved_for_none), ("b", "p", "StakeTaken", "e", 0, 1, 5, False), {"payouts"}),
    "statuses": (looking(broken_sequences), ("m", 1, "open", "settled"), {"statuses"}),
    "sources": (looking(without_source), ("m", 1, "open"), {"statuses"}),
    "transfers": (looking(unlike_its_transfers), ("a", 0, 1, 2, 3, 4), {"ledger"}),
    "accounts": (looking(of_no_account), ("a",), {"ledger"}),
    "bookings": (
        looking(partial(booked_otherwise, (), frozenset())), ("e", "StakeTaken", 0, 1, False, None),
        {"ledger", "payments"},
    ),
    "payments": (looking(partial(told_by_none, ())), ("p", "paid", 5), {"payments"}),
    "orphans": (lambda cursor: check_orphans(cursor, TRADING.links[0], ALL), ("k",), {"legs"}),
    "places": (lambda cursor: check_places(cursor, TRADING.traces[0], ALL, 0, {}), ("k", 0, 0, 1), {"statuses"}),
    "strangers": (
        lambda cursor: check_strangers(cursor, "trading_bet", {("trading", "BetPlaced"): {0}}, ALL, ("id",)),
        ("e", "BetPlaced", 7, 1), {"rows"},
    ),
    "numbers": (lambda cursor: check_doubled(cursor, CHUNK, TRADING.unique[0]), ("b", "1"), {"settlements"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("rows", [LISTED, LISTED + 1, 9 * LISTED])
def test_of_more_rows_than_are_listed_the_rest_is_not_judged(name: str, rows: int) -> None:
    ask, row, checks = ASKED[name]

    found = list(ask(cast(CursorWrapper, Rows(row, rows))))

    assert len([one for one in found if not _is_rest(one)]) == min(rows, LISTED + 1)
    assert {one.check for one in found if _is_rest(one)} == (checks if rows > LISTED else set())


def _is_rest(one: Found) -> bool:
    return isinstance(one, Unjudged) and one.why == MORE
