"""Short sessions with Postgres are used again for a while, and never where one is not as it was."""

import os
import signal
from collections.abc import Iterator

import pytest

from backoffice.kernel.errors import Retryable
from backoffice.streams import sessions
from backoffice.streams.database import Connection, connect
from backoffice.streams.sessions import session

from .stored import Store


@pytest.fixture(autouse=True)
def keeping(store: Store) -> Iterator[None]:
    sessions.reuse()
    yield
    sessions.close()


def pid(connection: Connection) -> int:
    return connection.info.backend_pid


def called(connection: Connection) -> str:
    ((name,),) = connection.execute("SHOW application_name").fetchall()
    return str(name)


def used(name: str = "") -> int:
    with session(name) as connection:
        connection.execute("SELECT 1")
        return pid(connection)


def end(number: int) -> None:
    with connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [number])


def test_the_next_one_has_the_same() -> None:
    assert used() == used()


def test_two_at_once_have_two() -> None:
    with session() as one, session() as other:
        assert pid(one) != pid(other)


def test_it_is_called_as_whoever_has_it_says() -> None:
    with session() as connection:
        usual = called(connection)
    with session("pitboss-stream wallet.bets") as connection:
        assert called(connection) == "pitboss-stream wallet.bets"
    with session() as connection:
        assert called(connection) == usual


def test_one_that_an_error_has_ended_is_closed() -> None:
    had: list[Connection] = []

    def fail() -> None:
        with session() as connection:
            had.append(connection)
            raise LookupError

    before = used()
    with pytest.raises(LookupError):
        fail()
    assert had[0].closed
    assert used() != before


def test_one_that_is_left_in_a_transaction_is_closed_and_nothing_of_it_holds() -> None:
    with session() as connection:
        connection.execute("BEGIN; CREATE TABLE left_over ()")
    assert connection.closed
    with session() as connection:
        assert connection.execute("SELECT to_regclass('left_over')").fetchall() == [(None,)]


def test_nobody_notices_that_kept_ones_have_ended() -> None:
    with session() as one, session() as other:
        ended = {pid(one), pid(other)}
    for number in ended:
        end(number)

    assert used() not in ended
    assert one.closed
    assert other.closed


def test_of_one_that_ends_meanwhile_whoever_has_it_hears() -> None:
    def lose() -> None:
        with session() as connection:
            end(pid(connection))
            connection.execute("SELECT 1")

    with pytest.raises(Retryable):
        lose()


def test_only_a_few_are_kept() -> None:
    many = [session() for _ in range(sessions.MOST_IDLE + 2)]
    open_ones = [one.__enter__() for one in many]
    for one in many:
        one.__exit__(None, None, None)

    assert [connection.closed for connection in open_ones].count(False) == sessions.MOST_IDLE


def test_those_of_long_ago_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with session() as connection:
        before = pid(connection)
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.0)

    assert used() != before
    assert connection.closed


def test_those_of_long_ago_are_closed_though_nobody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    with session() as connection:
        pass
    sessions.close_old()
    assert not connection.closed
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.0)

    sessions.close_old()
    assert connection.closed


def test_one_whose_server_is_frozen_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ANSWER_SECONDS", 0.3)
    with session() as connection:
        before = pid(connection)
    os.kill(before, signal.SIGSTOP)
    try:
        assert used() != before
        assert connection.closed
    finally:
        os.kill(before, signal.SIGCONT)


def test_who_does_not_keep_any_closes_each() -> None:
    sessions.close()
    with session() as connection:
        pass
    assert connection.closed


def test_what_is_kept_is_closed_in_the_end() -> None:
    with session() as connection:
        pass
    assert not connection.closed
    sessions.close()
    assert connection.closed
