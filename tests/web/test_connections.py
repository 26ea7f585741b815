"""Connections end, whatever those at their other ends do or leave undone: each of them is a descriptor."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest
from django.test import override_settings

from backoffice.localstack import apps
from backoffice.localstack.layout import PROJECT, Layout
from backoffice.localstack.ports import LOOPBACK
from tests.live.test_socket import EVENTS, MARKETS, flood, stored
from tests.live.web import Person, Watcher, Web
from tests.metrics.test_asking import locked
from tests.spine import until
from tests.web.conftest import Start
from tests.web.test_crowds import SCRIPT, signed_in, unread

CONNECTIONS = 20
# What a process may open for itself meanwhile: a session of Postgres, a connection with Redis.
OWN = 10
HEAD = f"Host: {LOOPBACK}\r\n"
ASK = f"GET /sign-in HTTP/1.1\r\n{HEAD}\r\n"


def ended(web: Web, before: int) -> None:
    until(lambda: web.descriptors() < before + OWN, "the connections are ended, theirs too who live")


@pytest.mark.parametrize("path", [SCRIPT, "/metrics"])
def test_who_takes_nothing_of_an_answer_is_cut_off(start: Start, path: str) -> None:
    with start(WEB_SENDING_SECONDS="0.5") as web, ExitStack() as quiet:
        before = web.descriptors()
        for _ in range(CONNECTIONS):
            quiet.enter_context(unread(web.port, path, {}))
        until(lambda: web.log.read_text().count("was not taken within") >= CONNECTIONS, "all have been cut off")

        ended(web, before)


def test_who_leaves_while_more_than_one_answer_is_due_leaves_no_file_open(web: Web) -> None:
    before = web.descriptors()
    for _ in range(CONNECTIONS):
        with unread(web.port, SCRIPT, {}) as line:
            line.shutdown(socket.SHUT_WR)
            until(lambda line=line: hung_up_on(line), "the process has noticed")  # type: ignore[misc]

    ended(web, before)
    assert "Exception in ASGI application" not in web.log.read_text()


def hung_up_on(line: socket.socket) -> bool:
    """Takes what was sent until then."""
    try:
        return line.recv(65_536) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_a_live_socket_that_takes_nothing_is_cut_off_when_its_session_ends(start: Start) -> None:
    person = Person("trader")
    channel = f"t{uuid4().hex[:10]}."
    for event in EVENTS:
        stored(event, *(f"{event}-{number}" for number in range(MARKETS)))
    with override_settings(KAFKA_TOPIC_PREFIX=channel), ExitStack() as quiet:
        web = quiet.enter_context(start(WEB_SENDING_SECONDS="5", KAFKA_TOPIC_PREFIX=channel))
        quick = Watcher(quiet.enter_context(web.socket(Person("trader"))), "live", f"prices:{EVENTS[0]}")
        quick.until(lambda: len(quick.rows(f"prices:{EVENTS[0]}")) == MARKETS, "the process has all that it opens")
        before = web.descriptors()
        for _ in range(CONNECTIONS):
            line = quiet.enter_context(connected(web))
            live = quiet.enter_context(
                web.socket(person, sock=line, max_queue=1, ping_interval=None, close_timeout=0.1)
            )
            Watcher(live, *(f"prices:{event}" for event in EVENTS))
        version = 0
        while not slow_readers(web):
            version += 1
            flood(version)
        person.browser.logout()

        ended(web, before)


def connected(web: Web) -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    line.connect((LOOPBACK, web.port))
    return line


def slow_readers(web: Web) -> float:
    lines = web.get("/metrics").splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("pitboss_live_slow_readers_total "))


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    "sent",
    [
        "\r\n",
        "GET /sign-in HT",
        f"GET /sign-in HTTP/1.1\r\n{HEAD}",
        f"POST /sign-in HTTP/1.1\r\n{HEAD}Content-Length: 100\r\n\r\nuser",
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_who_sends_no_whole_request_is_hung_up_on(hasty: Web, sent: str, is_first: bool) -> None:
    with socket.create_connection((LOOPBACK, hasty.port), timeout=30) as slow:
        if not is_first:
            slow.sendall(ASK.encode())
            assert slow.recv(1)
        slow.sendall(sent.encode())
        while slow.recv(65_536):
            pass


def test_who_has_sent_one_stays(hasty: Web) -> None:
    with hasty.socket(Person("trader")) as live, socket.create_connection((LOOPBACK, hasty.port)) as other:
        watcher = Watcher(live, "live")
        assert other.recv(1) == b""
        frames = watcher.frames
        watcher.until(lambda: watcher.frames > frames + 3, "the live socket lives")


@pytest.mark.parametrize("behind", ["\r\n", "\r\nGET /sign-in HT"], ids=["an empty line", "half of the next one"])
def test_what_comes_behind_a_request_does_not_cut_its_answer(hasty: Web, house: str, behind: str) -> None:
    """It takes longer to make than a request may take to arrive."""
    cookie = signed_in(Person("trader"))["Cookie"]
    with locked(house, "django_session"), socket.create_connection((LOOPBACK, hasty.port), timeout=30) as line:
        line.sendall(f"GET / HTTP/1.1\r\n{HEAD}Cookie: {cookie}\r\n\r\n".encode())
        until(lambda: 'pitboss_web_requests{of="pages"} 1' in hasty.get("/metrics"), "it is under way")
        line.sendall(behind.encode())

        assert line.recv(16).startswith(b"HTTP/1.1 503")


@pytest.fixture(scope="module")
def hasty(start: Start) -> Iterator[Web]:
    """Long keep-alive: what ends a connection here is not that."""
    with start(WEB_RECEIVING_SECONDS="0.5", UVICORN_TIMEOUT_KEEP_ALIVE="60") as web:
        yield web


def test_the_documents_start_the_web_as_we_do() -> None:
    command = apps.command("web", Layout(PROJECT), 8000)
    ours = " ".join(word for word in command[2:] if word not in ("--host", LOOPBACK, "--port", "8000"))
    assert f"| `{ours}` |" in (PROJECT / "docs" / "operating.md").read_text()
