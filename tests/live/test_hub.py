"""Whatever happens to the hub of a web process, it goes on, says so, and is never deaf while it says it hears."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest
from django.db import connection
from django.test import override_settings
from prometheus_client import REGISTRY

from backoffice.kernel.clock import SystemClock
from backoffice.live import hub as hubs
from backoffice.live import messages
from backoffice.live.board import Board, Rows
from backoffice.live.conditions import Conditions
from backoffice.live.messages import Said
from backoffice.live.publications import Journal, Publication
from backoffice.live.supervising import Well, supervised
from backoffice.live.tail import Page
from tests.live.hubs import OpenSocket, Worker, hub_of, until

pytestmark = pytest.mark.usefixtures("house", "own_channel")


@pytest.fixture
def own_channel() -> Iterator[None]:
    with override_settings(KAFKA_TOPIC_PREFIX=f"t{uuid4().hex[:10]}."):
        yield


@dataclass
class Truth:
    """What a publication reads, how often it was, and what it fails with."""

    rows: Rows = field(default_factory=dict)
    readings: int = 0
    fails: Exception | None = None

    def read(self, _: str) -> Rows:
        self.readings += 1
        if self.fails:
            raise self.fails
        return dict(self.rows)


def told(truth: Truth, **changes: Any) -> Publication:
    """A publication of which workers tell every change; by itself it is not read again during a test."""
    return Publication("t:", "p", truth.read, **{"is_told": True, "every": 1_000.0} | changes)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"pitboss_live_{name}_total", labels) or 0.0


async def watching(*publications: Any) -> tuple[Any, OpenSocket]:
    """A hub that hears Redis, and a socket that watches t:1 and the hub itself."""
    hub = hub_of(*publications)
    socket = OpenSocket(hub)
    hub.subscribe(socket, "live")
    await until(lambda: socket.rows("live").get("redis", {}).get("state") == "connected", "Redis is heard")
    hub.subscribe(socket, "t:1")
    await until(lambda: "t:1" in socket.clients, "the snapshot is there")
    return hub, socket


BAD = {
    "not JSON": b"{",
    "of another shape": b'{"t:1": null}',
    "rows without their leader": orjson.dumps(
        {"speaker": "x", "number": 1, "said": {"t:1": [["m", {"n": {}}]]}, "leaves": False}
    ),
    "a number that is a list": orjson.dumps(
        {"speaker": "x", "number": 1, "said": {"t:1": [["m", {"m": {"odds": []}}]]}, "leaves": False}
    ),
    "huge": b'{"speaker":"' + b"x" * (messages.LONGEST + 1),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
async def test_a_bad_message_is_counted_and_told_and_costs_one_reading(data: bytes) -> None:
    truth = Truth()
    _, socket = await watching(told(truth))
    bad, readings = counted("bad_messages"), truth.readings
    truth.rows = {"m": {"odds": 1}}

    Worker().send(data)

    await until(lambda: socket.rows("live").get("messages", {}).get("count") == 1, "it is told")
    await until(lambda: socket.rows("t:1") == truth.rows, "all is read anew")
    assert counted("bad_messages") == bad + 1
    assert truth.readings == readings + 1
    worker = Worker()
    worker.say({"t:1": [("n", {"n": {"odds": 7}})]})
    await until(lambda: any("n" in frame.get("set", {}) for frame in socket.frames), "the next message is heard")
    assert socket.rows("live")["redis"]["state"] == "connected"


@dataclass(frozen=True)
class Fragile(Publication):
    def board(self, _: int) -> Board:
        return FragileBoard()


class FragileBoard(Board):
    def fold(self, leader: str, rows: Rows) -> bool:
        raise KeyError(leader, rows)


async def test_what_nobody_foresaw_in_a_message_costs_a_reading_and_not_the_others() -> None:
    truth = Truth()
    hub, socket = await watching(Fragile("t:", "p", truth.read, is_told=True, every=1_000.0))
    truth.rows = {"m": {"odds": 1}}

    Worker().say({"t:1": [("m", {"m": {}})]})

    await until(lambda: socket.rows("t:1") == truth.rows, "it is read anew")
    await until(lambda: "messages" in socket.rows("live"), "it is told")
    assert hub.conditions.state("redis") == "connected"


class Panic(BaseException):
    """As pyo3's: no Exception."""


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), asyncio.CancelledError(), Panic("at the disco"), ExceptionGroup("two", [OSError()])]
)
async def test_a_task_begins_anew_whatever_ends_it_and_says_so_until_it_is_well(error: BaseException) -> None:
    conditions, ends = Conditions(SystemClock()), asyncio.Event()
    begun = 0

    async def act(well: Well) -> None:
        nonlocal begun
        begun += 1
        if begun < 4:
            raise error
        await ends.wait()
        well()
        await asyncio.Event().wait()

    failures = counted("task_failures", task="task trying")
    task = asyncio.create_task(supervised("task trying", act, conditions))
    await until(lambda: begun == 4, "it was begun anew")

    assert "failed" in conditions.ills()["task trying"]
    assert conditions.grave()
    assert counted("task_failures", task="task trying") == failures + 3
    assert REGISTRY.get_sample_value("pitboss_live_ill", {"kind": "task"}) == 1
    ends.set()
    await until(lambda: not conditions.ills(), "it is well")
    assert REGISTRY.get_sample_value("pitboss_live_ill", {"kind": "task"}) == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_cannot_be_read_is_told_in_words_and_is_read_again() -> None:
    truth = Truth({"m": {"odds": 1}}, fails=RuntimeError("the table is away\nand more"))
    hub = hub_of(told(truth, every=0.05))
    socket = OpenSocket(hub)
    hub.subscribe(socket, "live")
    hub.subscribe(socket, "t:1")

    await until(lambda: socket.rows("live").get("publication t:1", {}).get("why") == "the table is away", "it is told")
    assert not hub.conditions.grave()
    truth.fails = None
    await until(lambda: socket.rows("t:1") == truth.rows, "it is read again")
    await until(lambda: "publication t:1" not in socket.rows("live"), "and all is well")


async def test_a_message_that_is_lost_is_noticed_by_the_next_and_costs_one_reading() -> None:
    truth, worker = Truth(), Worker()
    _, socket = await watching(told(truth))
    worker.beat()
    await until(lambda: truth.readings == 2, "of a worker that is new all is read")
    worker.beat()
    gaps = counted("gaps")
    truth.rows = {"m": {"odds": 3}}

    worker.lose({"t:1": [("m", {"m": {"odds": 3}})]})
    worker.beat()

    await until(lambda: socket.rows("t:1") == truth.rows, "it is made good")
    assert truth.readings == 3
    assert counted("gaps") == gaps + 1


async def test_nothing_is_read_while_workers_speak_and_everything_when_one_falls_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(hubs, "WATCH_SECONDS", 0.05)
    truth, others, worker, other = Truth(), Truth(), Worker(), Worker()
    hub, socket = await watching(told(truth, every=0.05), Publication("figures", "p", others.read, every=0.05))
    hub.subscribe(socket, "figures")
    worker.beat()
    other.beat()
    await until(lambda: truth.readings >= 2, "of workers that are new all is read")
    worker.beat()
    other.beat()
    await until(hub._hearing.is_everything, "both are heard")
    settled, polled, at = truth.readings, others.readings, len(socket.frames)

    for _ in range(20):
        worker.beat()
        other.beat()
        seen = others.readings
        await until(lambda: others.readings > seen, "what nobody tells of is read again and again")  # noqa: B023

    assert truth.readings <= settled + 1
    assert others.readings >= polled + 20
    ages = [frame["at"] for frame in socket.frames[at:] if frame["publication"] == "t:1"]
    assert ages[-1] > ages[0], "and is known to be right all the time"

    silent_since = truth.readings

    def is_polled() -> bool:
        worker.beat()
        return truth.readings > silent_since + 5

    await until(is_polled, "one is silent, so it is read again")
    assert hub.conditions.state("workers") == "heard"
    await until(lambda: hub.conditions.state("workers") == "silent", "nobody speaks")
    assert not hub.conditions.grave()


async def test_a_reading_sees_one_moment_whatever_is_committed_between_its_statements(house: str) -> None:
    """Two tables that always say the same, of which the second is read after both have changed."""
    half_read, changed = threading.Event(), threading.Event()
    with psycopg.connect(house, autocommit=True) as other:
        for table in ("one", "two"):
            other.execute(f"CREATE TABLE IF NOT EXISTS moment_{table} AS SELECT 1 AS version")

        def read(_: str) -> Rows:
            with connection.cursor() as cursor:
                cursor.execute("SELECT max(version) FROM moment_one")
                first = cursor.fetchone()[0]
                half_read.set()
                assert changed.wait(30)
                cursor.execute("SELECT max(version) FROM moment_two")
                return {"m": {"first": first, "second": cursor.fetchone()[0]}}

        hub = hub_of(Publication("t:", "p", read, every=1_000.0))
        socket = OpenSocket(hub)
        hub.subscribe(socket, "t:1")
        await until(half_read.is_set, "the first is read")
        with other.transaction():
            other.execute("UPDATE moment_one SET version = 2")
            other.execute("UPDATE moment_two SET version = 2")
        changed.set()
        await until(lambda: socket.rows("t:1"), "both are read")

        assert socket.rows("t:1") == {"m": {"first": 1, "second": 1}}
        other.execute("DROP TABLE moment_one, moment_two")


async def test_a_reading_that_hangs_keeps_nothing_else_waiting_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "READING_SECONDS", 0.3)
    free = threading.Event()

    def hangs(_: str) -> Rows:
        free.wait(60)
        return {"m": {"odds": 1}}

    truth = Truth({"m": {"odds": 2}})
    hub = hub_of(Publication("t:", "p", hangs, every=0.05), Publication("other", "p", truth.read))
    socket = OpenSocket(hub)
    for name in ("t:1", "other", "live"):
        hub.subscribe(socket, name)

    await until(lambda: socket.rows("other") == truth.rows, "the other is read")
    await until(lambda: "publication t:1" in socket.rows("live"), "it is told")
    assert "no answer within" in socket.rows("live")["publication t:1"]["why"]
    free.set()
    await until(lambda: socket.rows("t:1") == {"m": {"odds": 1}}, "it is there in the end")


async def test_a_log_is_followed_from_its_cursor_by_hints_and_after_gaps() -> None:
    log, cursors, worker = list[int](), list[Any](), Worker()

    def follow(_: str, cursor: int | None) -> Page[int]:
        cursors.append(cursor)
        return Page(len(log), [(str(n), {"n": n}) for n in log[cursor if cursor is not None else -30 :]])

    hub, socket = await watching(Journal("t:", "p", follow, is_told=True, every=1_000.0))
    worker.beat()
    await until(lambda: cursors == [None, 0], "all of a new worker is read")
    hint: Said = {"t:1": [("m", {"m": {"status": "open"}})]}

    log += range(3)
    worker.say(hint)
    await until(lambda: "2" in socket.rows("t:1"), "the hint is followed")
    worker.say(hint)
    worker.say(hint)
    log += range(3, 100)
    worker.lose(hint)
    worker.beat()
    await until(lambda: "99" in socket.rows("t:1"), "the gap is made good")

    assert cursors == [None, 0, 0, 3]
    shown = [key for frame in socket.frames if frame["publication"] == "t:1" for key in frame.get("set", {})]
    assert [key for key in shown if key != "total"] == list(map(str, range(100)))
    assert socket.rows("t:1")["total"]["count"] == 100
    assert not hub.conditions.ills().keys() - {"workers"}
