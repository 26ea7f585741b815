"""The ledger of a topic that was made anew: its log is gone, and the tables are held against one another."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from backoffice.contracts.catalogue import topic_of
from tests.faults.checks import reconciled
from tests.faults.test_lost_logs import made_anew, streams
from tests.reconcile.altering import altered, columns_of, key_of, unnamed
from tests.reconcile.conftest import Told, events_of, replica, undo
from tests.spine import Spine

TOPIC = "wallet-transactions"
TABLES = ("wallet_account", "wallet_balance", "wallet_payment", "wallet_transaction", "wallet_transfer")

# What moved no money stands in one table only.
OF_TRANSFERS = {"wallet_transaction": "event_id IN (SELECT event_id FROM wallet_transfer)"}
_ALONE = "Nothing else in the tables tells of it."
_PLACE = "Where it stood in the log, which is gone."
UNTOLD = {
    **{f"wallet_payment.{column}": _ALONE for column in ("method", "provider", "instrument_id", "decline_reason")},
    **{f"wallet_payment.{column}": _PLACE for column in ("status_logged_at", "status_offset")},
    **{
        f"wallet_transaction.{column}": _ALONE
        for column in ("brand", "jurisdiction", "bet_id", "round_id", "bonus_id", "reason", "actor")
    },
    **{f"wallet_transaction.{column}": _PLACE for column in ("source_offset", "digest")},
}


@pytest.fixture
def former(spine: Spine) -> Spine:
    """All rows of the ledger are of a topic that was made anew and adopted; the log is empty."""
    spine.send(event for event in events_of(2_000) if topic_of(event.record) == TOPIC)
    spine.drain("wallet")
    made_anew(spine, 2, TOPIC)
    spine.ends()
    streams("adopt", "wallet", TOPIC, "--reason", "a test")
    reconciled()
    return spine


def named_nowhere(spine: Spine, rows: list[tuple[str, str, list[Told]]]) -> list[str]:
    """Those of the rows that a run over everything does not name."""
    told = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile", "--full", "--anew", stdout=told)
    return unnamed(spine, rows, json.loads(told.getvalue()))


def test_an_altered_row_is_named_by_what_the_other_tables_say(former: Spine) -> None:
    for table in TABLES:
        columns = columns_of(former, [table], UNTOLD)

        changes = altered(former, columns, OF_TRANSFERS, nulls=False)

        assert {change.column for change in changes} == {column.name for column in columns}, "too few rows"
        rows = [(table, change.said, [change.before, change.now]) for change in changes]
        assert named_nowhere(former, rows) == []
        undo(former)


def test_a_row_that_is_gone_is_missed(former: Spine) -> None:
    gone: list[tuple[str, str, list[Told]]] = []
    with replica(former) as connection:
        for table in TABLES:
            key = ", ".join(key_of(former, table))
            (row,) = connection.execute(
                f"DELETE FROM {table} t WHERE ({key}) = (SELECT {key} FROM {table}"
                f" WHERE {OF_TRANSFERS.get(table, 'true')} ORDER BY md5(concat({key})) LIMIT 1) RETURNING to_jsonb(t)"
            ).fetchall()
            gone.append((table, "deleted", list(row)))

    assert named_nowhere(former, gone) == []
