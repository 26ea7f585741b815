"""Who holds what a stream waits for, with real sessions that wait for each other; and nothing of persons in it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from backoffice.streams.consume.watching.blocking import LENGTH, Blocker, blockers, told, without_values
from backoffice.streams.database import Connection, connect, session_name
from tests.spine import until

STREAM, TOPIC = "trading", "bet-events"


@contextmanager
def waiting(connection: Connection, statement: str) -> Iterator[None]:
    """The connection runs the statement, which waits for a lock, in a thread; it ends with the block that holds it."""

    thread = threading.Thread(target=connection.execute, args=[statement.encode()])
    thread.start()
    with connect() as looking:
        until(
            lambda: looking.execute(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                [connection.info.backend_pid],
            ).fetchone(),
            "it waits",
        )
    yield
    thread.join(30)
    assert not thread.is_alive()


def test_the_first_cause_comes_before_who_waits_for_it_himself(database: str) -> None:
    with (
        connect(name="a root") as root,
        connect(name="in between") as between,
        connect(name=session_name(STREAM, TOPIC)) as lane,
        connect() as looking,
    ):
        looking.execute("CREATE TABLE a (x int); CREATE TABLE b (x int)")
        pids = [root.info.backend_pid, between.info.backend_pid]
        root.execute("BEGIN; LOCK TABLE a")
        between.execute("BEGIN; LOCK TABLE b")
        with (
            waiting(lane, "INSERT INTO b VALUES (1)"),
            waiting(between, "INSERT INTO a VALUES (1)"),
        ):
            found = blockers(looking, session_name(STREAM, TOPIC))
            elsewhere = blockers(looking, session_name(STREAM, "another-topic"))
            root.execute("ROLLBACK")
            between.execute("ROLLBACK")  # once it has got what it waited for

    assert [(each.application, each.state, each.waits, each.relation) for each in found] == [
        ("a root", "idle in transaction", False, "a"),
        ("in between", "active", True, "b"),
    ]
    assert [each.pid for each in found] == pids
    assert found[0].since is not None
    assert f"pg_terminate_backend({found[0].pid})" in told(found)
    assert elsewhere == []


def test_where_nobody_blocks_nothing_is_said(database: str) -> None:
    with connect(name=session_name(STREAM, TOPIC)), connect() as looking:
        assert told(blockers(looking, session_name(STREAM, TOPIC))) == ""


def test_a_session_is_called_by_its_lane_whatever_the_settings_say(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = connections["default"].settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "application_name", "of the settings")

    with connect(name=session_name(STREAM, TOPIC)) as lane, connect() as other:
        names = [each.execute("SHOW application_name").fetchone() for each in (lane, other)]

    assert names == [("pitboss-stream trading.bet-events",), ("of the settings",)]


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("LOCK TABLE trading_bet IN SHARE MODE", "LOCK TABLE trading_bet IN SHARE MODE"),
        ("UPDATE players_player SET name = 'Jane' WHERE id = 7", "UPDATE players_player SET name ="),
        ('SELECT "e mail", x2\n  FROM t WHERE t.phone = 49123', 'SELECT "e mail", x2 FROM t WHERE t.phone ='),
        ("SELECT * FROM t WHERE name = E'Jane\\'s'", "SELECT * FROM t WHERE name = E"),
        ("SELECT * FROM t WHERE name = $$Jane$$", "SELECT * FROM t WHERE name ="),
        ("SELECT * FROM t WHERE name = $1", "SELECT * FROM t WHERE name ="),
        ("DELETE FROM t -- of Jane", "DELETE FROM t"),
        ("DELETE FROM t /* of Jane */", "DELETE FROM t"),
        ("SELECT '" + "x" * 200, "SELECT"),
        ("<insufficient privilege>", "<insufficient privilege>"),
        ("", ""),
    ],
)  # fmt: skip
def test_of_a_statement_no_value_is_told(statement: str, kept: str) -> None:
    assert without_values(statement) == kept


def test_a_long_statement_is_cut() -> None:
    found = without_values("SELECT " + ", ".join(["a_column"] * 40))

    assert len(found) == LENGTH
    assert found.endswith("…")


def test_a_transaction_that_is_prepared_has_no_session_to_end() -> None:
    text = told([Blocker(0, "", "", None, None, "", False, "trading_bet")])

    assert "a prepared transaction (pg_prepared_xacts)" in text
    assert "commit it or roll it back" in text
