"""A socket's queue stays short, whoever does not read, and the reader has everything in the end."""

import asyncio

from backoffice.live.outbox import ROOM, Outbox


async def test_frames_come_in_order() -> None:
    outbox = Outbox(lambda _: None)
    for number in range(5):
        outbox.put("prices:1", b"%d" % number)

    assert [await outbox.next() for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_who_does_not_read_gets_a_snapshot_of_each_topic_instead_of_a_longer_queue() -> None:
    outbox = Outbox(lambda name: f"snapshot of {name}".encode())
    for number in range(10_000):
        outbox.put(f"prices:{number % 3}", b"%d" % number)
        assert len(outbox) <= ROOM

    read = [await outbox.next() for _ in range(3)]

    assert read == [f"snapshot of prices:{number}".encode() for number in range(3)]
    outbox.put("prices:1", b"the next")
    assert await outbox.next() == b"the next"


async def test_a_snapshot_that_is_not_there_yet_comes_when_it_is() -> None:
    snapshots: dict[str, bytes] = {}
    outbox = Outbox(snapshots.get)
    outbox.want_snapshot("health")
    outbox.put("health", b"is in the snapshot anyway")
    waiting = asyncio.create_task(outbox.next())
    await asyncio.sleep(0)
    assert not waiting.done()

    snapshots["health"] = b"snapshot"
    outbox.wake()

    assert await waiting == b"snapshot"


async def test_nothing_comes_of_a_topic_that_is_not_watched_any_more() -> None:
    outbox = Outbox(lambda _: b"snapshot")
    outbox.put("ticker", b"a bet")
    outbox.want_snapshot("health")
    outbox.forget("ticker")
    outbox.forget("health")
    outbox.put("live", b"still here")

    assert await outbox.next() == b"still here"
    assert len(outbox) == 0
