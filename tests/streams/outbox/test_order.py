"""Messages of one key leave in the order in which their transactions committed, whoever wrote first."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from backoffice.streams.database import Connection, connect
from backoffice.streams.outbox import waiting

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_INSERT = "INSERT INTO streams_outbox (topic, key, value, headers, created_at) VALUES ('t', %s, %s, '{}', now())"


def write(connection: Connection, value: str, key: bytes | None = b"k") -> None:
    connection.execute(_INSERT, [key, value.encode()])


def ready(connection: Connection) -> list[str]:
    return [(row.value or b"").decode() for row in waiting.ready(connection, NOW)[0]]


def test_who_wrote_first_and_commits_last_comes_last(database: str) -> None:
    with connect() as early, connect() as late, connect() as relay:
        with early.transaction():
            write(early, "early")
            with late.transaction():
                write(late, "late")
            assert ready(relay) == ["late"]

        assert ready(relay) == ["late", "early"]


def test_messages_of_a_transaction_keep_their_order_and_stay_together_in_their_key(database: str) -> None:
    with connect() as early, connect() as late, connect() as relay:
        with early.transaction():
            write(early, "early 1")
            with late.transaction():
                for number in range(3):
                    write(late, f"late {number}")
            write(early, "early 2")

        assert ready(relay) == ["late 0", "late 1", "late 2", "early 1", "early 2"]


def test_a_transaction_that_stays_open_holds_up_nobody(database: str) -> None:
    with connect() as hours, connect() as quick, connect() as relay, hours.transaction():
        write(hours, "some time")
        hours.execute("SELECT txid_current()")
        quick.execute("SET lock_timeout = '2s'")
        write(quick, "now")

        assert ready(relay) == ["now"]


def test_what_is_taken_back_leaves_no_trace(database: str) -> None:
    with connect() as writer, connect() as relay:
        with writer.transaction():
            write(writer, "kept")
            with writer.transaction(force_rollback=True):
                write(writer, "taken back")

        assert ready(relay) == ["kept"]


def test_two_with_the_same_keys_the_other_way_round_do_not_wait_for_each_other_for_ever(database: str) -> None:
    def many(keys: list[int]) -> None:
        with connect() as writer:
            for _ in range(30):
                with writer.transaction():
                    for key in keys:
                        write(writer, "x", b"%d" % key)

    keys = list(range(40))
    errors = together([lambda: many(keys), lambda: many(keys[::-1]), lambda: many(keys[::2] + keys[1::2])])

    assert errors == []


@pytest.mark.parametrize("writes_before_its_turn", [False, True])
def test_writers_that_take_turns_at_a_row_have_the_order_of_their_turns(
    database: str, writes_before_its_turn: bool
) -> None:
    """Each counts a row up; what it counted is what it tells. Some have written to the outbox before their turn."""
    with connect() as connection:
        connection.execute("CREATE TABLE turn (key text PRIMARY KEY, number int)")
        connection.execute("INSERT INTO turn VALUES ('a', 0), ('b', 0)")

    def write_of_a_turn(connection: Connection, key: str) -> None:
        number = "SELECT number::text::bytea FROM turn WHERE key = %s"
        if writes_before_its_turn:
            write(connection, "?", key.encode())
        connection.execute("UPDATE turn SET number = number + 1 WHERE key = %s", [key])
        if writes_before_its_turn:
            connection.execute(f"UPDATE streams_outbox SET value = ({number}) WHERE value = '?'".encode(), [key])
        else:
            connection.execute(_INSERT.replace("%s, %s", f"%s, ({number})").encode(), [key.encode(), key])

    def writer(seed: int) -> None:
        rng = random.Random(seed)
        with connect() as connection:
            for _ in range(40):
                with connection.transaction():
                    write_of_a_turn(connection, rng.choice("ab"))

    with relaying() as read:
        errors = together([lambda seed=seed: writer(seed) for seed in range(4)])  # type: ignore[misc]

    assert errors == []
    assert sum(map(len, read.values())) == 160
    assert all(numbers == sorted(numbers) for numbers in read.values())


@contextmanager
def relaying() -> Iterator[dict[bytes, list[int]]]:
    """The numbers that a relay finds under each key, in its order, while the block runs and once more after it."""
    read: dict[bytes, list[int]] = {b"a": [], b"b": []}
    done = threading.Event()

    def relay() -> None:
        with connect() as connection:
            last_look = False
            while not last_look:
                last_look = done.is_set()
                rows, _ = waiting.ready(connection, NOW)
                for row in rows:
                    read[row.key or b""].append(int(row.value or b"0"))
                waiting.note_sent(connection, [row.id for row in rows], NOW)

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield read
    finally:
        done.set()
        thread.join(60)


def together(acts: list[Callable[[], None]]) -> list[BaseException]:
    """All at once; what they failed with."""
    errors: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except psycopg.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return errors
