"""Rows altered by hand in each column of each table that the streams write: a run over everything names them.

In each column one row is altered that has something there, and one that has nothing, where there are such.
"""

import pytest

from backoffice.streams.store.projection import STREAMS
from tests.reconcile.altering import altered, columns_of, unnamed
from tests.reconcile.conftest import Reconcile
from tests.spine import Spine

OWN = ("metrics_rolled", "streams_deadletter", "streams_outbox", "streams_repeat")
TABLES = sorted({*OWN, *(table for stream in STREAMS.values() for table in stream.tables())})

_NUMBER = "A number of the table's own, which nothing else names."
_ACT = "Who closed a letter, when and why is told nowhere else; that somebody did, and gave a reason, is asked."
_SENT = "What is to be told, not what is stored: what came of it is compared where its topic is read."
_RELAY = "How far the relay is with a message; its next attempt corrects it."
_READ = "When a worker read it; no log knows it."
EXEMPT = {
    "streams_deadletter.id": _NUMBER,
    "trading_statuschange.id": _NUMBER,
    "trading_statuschange.is_late": "In which order partitions were stored is told by no log.",
    "metrics_rolled.id": "There is one row, which a check of the table holds.",
    "streams_deadletter.record": "A name beside the message, which is compared; shown to people only.",
    "streams_deadletter.alert_id": "Which alert tells of a clash; the alert is compared where its topic is read.",
    "streams_deadletter.note": _ACT,
    "streams_deadletter.resolved_at": _ACT,
    "streams_deadletter.resolved_by": _ACT,
    "streams_repeat.seen_at": "When a worker met the repeat; no log knows it.",
    "trading_market.version_taken_at": _READ,
    "trading_feedrun.began_taken_at": _READ,
    "trading_bet.source_generation": "Bets older than the column have 0, whichever it was; the ticker alone asks.",
    **{f"streams_outbox.{column}": _SENT for column in ("record", "schema_version")},
    **{
        f"streams_outbox.{column}": _RELAY
        for column in ("id", "position", "sent_at", "held_since", "attempts", "next_attempt_at", "last_error",
                       "alert_id", "discarded_at", "discarded_by", "discard_reason")
    },
}  # fmt: skip

# Rows of which more is known than of the others.
OF_LETTERS = {"streams_outbox": "record = ''"}

# So many runs, that each has few changes: it lists no more than a hundred differences, and small tables have few rows.
ROUNDS = 12


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_an_altered_row_is_named(turn: int, loaded: Spine, reconcile: Reconcile) -> None:
    columns = columns_of(loaded, TABLES, EXEMPT)[turn::ROUNDS]
    changes = altered(loaded, columns, OF_LETTERS)
    assert {(change.table, change.column) for change in changes} == {(c.table, c.name) for c in columns}, "too few rows"

    _, told = reconcile("--full", "--anew")

    rows = [(change.table, change.said, [change.before, change.now]) for change in changes]
    assert unnamed(loaded, rows, told) == []


def test_what_is_exempt_is_there(loaded: Spine) -> None:
    columns = loaded.rows(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    assert EXEMPT.keys() <= {column for (column,) in columns}
