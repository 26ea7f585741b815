"""A table that somebody holds costs whoever needs it: not the web process, and not the others who need Postgres."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from urllib.parse import urlencode

import psycopg
import pytest
from django.conf import settings

from backoffice.localstack.ports import LOOPBACK
from tests.live.web import Person, Web
from tests.metrics.test_asking import locked
from tests.spine import until
from tests.web.conftest import Start
from tests.web.requests import Answer, ask, ask_and_leave

CROWD = 300
# Of requests; besides, the live pages have six and health three.
SESSIONS = 20
OTHERS = 9
# Their answers are more than the buffers of two sockets hold.
ASKED = 300
SCRIPT = "/static/admin/js/vendor/jquery/jquery.js"


def signed_in(person: Person) -> dict[str, str]:
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={person.session}"}


def sessions(url: str) -> int:
    """Those of web processes, asked for in a session as a worker begins one."""
    counted = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    with psycopg.connect(url, connect_timeout=5) as connection:
        return int(connection.execute(counted, ["pitboss web"]).fetchall()[0][0])


@contextmanager
def crowd(web: Web, headers: dict[str, str], count: int) -> Iterator[list[Answer]]:
    """So many ask at once; at the end of the block, all that were answered."""
    answers: list[Answer] = []

    async def all_ask() -> None:
        answers.extend(await asyncio.gather(*(ask(web.port, "/", headers) for _ in range(count))))

    thread = Thread(target=asyncio.run, args=(asyncio.wait_for(all_ask(), 30),), daemon=True)
    thread.start()
    yield answers
    thread.join(40)


def test_a_crowd_before_a_locked_table_costs_nobody_else(web: Web, house: str) -> None:
    person = Person("trader")
    with locked(house, "django_session"), crowd(web, signed_in(person), CROWD) as answers:
        until(lambda: sessions(house) >= SESSIONS, "requests hold sessions", 10)
        most, slowest = 0, 0.0
        while len(answers) < CROWD:
            most = max(most, sessions(house))
            asked = time.monotonic()
            assert "alive" in web.get("/health/live", timeout=5)
            slowest = max(slowest, time.monotonic() - asked)

    assert {answer.status for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert most <= SESSIONS + OTHERS
    assert slowest < 2
    until(lambda: asyncio.run(ask(web.port, "/", signed_in(person))).status == 200, "the page is there again", 10)


def test_those_who_hang_up_hold_no_more_sessions_than_those_who_wait(web: Web, house: str) -> None:
    headers = signed_in(Person("trader"))

    async def all_leave() -> None:
        await asyncio.gather(*(ask_and_leave(web.port, "/", headers) for _ in range(CROWD)))

    with locked(house, "django_session"):
        asyncio.run(all_leave())
        until(lambda: sessions(house) >= SESSIONS, "requests hold sessions", 10)
        most = 0
        while (held := sessions(house)) >= SESSIONS:
            most = max(most, held)
            assert "alive" in web.get("/health/live", timeout=2)

    assert most <= SESSIONS + OTHERS
    until(lambda: asyncio.run(ask(web.port, "/", headers)).status == 200, "the page is there again", 10)


def test_a_body_that_is_sent_slowly_keeps_nobody_from_a_turn(start: Start) -> None:
    person = Person("trader")

    async def beside_a_slow_one(web: Web) -> Answer:
        _, slow = await asyncio.open_connection("127.0.0.1", web.port)
        slow.write(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nuser")
        await slow.drain()
        answer = await ask(web.port, "/", signed_in(person))
        slow.close()
        return answer

    with start(DATABASE_WEB_SESSIONS="1") as web:
        assert asyncio.run(beside_a_slow_one(web)).status == 200


@pytest.mark.parametrize(("limit", "other"), [("LOCK", "STATEMENT"), ("STATEMENT", "LOCK")])
def test_each_limit_holds_and_is_set_from_the_environment(start: Start, house: str, limit: str, other: str) -> None:
    person = Person("trader")
    variables = {f"DATABASE_WEB_{limit}_SECONDS": "0.3", f"DATABASE_WEB_{other}_SECONDS": "60"}
    with start(**variables) as web, locked(house, "django_session"):
        answer = asyncio.run(asyncio.wait_for(ask(web.port, "/", signed_in(person)), 10))
        said = web.log.read_text()

    assert answer.status == 503
    assert f"due to {limit.lower()} timeout" in said
    assert "Traceback" not in said


def unread(port: int, path: str, headers: dict[str, str]) -> socket.socket:
    """A connection that asks again and again, and takes nothing of what it is answered."""
    quiet = socket.socket()
    quiet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    quiet.connect((LOOPBACK, port))
    quiet.setblocking(False)
    told = "\r\n".join(f"{name}: {value}" for name, value in {"Host": LOOPBACK, **headers}.items())
    quiet.send(f"GET {path} HTTP/1.1\r\n{told}\r\n\r\n".encode() * ASKED)
    return quiet


@pytest.mark.parametrize(("path", "of"), [("/", "pages"), (SCRIPT, "files")])
def test_those_who_do_not_take_their_answers_keep_no_turn(start: Start, path: str, of: str) -> None:
    headers = signed_in(Person("trader"))
    with start(DATABASE_WEB_SESSIONS="2", WEB_SENDING_SECONDS="0.3") as web, ExitStack() as quiet:
        for _ in range(2):
            quiet.enter_context(unread(web.port, path, headers))
        until(lambda: web.log.read_text().count("was not taken within") >= 2, "both have been hung up on")
        until(lambda: f'pitboss_web_requests{{of="{of}"}} 0' in web.get("/metrics", timeout=5), "no turn is taken")
        answer = asyncio.run(ask(web.port, path, headers))

    assert answer.status == 200


def test_static_files_take_no_turn_from_pages(start: Start) -> None:
    headers = signed_in(Person("trader"))
    with start(DATABASE_WEB_SESSIONS="2") as web, ExitStack() as quiet:
        for _ in range(2):
            quiet.enter_context(unread(web.port, SCRIPT, headers))
        until(lambda: 'pitboss_web_requests{of="files"} 2' in web.get("/metrics", timeout=5), "they have their turns")

        assert asyncio.run(ask(web.port, "/", headers)).status == 200


def test_what_is_too_large_is_refused_and_kept_nowhere(start: Start) -> None:
    async def too_large(web: Web, announces: bool) -> str:
        reader, writer = await asyncio.open_connection(LOOPBACK, web.port)
        length = "Content-Length: 1000000000" if announces else "Transfer-Encoding: chunked"
        writer.write(f"POST /sign-in HTTP/1.1\r\nHost: {LOOPBACK}\r\n{length}\r\n\r\n".encode())
        part = b"x" * 100_000
        for _ in range(40):
            writer.write(part if announces else b"%x\r\n%s\r\n" % (len(part), part))
        answer = await reader.readuntil(b"at a time.")
        writer.close()
        return answer.decode()

    with start(WEB_BODY_BYTES="1000000") as web:
        for announces in (True, False):
            answer = asyncio.run(asyncio.wait_for(too_large(web, announces), 20))
            assert answer.startswith("HTTP/1.1 413 ")
            assert "More than 1,000,000 bytes were sent, and none of it was kept." in answer
        assert asyncio.run(ask(web.port, "/sign-in", {})).status == 200


def test_as_much_as_may_be_sent_is_taken_as_a_form(start: Start) -> None:
    person = Person("trader")
    with start(WEB_BODY_BYTES="4000000") as web:
        page = asyncio.run(ask(web.port, "/sign-in", {}))
        token = page.headers["set-cookie"].partition(";")[0].partition("=")[2]
        filled = {"csrfmiddlewaretoken": token, "username": person.user.username, "password": "right"}
        form = urlencode(filled | {"more": "x" * 3_000_000})
        answer = asyncio.run(ask(web.port, "/sign-in", {"Cookie": f"{settings.CSRF_COOKIE_NAME}={token}"}, form))

    assert (answer.status, answer.headers.get("location")) == (302, "/")
