"""The judge also names what is wrong with clashes, with what the outbox sends, and with the second stream."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from backoffice.contracts.codec import encode, frame
from backoffice.simulator.events.envelope import Event
from backoffice.streams.outbox.emitting import emit
from tests.chaos import second
from tests.chaos.scene import Scene
from tests.chaos.verdict import judged
from tests.faults.load import Load, some_events
from tests.reconcile.conftest import replica
from tests.spine import Spine
from tests.streams.outbox.relaying import relaying

RECORDS = ("StakeTaken", "WinningsPaid")

# What is done to the tables, and what has to be said of it.
PLANTED = {
    "DELETE FROM streams_deadletter WHERE stream <> 'second'": (
        "lost: streams_deadletter: 1 clashes were sent, 0 are there",
        "doubled: event_id_clash: ('wallet wallet-transactions', ",
        "a dead letter of the second stream alone",
    ),
    "DELETE FROM second_row WHERE event_id = (SELECT min(event_id::text)::uuid FROM second_row)": (
        "lost: second_row: ",
    ),
    "UPDATE second_count SET count = count + 1 WHERE (minute, partition) ="
    " (SELECT minute, partition FROM second_count ORDER BY 1, 2 LIMIT 1)": ("doubled: second_count: ",),
}  # fmt: skip


def acts() -> list[Event]:
    return [event for event in some_events(8, 4_000) if event.record == "OperatorAction"][:3]


@pytest.fixture
def scene(spine: Spine) -> Iterator[Scene]:
    """One with a clash, three acts of people and a second stream, all of it stored and told."""
    sent = list(some_events(7, 800))
    first = next(event for event in sent if event.record == RECORDS[0])
    other = Event(first.record, first.key, first.body | {"amount": first.body["amount"] + 1})

    def framed(event: Event) -> bytes:
        return frame(spine.registry.register(event.record), encode(event.record, event.body))

    load = cast(Load, SimpleNamespace(sent=sent, bad=0, clashes=[(first, other)], framed=framed))
    with psycopg.connect(spine.database_url, autocommit=True) as connection, second.declared(RECORDS):
        connection.execute(second.MAKE_TABLES.encode())
        spine.send(sent)
        spine.drain()
        spine.send([other])
        for act in acts():
            emit(act.record, act.body, key=act.key, now=datetime.now(UTC), over=connection)
        spine.drain()
        with relaying(spine) as rounds:
            rounds.until_idle()
        spine.drain()
        yield Scene(stack=cast(Any, None), spine=spine, load=load, rng=random.Random(0), output=1, emitted=acts())


def told(scene: Scene, disturbances: int = 0) -> list[str]:
    return list(map(str, judged(scene, RECORDS, disturbances)))


def test_each_fault_that_is_planted_is_named(scene: Scene) -> None:
    assert told(scene) == []

    with replica(scene.spine) as connection:
        for query in PLANTED:
            assert connection.execute(query.encode()).rowcount == 1, query
    found = told(scene)

    for wanted in [each for said in PLANTED.values() for each in said]:
        assert any(wanted in one for one in found), (wanted, found)


def test_an_act_that_did_not_arrive_is_lost(scene: Scene) -> None:
    never = acts()[0]
    never.body["event_id"] = "00000000-0000-4000-8000-000000000001"
    scene.emitted.append(never)

    assert f"lost: operator-actions: {never.body['event_id']} arrived 0 times" in told(scene)


def test_one_that_came_twice_is_doubled_unless_a_relay_was_disturbed(scene: Scene) -> None:
    scene.spine.send([scene.emitted[0]])
    scene.spine.drain()

    assert f"doubled: operator-actions: {scene.emitted[0].body['event_id']} arrived 2 times" in told(scene)
    assert not [one for one in told(scene, disturbances=1) if "arrived" in one]
