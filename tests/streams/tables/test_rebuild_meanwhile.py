"""Rebuilds of tables in which more has a hand than their messages, before and meanwhile: the same table, or none."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.ids import derived_id
from backoffice.metrics import rollup
from backoffice.streams.tables import shadow
from tests.faults.checks import reconciled
from tests.faults.test_lost_logs import TOPIC, bets, send
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.streams.tables.test_rebuild import contents, rebuilt

WINDOWS = "metrics_window"
LONG_AGO = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
CHANGES = "SELECT version, status FROM trading_statuschange ORDER BY id"


def test_a_partition_that_is_added_during_the_last_stretch_is_not_lost(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(spine, "before", 5)
    spine.drain("trading")
    real, calls = shadow.lock, 0

    def lock(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        # The first is that of the rehearsal; twice it is locked in each.
        if calls == 3:
            added(spine)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shadow, "lock", lock)
    rebuilt("trading_bet")

    assert len(contents(spine, "trading_bet")) == 10
    reconciled()


def added(spine: Spine) -> None:
    """A partition more, and five bets of it stored."""
    spine.add_partitions(TOPIC, spine.partitions + 1)
    spine.send_bytes(TOPIC, bets(spine, "added", 5), partition=spine.partitions)
    with spine.streaming("trading"):
        until(lambda: len(contents(spine, "trading_bet")) == 10, "the new partition is stored")


@pytest.mark.parametrize("rolled", ["before it", "while it reads"])
def test_windows_that_were_rolled_up_are_rolled_up_as_far_after_their_rebuild(spine: Spine, rolled: str) -> None:
    deposit(spine, *range(20))
    spine.drain("wallet")
    reconciled()
    if rolled == "before it":
        assert rollup.roll(SINCE) > 0
        deposit(spine, 20)  # late, and by the minute until the next night
        spine.drain("wallet")

    def read(*_: int) -> None:
        if rolled == "while it reads":
            rollup.roll(SINCE)

    rebuilt(WINDOWS, read)

    found = contents(spine, WINDOWS)
    assert not [row for row in found if "'deposits_completed'" in row]
    reconciled()
    rollup.roll(SINCE)
    assert contents(spine, WINDOWS) == found


def deposit(spine: Spine, *numbers: int) -> None:
    schema_id = spine.registry.register("DepositCompleted")
    events = [
        event_of(
            "DepositCompleted",
            event_id=str(derived_id("deposit", str(number))),
            payment_id=str(derived_id("payment", str(number))),
            occurred_at=LONG_AGO + timedelta(minutes=7 * number),
        )
        for number in numbers
    ]
    values = [frame(schema_id, encode("DepositCompleted", event)) for event in events]
    spine.send_bytes("wallet-transactions", values, partition=0)


def test_changes_of_status_on_which_a_trigger_decides_are_refused(spine: Spine) -> None:
    schema_id = spine.registry.register("MarketUpdate")
    for version, status in enumerate(["open", "open", "suspended", "open", "open"], 1):
        event = event_of(
            "MarketUpdate", event_id=str(derived_id("update", str(version))), version=version, status=status
        )
        spine.send_bytes("odds-feed", [frame(schema_id, encode("MarketUpdate", event))], partition=0)
    spine.drain("trading")
    before = contents(spine, "trading_statuschange")
    assert spine.rows(CHANGES) == [(1, "open"), (3, "suspended"), (4, "open")]

    with pytest.raises(CommandError, match=r"cannot be made anew from Kafka alone: triggers .*changes_only"):
        call_command("rebuild", "trading_statuschange", stdout=StringIO())

    assert contents(spine, "trading_statuschange") == before


@pytest.mark.parametrize(
    ("table", "trigger", "is_refused"),
    [
        ("trading_bet", "BEFORE INSERT ON trading_bet_01 FOR EACH ROW", True),
        ("wallet_balance", "BEFORE UPDATE ON wallet_balance FOR EACH ROW", True),
        ("trading_bet", "BEFORE UPDATE ON trading_bet FOR EACH ROW", False),
        ("trading_bet", "AFTER INSERT ON trading_bet FOR EACH ROW", False),
        ("trading_bet", "BEFORE INSERT ON trading_bet FOR EACH STATEMENT", False),
    ],
)
def test_a_trigger_has_a_say_where_it_comes_before_a_row_that_a_projection_writes(
    spine: Spine, table: str, trigger: str, is_refused: bool
) -> None:
    with psycopg.connect(spine.database_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE FUNCTION as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
            f" CREATE TRIGGER somebodys {trigger} EXECUTE FUNCTION as_it_is()".encode()
        )

    if is_refused:
        with pytest.raises(CommandError, match=r"triggers \(somebodys\) decide on its rows"):
            call_command("rebuild", table, stdout=StringIO())
    else:
        call_command("rebuild", table, stdout=StringIO())
