"""Postgres is restored from an earlier copy: the streams read again what came since, and nothing is there twice."""

from django.db import connections

from backoffice.contracts.catalogue import dead_letter_topic
from tests import databases
from tests.faults.checks import nothing_lost_or_doubled
from tests.reconcile.conftest import events_of
from tests.spine import Spine
from tests.streams.outbox.relaying import relaying

BETS = "bet-events"
COUNTED = ("trading_bet", "wallet_transaction", "players_player", "metrics_activity", "streams_deadletter")


def counts(spine: Spine) -> dict[str, int]:
    return {table: spine.value(f"SELECT count(*) FROM {table}") for table in COUNTED}


def relay(spine: Spine) -> None:
    with relaying(spine) as rounds:
        rounds.until_idle()


def test_after_a_restore_what_came_since_is_read_again(spine: Spine) -> None:
    events = events_of(1_200)
    name = spine.database_url.rpartition("/")[2]
    copy = f"{name}_copy"
    spine.send(events[:600])
    spine.send_bytes(BETS, [b"bad before"])
    spine.drain()
    connections["default"].close()
    with databases.administration(databases.beside(spine.database_url, "postgres")) as connection:
        connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY FILE_COPY')
    spine.send(events[600:])
    spine.send_bytes(BETS, [b"bad since"])
    spine.drain()
    relay(spine)
    before, told = counts(spine), spine.read(dead_letter_topic(BETS))

    _restore(spine, name, copy)
    assert counts(spine) != before
    spine.drain()
    relay(spine)

    assert counts(spine) == before
    nothing_lost_or_doubled(spine, events)
    # What was sent since the copy was made is sent once more, under the same name.
    places = [headers for _, _, headers in spine.read(dead_letter_topic(BETS))]
    assert {value for _, value, _ in told} == {b"bad before", b"bad since"}
    assert {tuple(sorted(headers.items())) for headers in places} == {
        tuple(sorted(headers.items())) for _, _, headers in told
    }


def _restore(spine: Spine, name: str, copy: str) -> None:
    connections["default"].close()
    with databases.administration(databases.beside(spine.database_url, "postgres")) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.execute(f'ALTER DATABASE "{copy}" RENAME TO "{name}"')
