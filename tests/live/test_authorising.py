"""Who is no longer allowed in is out in time, whatever stands in the way of asking; and asking costs two statements."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import override_settings

from backoffice.live import authorising
from backoffice.live.board import Rows
from backoffice.live.publications import Publication
from tests import databases
from tests.live.hubs import OpenSocket, hub_of, until
from tests.live.web import Person

pytestmark = pytest.mark.usefixtures("house", "own_channel", "quick")
PERMISSION = "trading.view_market"


@pytest.fixture
def own_channel() -> Iterator[None]:
    with override_settings(KAFKA_TOPIC_PREFIX=f"t{uuid4().hex[:10]}."):
        yield


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in a tenth of the time."""
    monkeypatch.setattr(authorising, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(authorising, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(authorising, "UNCHECKED_SECONDS", 3.0)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What the threads of a hub ask of Postgres, with the thread's name."""
    asked: list[str] = []

    def note(execute: Callable[..., Any], query: str, *rest: Any) -> Any:
        asked.append(f"{threading.current_thread().name}: {query}")
        return execute(query, *rest)

    def begun(connection: BaseDatabaseWrapper, **_: Any) -> None:
        connection.execute_wrappers.append(note)

    connection_created.connect(begun)
    yield asked
    connection_created.disconnect(begun)


@pytest.mark.parametrize("count", [1, 10, 50])
async def test_however_many_watch_a_look_takes_two_statements(statements: list[str], count: int) -> None:
    hub = hub_of()
    sockets = await asyncio.to_thread(_with_connection_closed, partial(_people, count))
    watching = [OpenSocket(hub, session, frozenset({PERMISSION})) for session in sockets]

    async def looks(number: int) -> list[str]:
        """The statements of so many looks, from one to the next."""
        await _looked(watching)
        del statements[:]
        for _ in range(number):
            await _looked(watching)
        return [each for each in statements if each.startswith("live-authorise")]

    asked = await looks(4)

    assert 4 * 2 - 2 <= len(asked) <= 5 * 2, asked
    assert not any(socket.ended for socket in watching)
    await asyncio.to_thread(_with_connection_closed, _change_permissions)
    asked = await looks(1)
    assert len(asked) <= 2 * 2 + 2, "all permissions are found in two statements more"


async def _looked(sockets: list[OpenSocket]) -> None:
    at = max(socket.checked_at for socket in sockets)
    await until(lambda: all(socket.checked_at > at for socket in sockets), "all were looked at")


def _with_connection_closed(act: Callable[[], Any]) -> Any:
    try:
        return act()
    finally:
        connections.close_all()


def _people(count: int) -> list[str]:
    return [Person("trader").session for _ in range(count)]


def _change_permissions() -> None:
    User.objects.create(username=uuid4().hex).groups.add(Group.objects.get(name="trader"))


async def test_an_ended_session_is_out_although_the_connection_broke_under_the_look() -> None:
    """`InterfaceError` is no `DatabaseError`."""
    hub = hub_of()
    session, stays = await asyncio.to_thread(_with_connection_closed, partial(_people, 2))
    ends, lives = (OpenSocket(hub, key, frozenset({PERMISSION})) for key in (session, stays))
    await _looked([ends, lives])

    def break_connection() -> bool:
        is_open = connection.connection is not None
        if is_open:
            connection.connection.close()
        return is_open

    broken = [await hub._authorising._threads.run(break_connection) for _ in range(2 * authorising.THREADS)]
    assert any(broken)
    await asyncio.to_thread(_with_connection_closed, partial(_end, session))

    await until(lambda: ends.ended, "the socket of the ended session is closed")
    assert (ends.ended, lives.ended) == ("session ended", "")
    await _looked([lives])
    assert "sessions" not in hub.conditions.rows()


def _ended(socket: OpenSocket) -> str:
    return socket.ended


def _end(session: str) -> None:
    Session.objects.filter(session_key=session).delete()


async def test_what_cannot_be_checked_is_closed_and_told_and_the_rest_goes_on(house: str) -> None:
    """Postgres answers, but not about sessions: somebody holds the table. Nor can that hold up what is read."""
    read = 0

    def rows(_: str) -> Rows:
        nonlocal read
        read += 1
        return {"m": {"n": read}}

    hub = hub_of(Publication("t:", "p", rows, every=0.1))
    (session,) = await asyncio.to_thread(_with_connection_closed, partial(_people, 1))
    began = time.monotonic()
    socket, reader = OpenSocket(hub, session, frozenset({PERMISSION, "p"})), OpenSocket(hub)
    for name in ("t:1", "live"):
        hub.subscribe(reader, name)
    await _looked([socket])
    with psycopg.connect(house) as other:
        other.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        await until(lambda: "sessions" in hub.conditions.grave(), "it is said")
        assert not socket.ended
        seen = read
        await until(lambda: socket.ended, "the socket is closed")
        assert _ended(socket) == "unchecked"
        assert time.monotonic() - began > authorising.UNCHECKED_SECONDS
        assert read > seen, "and what others watch is read meanwhile"
        with pytest.raises(TimeoutError):
            await hub.visitor(session)
        reader.checked_at = time.monotonic()
    socket.checked_at, socket.ended = time.monotonic(), ""
    await until(lambda: "sessions" not in hub.conditions.rows(), "all is well again")
    await _looked([socket])
    assert not socket.ended


async def test_while_postgres_is_away_nobody_stays_in_for_longer_than_is_allowed(house: str) -> None:
    hub = hub_of()
    (session,) = await asyncio.to_thread(_with_connection_closed, partial(_people, 1))
    socket = OpenSocket(hub, session, frozenset({PERMISSION}))
    await _looked([socket])
    name = house.rpartition("/")[2]
    try:
        with databases.administration(databases.beside(house, "postgres")) as other:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            await until(lambda: socket.ended == "unchecked", "the socket is closed")
            assert "sessions" in hub.conditions.grave()
    finally:
        with databases.administration(databases.beside(house, "postgres")) as other:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await until(lambda: "sessions" not in hub.conditions.rows(), "all is well again")
    connections.close_all()
