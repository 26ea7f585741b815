"""Whatever is changed behind the streams' back is found, and told with its place."""

import pytest

from tests.reconcile.conftest import Reconcile, Tamper, Told
from tests.spine import Spine


def found(told: Told, check: str) -> list[Told]:
    return [difference for difference in told["differences"] if difference["check"] == check]


def only(told: Told, check: str, *others: str) -> Told:
    """The one difference of the check; only such of the other checks may be told beside it."""
    assert {difference["check"] for difference in told["differences"]} <= {check, *others}, told
    (difference,) = found(told, check)
    return difference


@pytest.fixture(params=[[], ["--full"]], ids=["incremental", "full"])
def mode(request: pytest.FixtureRequest) -> list[str]:
    arguments: list[str] = request.param
    return arguments


@pytest.mark.parametrize("table", ["players_login", "trading_bet", "wallet_round", "streams_event"])
def test_a_lost_row_is_found(table: str, tamper: Tamper, reconcile: Reconcile) -> None:
    ((partition, offset, event_id),) = tamper(
        f"DELETE FROM {table} WHERE event_id = (SELECT event_id FROM {table} ORDER BY event_id LIMIT 1)"
        " RETURNING source_partition, source_offset, event_id"
    )

    code, told = reconcile()

    (lost,) = found(told, "rows")
    assert (code, told["clean"]) == (1, False)
    assert (lost["partition"], lost["offsets"], lost["postgres"]) == (partition, [offset, offset], None)
    assert lost["kafka"]["event_id"] == str(event_id)
    assert "neither a row nor a dead letter nor a repeat" in lost["says"]


def test_a_row_doubled_under_fresh_ids_is_found(tamper: Tamper, reconcile: Reconcile, loaded: Spine) -> None:
    columns = [name for (name,) in loaded.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name = 'trading_bet'"
        " AND column_name NOT IN ('id', 'event_id')"
    )]  # fmt: skip
    listed = ", ".join(columns)
    ((partition, offset, event_id),) = tamper(
        f"INSERT INTO trading_bet (id, event_id, {listed}) SELECT gen_random_uuid(), gen_random_uuid(), {listed}"
        " FROM trading_bet LIMIT 1 RETURNING source_partition, source_offset, event_id"
    )

    code, told = reconcile()

    doubled = only(told, "rows")
    assert code == 1
    assert (doubled["topic"], doubled["record"]) == ("bet-events", "BetPlaced")
    assert (doubled["partition"], doubled["offsets"]) == (partition, [offset, offset])
    assert doubled["postgres"]["event_id"] == str(event_id)
    assert "more than one row" in doubled["says"]


def test_two_settlements_with_one_number_are_found(tamper: Tamper, reconcile: Reconcile, loaded: Spine) -> None:
    columns = ", ".join(name for (name,) in loaded.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name = 'trading_settlement' AND column_name <> 'event_id'"
    ))  # fmt: skip
    ((bet_id, number),) = tamper(
        f"INSERT INTO trading_settlement (event_id, {columns}) SELECT gen_random_uuid(), {columns}"
        " FROM trading_settlement LIMIT 1 RETURNING bet_id, settlement_no"
    )

    code, told = reconcile()

    (settlement,) = found(told, "settlements")
    assert (code, settlement["where"]) == (1, f"bet_id={bet_id}, settlement_no={number}")


@pytest.mark.parametrize(
    ("table", "column", "topic"),
    [
        ("trading_bet", "stake", "bet-events"),
        ("trading_settlement", "payout", "bet-events"),
        ("wallet_round", "win", "game-rounds"),
        ("players_limitchange", "amount", "player-events"),
    ],
)
def test_an_altered_amount_is_found(table: str, column: str, topic: str, tamper: Tamper, reconcile: Reconcile) -> None:
    ((partition, offset, altered),) = tamper(
        f"UPDATE {table} SET {column} = {column} + 1 WHERE event_id = (SELECT event_id FROM {table}"
        f" WHERE {column} IS NOT NULL ORDER BY event_id LIMIT 1) RETURNING source_partition, source_offset, {column}"
    )

    code, told = reconcile()

    difference = only(told, "rows")
    assert code == 1
    assert (difference["topic"], difference["partition"]) == (topic, partition)
    assert difference["offsets"] == [offset, offset]
    assert (difference["kafka"][column], difference["postgres"][column]) == (altered - 1, altered)


def test_rows_that_have_changed_places_are_found(
    mode: list[str], tamper: Tamper, reconcile: Reconcile, loaded: Spine
) -> None:
    (first, second) = loaded.rows(
        "SELECT source_partition, source_offset, event_id::text FROM trading_bet"
        " WHERE source_partition = 0 ORDER BY source_offset LIMIT 2"
    )
    tamper(
        f"UPDATE trading_bet SET source_offset = {first[1]} + {second[1]} - source_offset"
        f" WHERE event_id IN ('{first[2]}', '{second[2]}')"
    )

    code, told = reconcile(*mode)

    assert (code, {difference["check"] for difference in told["differences"]}) == (1, {"rows", "digests"})
    named = {(d["partition"], d["offsets"][0], d["kafka"]["event_id"]) for d in found(told, "rows")}
    assert named == {first, second}


def test_a_lost_transfer_is_found(tamper: Tamper, reconcile: Reconcile) -> None:
    ((event_id, amount),) = tamper(
        "DELETE FROM wallet_transfer WHERE (event_id, number) = (SELECT event_id, number FROM wallet_transfer"
        " ORDER BY event_id LIMIT 1) RETURNING event_id, amount"
    )

    code, told = reconcile()

    lost = only(told, "transfers", "ledger")
    assert code == 1
    assert (lost["topic"], lost["kafka"]["event_id"]) == ("wallet-transactions", str(event_id))
    assert [row["amount"] for row in lost["kafka"]["rows"]] == [str(amount)]
    assert lost["postgres"]["rows"] == []


def test_a_transfer_of_no_event_is_found(tamper: Tamper, reconcile: Reconcile) -> None:
    ((event_id,),) = tamper(
        "INSERT INTO wallet_transfer SELECT gen_random_uuid(), number, debit_account, credit_account, amount, currency,"
        " record, occurred_at, source_partition FROM wallet_transfer LIMIT 1 RETURNING event_id"
    )

    code, told = reconcile("--full")

    assert (code, only(told, "transfers", "ledger")["where"]) == (1, str(event_id))


def test_a_lost_leg_is_found(tamper: Tamper, reconcile: Reconcile) -> None:
    ((bet_id, leg_no),) = tamper(
        "DELETE FROM trading_leg WHERE (bet_id, leg_no) ="
        " (SELECT bet_id, leg_no FROM trading_leg ORDER BY 1, 2 LIMIT 1) RETURNING bet_id, leg_no"
    )

    code, told = reconcile()

    lost = only(told, "legs")
    assert (code, lost["record"]) == (1, "BetPlaced")
    assert [(row["bet_id"], row["leg_no"]) for row in lost["kafka"]["rows"]] == [(str(bet_id), str(leg_no))]


def test_what_no_event_has_told_of_a_row_is_found(mode: list[str], tamper: Tamper, reconcile: Reconcile) -> None:
    """The row is there by other events, and nothing stands there yet of those that would tell this."""
    ((session,),) = tamper(
        "UPDATE players_session SET end_reason = 'logout' WHERE id = (SELECT id FROM players_session"
        " WHERE ended_logged_at IS NULL ORDER BY id LIMIT 1) RETURNING id"
    )

    code, told = reconcile(*mode)

    difference = only(told, "state")
    assert (code, difference["where"], difference["postgres"]) == (1, f"id={session}", {"end_reason": "logout"})


def test_an_altered_balance_is_found(mode: list[str], tamper: Tamper, reconcile: Reconcile) -> None:
    ((account, partition, altered),) = tamper(
        "UPDATE wallet_balance SET credits = credits + 5 WHERE (account_id, partition) = (SELECT account_id, partition"
        " FROM wallet_balance ORDER BY 1, 2 LIMIT 1) RETURNING account_id, partition, credits"
    )

    code, told = reconcile(*mode)

    difference = found(told, "balances")[0]
    assert code == 1
    assert difference["where"] == f"account_id={account}, partition={partition}"
    assert (difference["kafka"], difference["postgres"]) == ({"credits": altered - 5}, {"credits": altered})
    assert found(told, "books")


def test_an_altered_window_is_found(mode: list[str], tamper: Tamper, reconcile: Reconcile) -> None:
    ((minute, altered),) = tamper(
        "UPDATE metrics_window SET amount = amount + 7 WHERE (metric, minute, key, currency, topic, partition) ="
        " (SELECT metric, minute, key, currency, topic, partition FROM metrics_window WHERE metric = 'ggr' LIMIT 1)"
        " RETURNING minute, amount"
    )

    code, told = reconcile(*mode)

    difference = only(told, "windows")
    assert (code, "metric=ggr" in difference["where"], f"{minute:%H:%M}" in difference["where"]) == (1, True, True)
    assert (difference["kafka"], difference["postgres"]) == ({"amount": altered - 7}, {"amount": altered})


def test_an_account_that_is_missing_is_found(tamper: Tamper, reconcile: Reconcile) -> None:
    ((account,),) = tamper("DELETE FROM wallet_account WHERE id = (SELECT id FROM wallet_account LIMIT 1) RETURNING id")

    code, told = reconcile()

    (missing,) = found(told, "state")
    assert (code, missing["where"]) == (1, f"id={account}")


@pytest.mark.parametrize(
    ("table", "change", "where"),
    [
        ("trading_market", "status = 'tampered'", "id"),
        ("trading_market", "version = version - 1", "id"),
        ("trading_price", "odds = odds + 1", "market_id"),
        ("players_player", "email = 'nobody@example.invalid'", "id"),
        ("wallet_payment", "amount = amount + 1", "id"),
        ("metrics_activity", "minute = minute - interval '1 hour'", "player_id"),
    ],
)
def test_a_state_that_no_event_says_is_found(
    table: str, change: str, where: str, tamper: Tamper, reconcile: Reconcile
) -> None:
    ((key,),) = tamper(f"UPDATE {table} SET {change} WHERE ctid = (SELECT ctid FROM {table} LIMIT 1) RETURNING {where}")

    code, told = reconcile()

    difference = only(told, "state", "statuses", "payments")
    assert (code, difference["says"].split(":")[0]) == (1, table)
    assert difference["where"].startswith(f"{where}={key}")
    assert "nobody@example.invalid" not in str(difference)


def test_a_deleted_dead_letter_is_found(tamper: Tamper, reconcile: Reconcile) -> None:
    ((topic, partition, offset),) = tamper(
        "DELETE FROM streams_deadletter WHERE id = (SELECT id FROM streams_deadletter"
        " WHERE reason LIKE 'unknown schema%'"
        ' LIMIT 1) RETURNING topic, partition, "offset"'
    )

    code, told = reconcile()

    difference = only(told, "messages")
    assert (code, difference["topic"], difference["partition"]) == (1, topic, partition)
    assert difference["offsets"] == [offset, offset]
    assert "unknown schema id" in difference["says"]


def test_a_dead_letter_without_its_twin_is_found(mode: list[str], tamper: Tamper, reconcile: Reconcile) -> None:
    ((partition, offset),) = tamper(
        "DELETE FROM streams_outbox WHERE id = (SELECT min(id) FROM streams_outbox WHERE record = '')"
        " RETURNING (headers ->> 'partition')::int, (headers ->> 'offset')::int"
    )

    code, told = reconcile(*mode)

    difference = only(told, "dead_letters")
    assert (code, difference["partition"], difference["offsets"]) == (1, partition, [offset, offset])


def test_a_repeat_whose_event_is_gone_is_found(tamper: Tamper, reconcile: Reconcile, loaded: Spine) -> None:
    assert loaded.value("SELECT count(*) FROM streams_repeat WHERE record = 'LoginSucceeded'")
    tamper("DELETE FROM players_login WHERE record = 'LoginSucceeded'")

    code, told = reconcile()

    assert code == 1
    assert {difference["record"] for difference in found(told, "repeats")} == {"LoginSucceeded"}


def test_a_row_without_a_digest_among_such_that_have_one_is_found(tamper: Tamper, reconcile: Reconcile) -> None:
    last = "(SELECT event_id FROM wallet_transaction WHERE source_partition = 0 ORDER BY source_offset DESC LIMIT 9)"
    lost = tamper(f"UPDATE wallet_transaction SET digest = NULL WHERE event_id IN {last} RETURNING source_offset")

    code, told = reconcile("--full")

    found = [(one["check"], *one["offsets"]) for one in told["differences"]]
    assert (code, sorted(found)) == (1, sorted(("digests", offset, offset) for (offset,) in lost))


@pytest.mark.parametrize("table", ["wallet_transaction", "trading_bet"])
def test_rows_of_before_there_were_digests_are_none_the_worse(table: str, tamper: Tamper, reconcile: Reconcile) -> None:
    tamper(f"UPDATE {table} SET digest = NULL WHERE source_offset < (SELECT max(source_offset) / 2 FROM {table})")

    assert [reconcile(*how)[0] for how in (["--full"], [])] == [0, 0]
