"""Bets that are not settled yet: one row each of what the engine has to remember.

Results are known to the engine when a bet is placed; ``due`` is when the operator knows them.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from backoffice.contracts.columns import arrow_type
from backoffice.contracts.definitions import schema
from backoffice.simulator.operator.arrays import ID, Ints, Rows
from backoffice.simulator.operator.sportsbook import Choice
from backoffice.simulator.sport.quotes import LOST, RESULTS

MOST_LEGS = 5
KINDS = ("single", "multiple", "system")
# What becomes of a bet: settled; cashed out; void; settled wrongly at first, too low or too high; the correction of it.
SETTLED, CASHED_OUT, VOIDED, TOO_LOW, TOO_HIGH, CORRECTED = range(6)

BET = np.dtype(
    [
        ("id", ID), ("player", "i8"), ("stake", "i8"), ("is_free", "?"), ("legs", "i8"), ("due", "i8"), ("fate", "i1"),
        # What is paid first and, where that was wrong, what it should have been.
        ("payout", "i8"), ("correct", "i8"), ("number", "i8"),
        ("results", "u1", (MOST_LEGS,)), ("voids", "i2", (MOST_LEGS,)), ("heats", "i2", (MOST_LEGS,)),
        # Of a dead heat; 0 where there was none.
        ("places", "i2", (MOST_LEGS,)), ("tied", "i2", (MOST_LEGS,)),
    ]
)  # fmt: skip


def results_column(bets: Rows) -> pa.Array:
    """The legs' results of these bets, as BetSettled and BetResettled have them."""
    used = np.arange(MOST_LEGS) < bets["legs"][:, None]
    words = pa.array(RESULTS, pa.string()).take(pa.array(bets["results"][used]))
    columns = [
        _leg_numbers(bets["legs"]), words, pa.array(bets["voids"][used]), pa.array(bets["heats"][used]),
        *(pa.array(bets[name][used], mask=bets[name][used] == 0) for name in ("places", "tied")),
    ]  # fmt: skip
    return _lists("BetSettled", bets["legs"], columns)


def wrong_results(bets: Rows) -> Rows:
    """The bets as if all of their legs had lost, which is what a first settlement that is too low says."""
    wrong = bets.copy()
    low = wrong["fate"] == TOO_LOW
    wrong["results"][low] = LOST
    wrong["voids"][low] = 0
    wrong["heats"][low] = 1_000
    wrong["places"][low] = wrong["tied"][low] = 0
    return wrong


def legs_column(tickets: Sequence[Sequence[Choice]]) -> pa.Array:
    """The legs of bets as BetPlaced has them."""
    counts = np.array([len(ticket) for ticket in tickets], np.int64)
    legs = [leg for ticket in tickets for leg in ticket]
    markets = [leg.fixture.markets[leg.market] for leg in legs]
    columns = [
        _leg_numbers(counts),
        pa.array([leg.fixture.sport for leg in legs], pa.string()),
        pa.array([leg.fixture.id for leg in legs], pa.string()),
        pa.array([market.id for market in markets], pa.string()),
        pa.array([market.outcomes[leg.outcome].id for leg, market in zip(legs, markets, strict=True)], pa.string()),
        pa.array([leg.odds for leg in legs], pa.int64()),
        pa.array([leg.is_in_play for leg in legs], pa.bool_()),
    ]
    return _lists("BetPlaced", counts, columns)


def _leg_numbers(counts: Ints) -> pa.Array:
    ends = np.cumsum(counts)
    return pa.array(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts) + 1)


def _lists(record: str, counts: Ints, columns: Sequence[pa.Array]) -> pa.Array:
    wanted = arrow_type(next(field["type"] for field in schema(record)["fields"] if field["name"] == "legs"))
    fields = list(wanted.value_type)
    cast = [column.cast(field.type) for column, field in zip(columns, fields, strict=True)]
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(cast, fields=fields))
