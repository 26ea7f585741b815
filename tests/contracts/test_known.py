"""A registry that is away, and one that was made anew: what it said before is good enough, and is held against it."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from backoffice.contracts import registry as registries
from backoffice.contracts.definitions import canonical, schema, schema_text
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Poison, Rejected, Retryable

ID = 7
OTHER = canonical(schema("BetSettled"))


class Written:
    """What is known, in memory."""

    def __init__(self) -> None:
        self.schemas: dict[tuple[str, int], str] = {}
        self.subjects: dict[tuple[str, str, str], int] = {}

    def schema(self, registry: str, schema_id: int) -> str | None:
        return self.schemas.get((registry, schema_id))

    def schema_id(self, registry: str, subject: str, schema: str) -> int | None:
        return self.subjects.get((registry, subject, schema))

    def keep(self, registry: str, schema_id: int, schema: str, subject: str | None) -> str:
        kept = self.schemas.setdefault((registry, schema_id), schema)
        if subject and kept == schema:
            self.subjects[registry, subject, schema] = schema_id
        return kept


class Pretended:
    """A registry whose answers a test decides; ``asked`` counts them."""

    def __init__(self) -> None:
        self.status, self.text, self.asked = 200, schema_text("BetPlaced"), 0
        self.id = ID

    def answer(self) -> Any:
        if self.status == 404:
            return {"error_code": 40403, "message": "no such schema"}
        return {"id": self.id, "schema": self.text} if self.status == 200 else {"error_code": 50001, "message": "ill"}


@contextmanager
def serving(pretended: Pretended, port: int = 0) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            pretended.asked += 1
            body = json.dumps(pretended.answer()).encode()
            self.send_response(pretended.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815 - the names that the server calls

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", port), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def pretended() -> Pretended:
    return Pretended()


@pytest.fixture
def url(pretended: Pretended) -> Iterator[str]:
    with serving(pretended) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def known(url: str) -> Written:
    """What a process wrote down that used the registry while it was there."""
    known = Written()
    before = Registry(url, known=known)
    before.writer(ID)
    before.register("BetPlaced")
    return known


def test_what_is_known_is_used_while_the_registry_is_away(url: str, pretended: Pretended, known: Written) -> None:
    pretended.status = 503
    registry = Registry(url, known=known)

    assert registry.writer(ID).schema == schema("BetPlaced")
    assert registry.register("BetPlaced") == ID
    with pytest.raises(Retryable):
        registry.writer(ID + 1)
    with pytest.raises(Retryable):
        registry.register("BetSettled")


def test_a_registry_that_was_just_away_is_left_alone_for_what_is_known(
    url: str, pretended: Pretended, known: Written
) -> None:
    for number in range(20):
        known.keep(url, 100 + number, OTHER, None)
    pretended.status = 503
    registry = Registry(url, known=known)
    before = pretended.asked

    for number in range(20):
        assert registry.writer(100 + number).record == "BetSettled"

    assert pretended.asked == before + 1


def test_another_registrys_ids_are_not_taken_for_this_ones(url: str, pretended: Pretended, known: Written) -> None:
    pretended.status = 503

    with pytest.raises(Retryable):
        Registry(f"{url}/another", known=known).writer(ID)


def test_an_id_that_a_new_registry_does_not_know_yet_is_read_as_before(
    url: str, pretended: Pretended, known: Written
) -> None:
    pretended.status = 404

    assert Registry(url, known=known).writer(ID).schema == schema("BetPlaced")
    with pytest.raises(Poison, match="unknown schema id 8"):
        Registry(url, known=known).writer(ID + 1)


def test_an_id_that_became_another_schema_is_refused_and_nothing_is_written_over(
    url: str, pretended: Pretended, known: Written
) -> None:
    pretended.text = OTHER

    with pytest.raises(Poison, match=r"schema id 7 is another schema .* made anew\. Give it its data back"):
        Registry(url, known=known).writer(ID)
    with pytest.raises(Rejected, match="made anew"):
        Registry(url, known=known).register("BetSettled")
    assert known.schema(url, ID) == schema_text("BetPlaced")


def test_what_was_taken_as_known_is_held_against_the_registry_when_it_is_back(
    url: str, pretended: Pretended, known: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "REST_SECONDS", 0.0)
    pretended.status = 503
    registry = Registry(url, known=known)
    assert registry.writer(ID).record == "BetPlaced"
    assert registry.register("BetPlaced") == ID

    pretended.status, pretended.text = 200, OTHER

    for _ in range(2):
        with pytest.raises(Poison, match="made anew"):
            registry.writer(ID)


def test_what_was_proved_right_is_not_asked_for_again(
    url: str, pretended: Pretended, known: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "REST_SECONDS", 0.0)
    pretended.status = 503
    registry = Registry(url, known=known)
    registry.writer(ID)
    pretended.status = 200
    registry.writer(ID)
    before = pretended.asked

    assert all(registry.writer(ID).record == "BetPlaced" for _ in range(3))

    assert pretended.asked == before


@pytest.fixture
def forgetful(url: str, known: Written) -> Registry:
    """Lives on, has asked for all that is known, and believes nothing for any time."""
    registry = Registry(url, known=known, believed=0.0)
    registry.writer(ID)
    registry.register("BetPlaced")
    return registry


def test_an_id_that_became_another_schema_is_refused_while_the_process_lives(
    forgetful: Registry, pretended: Pretended, known: Written
) -> None:
    pretended.text = OTHER
    for _ in range(2):
        with pytest.raises(Poison, match="made anew"):
            forgetful.writer(ID)

    pretended.status = 503
    with pytest.raises(Poison, match="made anew"):
        forgetful.writer(ID)


def test_a_registry_that_has_its_data_back_is_believed_at_once(
    url: str, pretended: Pretended, known: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(url, known=known)
    pretended.text = OTHER
    with pytest.raises(Poison, match="made anew"):
        registry.writer(ID)

    pretended.text = schema_text("BetPlaced")

    assert registry.writer(ID).record == "BetPlaced"


def test_what_is_forgotten_on_request_is_forgotten_by_processes_that_live(
    forgetful: Registry, pretended: Pretended, known: Written
) -> None:
    pretended.text = OTHER
    known.schemas.clear()

    assert forgetful.writer(ID).record == "BetSettled"


def test_a_writer_that_was_asked_for_again_is_the_same(forgetful: Registry, pretended: Pretended) -> None:
    first, before = forgetful.writer(ID), pretended.asked

    assert forgetful.writer(ID) is first
    assert pretended.asked == before + 1


def test_an_id_of_ours_is_asked_for_again_by_one_question(forgetful: Registry, pretended: Pretended) -> None:
    before = pretended.asked

    assert forgetful.register("BetPlaced") == ID
    assert pretended.asked == before + 1


def test_ids_are_those_of_now_and_none_that_was_another_schema(
    url: str, forgetful: Registry, pretended: Pretended, known: Written
) -> None:
    known.keep(url, 3, OTHER, None)
    pretended.id = 3
    with pytest.raises(Rejected, match="schema id 3 is another schema"):
        forgetful.register("BetPlaced")
    pretended.status = 503
    with pytest.raises(Rejected, match="schema id 3 is another schema"):
        forgetful.register("BetPlaced")


def test_what_is_said_is_kept_while_the_registry_is_away_though_it_is_due(
    forgetful: Registry, pretended: Pretended
) -> None:
    pretended.status = 503
    before = pretended.asked

    assert all(forgetful.writer(ID).record == "BetPlaced" for _ in range(5))
    assert all(forgetful.register("BetPlaced") == ID for _ in range(5))
    assert pretended.asked == before + 1


class Slow(Written):
    """Writes down when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = threading.Event(), threading.Event()

    def keep(self, registry: str, schema_id: int, schema: str, subject: str | None) -> str:
        self.begun.set()
        assert self.may.wait(10)
        return super().keep(registry, schema_id, schema, subject)


@pytest.mark.parametrize("what", ["writer", "register"])
def test_who_comes_while_what_it_said_first_is_written_down_gets_it_too(url: str, what: str) -> None:
    """Lanes share it: of those that meet a new id at once, none may find nothing."""
    known = Slow()
    registry = Registry(url, known=known)

    def asked() -> object:
        return registry.writer(ID) if what == "writer" else registry.register("BetPlaced")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asked)
        assert known.begun.wait(10)
        second = pool.submit(asked)
        wait([second], timeout=0.2)
        known.may.set()

        assert second.exception() is None
        assert second.result() == first.result()


class Starting(Pretended):
    """One that just comes back: it refuses its first question, then tells its subjects, then answers."""

    def answer(self) -> Any:
        self.status = 400 if self.asked == 1 else 200
        return [] if self.asked == 2 else super().answer()


def test_an_id_that_a_registry_refused_before_it_was_well_is_asked_for_once_more() -> None:
    starting = Starting()
    with serving(starting) as port:
        assert Registry(f"http://127.0.0.1:{port}").writer(ID).record == "BetPlaced"

    assert starting.asked == 3
