"""What was checked is read again: within one round through history every change behind the streams' back is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.models import Checked, Finding, Walk
from backoffice.reconcile.runs.run import reconcile as run_once
from tests.reconcile.conftest import Tamper, changed
from tests.spine import Spine

# Each leaves every other one alone. What names the finding: its check, and a part of what is told of it.
CHANGES: dict[str, tuple[str, str, str]] = {
    "a row is lost": (
        "DELETE FROM players_login WHERE event_id = (SELECT min(event_id::text)::uuid FROM players_login)",
        "rows", "neither a row nor",
    ),
    "an amount is altered": (
        "UPDATE trading_bet SET stake = stake + 1 WHERE id = (SELECT max(id::text)::uuid FROM trading_bet)",
        "rows", "'table': 'trading_bet'",
    ),
    "a row is doubled": (
        "INSERT INTO wallet_round SELECT (r).* FROM (SELECT jsonb_populate_record(w, jsonb_build_object('id',"
        " gen_random_uuid(), 'event_id', gen_random_uuid())) AS r FROM wallet_round w ORDER BY 1 LIMIT 1) d",
        "rows", "more than one row",
    ),
    "a row comes from nowhere": (
        "INSERT INTO players_contact SELECT (r).* FROM (SELECT jsonb_populate_record(w, jsonb_build_object('event_id',"
        " gen_random_uuid(), 'source_partition', 99)) AS r FROM players_contact w LIMIT 1) d",
        "rows", "'partition': 99",
    ),
    "a digest is altered": (
        "UPDATE players_bonususe SET digest = digest + 1"
        " WHERE event_id = (SELECT min(event_id::text)::uuid FROM players_bonususe)",
        "digests", "players_bonususe",
    ),
    "a transfer is lost": (
        "DELETE FROM wallet_transfer WHERE event_id = (SELECT min(event_id::text)::uuid FROM wallet_transfer)",
        "transfers", "not all there",
    ),
    "a transfer belongs to nothing": (
        "INSERT INTO wallet_transfer SELECT gen_random_uuid(), number, debit_account, credit_account, amount, currency,"
        " record, occurred_at, source_partition FROM wallet_transfer LIMIT 1",
        "transfers", "belongs to no event",
    ),
    "a leg is altered": (
        "UPDATE trading_leg SET odds = odds + 1 WHERE bet_id = (SELECT min(bet_id::text)::uuid FROM trading_leg)",
        "legs", "were changed after",
    ),
    "a balance is altered": (
        "UPDATE wallet_balance SET credits = credits + 5 WHERE (account_id, partition) ="
        " (SELECT account_id, partition FROM wallet_balance ORDER BY 1 DESC, 2 LIMIT 1)",
        "balances", "'credits'",
    ),
    "a balance comes from nowhere": (
        "INSERT INTO wallet_balance SELECT gen_random_uuid(), 0, 7, 0",
        "balances", "'debits': 7",
    ),
    "a window is altered": (
        "UPDATE metrics_window SET amount = amount + 7 WHERE metric = 'ggr' AND minute ="
        " (SELECT min(minute) FROM metrics_window WHERE metric = 'ggr')",
        "windows", "metric=ggr,",
    ),
    "a window comes from nowhere": (
        "INSERT INTO metrics_window SELECT 'ggr', minute, 'nowhere', currency, topic, partition, 1, 1"
        " FROM metrics_window WHERE metric = 'ggr' LIMIT 1",
        "windows", "key=nowhere",
    ),
    "an account is missing": (
        "DELETE FROM wallet_account WHERE id = (SELECT min(id::text)::uuid FROM wallet_account)",
        "state", "wallet_account: the row is not",
    ),
    "an account comes from nowhere": (
        "INSERT INTO wallet_account SELECT gen_random_uuid(), 'cash', gen_random_uuid(), '', 'EUR'",
        "state", "wallet_account: no event made",
    ),
    "a state is altered": (
        "UPDATE players_player SET email = 'x' WHERE id = (SELECT min(id::text)::uuid FROM players_player)",
        "state", "players_player: the row is not",
    ),
    "a state is older than its newest event": (
        "UPDATE trading_market SET version = version - 1 WHERE id = (SELECT min(id) FROM trading_market)",
        "state", "'says': 'trading_market:",
    ),
    "a state claims a version that no event has": (
        "UPDATE trading_offer SET version = version + 9 WHERE market_id = (SELECT min(market_id) FROM trading_offer)",
        "state", "trading_offer: no event made",
    ),
    "a state is deleted": (
        "DELETE FROM wallet_payment WHERE id = (SELECT min(id::text)::uuid FROM wallet_payment)",
        "state", "wallet_payment: the row is not",
    ),
    "a state comes from nowhere": (
        "INSERT INTO players_session SELECT (r).* FROM (SELECT jsonb_populate_record(s, jsonb_build_object('id',"
        " gen_random_uuid())) AS r FROM players_session s LIMIT 1) d",
        "state", "players_session: no event made",
    ),
    "a state has no version at all": (
        "INSERT INTO players_player (id, brand, jurisdiction, status) SELECT gen_random_uuid(), 'b', 'MT', 'active'",
        "state", "players_player: no event made",
    ),
    "a dead letter is deleted": (
        "DELETE FROM streams_deadletter WHERE id = (SELECT min(id) FROM streams_deadletter WHERE reason LIKE 'unkn%')",
        "messages", "no dead letter tells of it",
    ),
    "a dead letter gives no reason": (
        "UPDATE streams_deadletter SET reason = ' ' WHERE id = (SELECT max(id) FROM streams_deadletter)",
        "dead_letters", "gives no reason",
    ),
    "a dead letter is closed by nobody": (
        "UPDATE streams_deadletter SET state = 'discarded' WHERE id = (SELECT max(id) - 1 FROM streams_deadletter)",
        "dead_letters", "nobody says why",
    ),
}  # fmt: skip


@contextmanager
def small_parts() -> Iterator[None]:
    """A run reads little again, so that a round takes several."""
    with override_settings(RECONCILE=settings.RECONCILE | {"messages_at_least": 600, "rows_at_least": 150}):
        yield


@pytest.fixture
def checked(loaded: Spine) -> Spine:
    """All is stored, and a run has checked all of it."""
    assert run_once(full=False, clock=SystemClock()).clean
    return loaded


def rounds() -> int:
    """How many rounds all partitions and all tables have done."""
    return min(*Checked.objects.values_list("rounds", flat=True), *Walk.objects.values_list("rounds", flat=True))


def one_round() -> int:
    """Runs until everything was read again; returns how many it took."""
    runs, wanted = 0, rounds() + 1
    with small_parts():
        while rounds() < wanted:
            run_once(full=False, clock=SystemClock())
            runs += 1
    return runs


def test_every_change_is_found_within_one_round(checked: Spine, tamper: Tamper) -> None:
    # The keeper of all tables is one: later changes must not be undone with the first.
    for statement, _, _ in CHANGES.values():
        changed(checked, statement)

    runs = one_round()

    told = [(found["check"], str(found)) for found in Finding.objects.values_list("difference", flat=True)]
    missed = [name for name, (_, check, part) in CHANGES.items() if not any(c == check and part in t for c, t in told)]
    assert (missed, runs > 2) == ([], True), told


def test_a_round_over_what_is_right_is_clean(checked: Spine) -> None:
    before = checked.value("SELECT count(*) FROM reconcile_finding")

    one_round()

    assert checked.value("SELECT count(*) FROM reconcile_finding") == before == 0


def test_a_pace_that_is_too_slow_is_told_once(checked: Spine) -> None:
    slow = {"messages_at_least": 1, "messages_at_most": 1, "interval": 3_600.0}
    with override_settings(RECONCILE=settings.RECONCILE | slow):
        first, second = (run_once(full=False, clock=SystemClock()) for _ in range(2))
        told = StringIO()
        call_command("reconcile", status=True, stdout=told)

    days = timedelta(hours=sum(checked.ends().values())) / timedelta(days=1)
    assert first.clean
    assert [found["check"] for found in first.named] == [found["check"] for found in second.named] == ["pace"]
    assert f"takes {days:.1f} days at this pace, and not 7" in first.named[0]["says"]
    assert first.named[0]["says"] in told.getvalue()
    assert checked.value("SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'") == 1


def test_the_status_tells_of_every_round(checked: Spine) -> None:
    told = StringIO()
    with small_parts():
        run_once(full=False, clock=SystemClock())
        call_command("reconcile", status=True, stdout=told)

    lines = told.getvalue().splitlines()
    assert any("last run by the clock:" in line and "clean" in line for line in lines)
    assert any("all of it within 7 days" in line for line in lines)
    assert sum("messages read again" in line for line in lines) == Checked.objects.count()
