"""Diversions of one topic that begin and end in two sessions at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.deadletters import store_dead
from backoffice.streams.consume.halting import diverting
from backoffice.streams.database import Connection, connect
from tests.spine import until
from tests.streams.arriving import NOW
from tests.streams.consume.halting.test_brake import BAD, ODDS, diversions, suspended, told
from tests.streams.stored import Store


def bad_letters(store: Store, partition: int, key: str) -> diverting.Bad:
    """Ten messages of a partition that are bad, all of one match."""
    part = Batch(ODDS)
    for offset in range(10):
        part.add(partition=partition, offset=offset, key=key.encode(), value=b"?", start=0)
    part.dead = dict.fromkeys(range(10), BAD)
    store_dead(store.connection, "a stream", part, NOW)
    return diverting.Bad("a stream", ODDS, 0, partition, 10, 9, "too many", 0.2)


def diverts(bad: diverting.Bad, session: Connection) -> None:
    diverting.divert(session, bad, NOW)


def ends(partition: int, session: Connection) -> None:
    diverting.end(session, stream="a stream", topic=ODDS, partitions=[partition], by="stream")


@contextmanager
def meanwhile(store: Store, act: Callable[[Connection], None]) -> Iterator[None]:
    """What is done within is not committed before another session, too, has done its act, or waits for us."""
    with connect() as other, connect() as looking:
        beside = threading.Thread(target=act, args=(other,))
        waits = f"SELECT count(*) FROM pg_locks WHERE pid = {other.info.backend_pid} AND NOT granted".encode()
        with store.connection.transaction():
            yield
            beside.start()
            until(lambda: not beside.is_alive() or looking.execute(waits).fetchone() == (1,), "it is done, or waits")
        beside.join(20)
        assert not beside.is_alive()


def test_a_sender_stays_suspended_whom_another_partition_names_while_the_first_one_ends(feeds: Store) -> None:
    diverts(bad_letters(feeds, 0, "m2"), feeds.connection)
    second = bad_letters(feeds, 1, "m2")

    with meanwhile(feeds, partial(ends, 0)):
        diverts(second, feeds.connection)

    assert diversions(feeds) == [(0, ["theirs"], "stream"), (1, ["theirs"], "")]
    assert suspended() == {"theirs"}


def test_a_sender_is_suspended_anew_whom_another_partition_names_behind_the_end_of_the_first(feeds: Store) -> None:
    diverts(bad_letters(feeds, 0, "m2"), feeds.connection)
    second = bad_letters(feeds, 1, "m2")

    with meanwhile(feeds, partial(diverts, second)):
        ends(0, feeds.connection)

    assert diversions(feeds) == [(0, ["theirs"], "stream"), (1, ["theirs"], "")]
    assert suspended() == {"theirs"}


def test_two_partitions_that_divert_at_once_raise_one_alert_and_the_last_that_ends_closes_it(feeds: Store) -> None:
    first, second = bad_letters(feeds, 0, "m1"), bad_letters(feeds, 1, "m2")

    with meanwhile(feeds, partial(diverts, second)):
        diverts(first, feeds.connection)
    assert [status for _, status in told(feeds, diverting.ALERT)] == ["opened"]

    with meanwhile(feeds, partial(ends, 1)):
        ends(0, feeds.connection)
    alerts = told(feeds, diverting.ALERT)
    assert [status for _, status in alerts] == ["opened", "closed"]
    assert alerts[0][0] == alerts[1][0]
    assert suspended() == set()
