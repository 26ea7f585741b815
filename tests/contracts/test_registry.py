"""Against a real registry; what an unwell one answers comes from a web server in this process."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaRegistryClient,
    SchemaRegistryError,
    ServerConfig,
)

from backoffice.contracts.compatibility import breaks
from backoffice.contracts.definitions import LIBRARY, canonical, released, schema
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Poison, Rejected, Retryable

from .changes import BASE, LOOSER, STRICTER, TOGETHER, Trial, field

FULL_TRANSITIVE = ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE)
UNKNOWN_ID = 2_000_000_000
RELEASED = [*range(1, len(released("BetPlaced")) + 1)]


@pytest.fixture
def client(registry_url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry_url})


def test_every_schema_is_registered_under_its_topic_and_record(
    registry: Registry, client: SchemaRegistryClient, prefix: str
) -> None:
    registry.ensure(LIBRARY.files())

    subjects = {subject for subject in client.get_subjects() if subject.startswith(prefix)}
    assert subjects == {f"{prefix}{file.parent.name}-pitboss.{record}" for record, file in LIBRARY.files().items()}
    for record in LIBRARY.files():
        assert registry.writer(registry.register(record)).record == record
        assert registry.writer(registry.register(record)).schema == schema(record)


def test_registering_again_changes_nothing(registry: Registry, registry_url: str, prefix: str) -> None:
    registry.ensure(["BetPlaced"])
    again = Registry(registry_url, prefix)
    again.ensure(["BetPlaced"])

    assert again.register("BetPlaced") == registry.register("BetPlaced")


def test_the_registry_refuses_what_older_readers_could_not_read(
    registry: Registry, client: SchemaRegistryClient
) -> None:
    registry.ensure(["BetPlaced"])
    changed = copy.deepcopy(schema("BetPlaced"))
    changed["fields"].append({"name": "weather", "type": "string"})

    with pytest.raises(SchemaRegistryError) as refusal:
        client.register_schema(registry.subject("BetPlaced"), Schema(canonical(changed), "AVRO"))

    assert refusal.value.http_status_code == 409
    assert client.get_versions(registry.subject("BetPlaced")) == RELEASED


def test_our_schema_is_refused_in_words_when_another_one_was_there_first(
    registry: Registry, client: SchemaRegistryClient
) -> None:
    other = copy.deepcopy(schema("BetPlaced"))
    field(other, "stake")["type"] = "string"
    client.register_schema(registry.subject("BetPlaced"), Schema(canonical(other), "AVRO"))

    with pytest.raises(Rejected, match="incompatible"):
        registry.ensure(["BetPlaced"])

    assert client.get_versions(registry.subject("BetPlaced")) == [1]


@pytest.mark.parametrize("trial", [*TOGETHER, *STRICTER, *LOOSER], ids=lambda trial: trial.name)
def test_our_check_is_never_milder_than_the_registry(client: SchemaRegistryClient, prefix: str, trial: Trial) -> None:
    taken = _takes(client, prefix, [BASE], trial.result())

    assert taken == trial.registry_takes
    assert taken or breaks(trial.result(), BASE)


def test_the_registry_looks_at_all_versions_as_we_do(client: SchemaRegistryClient, prefix: str) -> None:
    second = copy.deepcopy(BASE)
    second["fields"].append({"name": "more", "type": "long", "default": 0})
    third = copy.deepcopy(second)
    del field(third, "more")["default"]

    assert not _takes(client, prefix, [BASE, second], third)
    assert not breaks(third, second)
    assert breaks(third, BASE)


def test_a_change_of_doc_alone_is_dropped_and_a_revision_makes_it_stick(
    registry: Registry, client: SchemaRegistryClient
) -> None:
    registry.ensure(["BetPlaced"])
    subject = registry.subject("BetPlaced")
    reworded = schema("BetPlaced") | {"doc": "Otherwise."}

    assert client.register_schema(subject, Schema(canonical(reworded), "AVRO")) == registry.register("BetPlaced")
    assert client.get_versions(subject) == RELEASED

    client.register_schema(subject, Schema(canonical(reworded | {"revision": 1}), "AVRO"))
    assert client.get_versions(subject) == [*RELEASED, len(RELEASED) + 1]


def test_a_subject_counts_only_while_it_is_guarded(registry: Registry, client: SchemaRegistryClient) -> None:
    assert not registry.is_ensured("BetPlaced")

    registry.ensure(["BetPlaced"])
    assert registry.is_ensured("BetPlaced")
    assert not registry.is_ensured("BetSettled")

    client.set_config(registry.subject("BetPlaced"), ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
    assert not registry.is_ensured("BetPlaced")


def test_an_unknown_id_is_poison(registry: Registry) -> None:
    with pytest.raises(Poison, match=f"unknown schema id {UNKNOWN_ID}"):
        registry.writer(UNKNOWN_ID)


@pytest.mark.parametrize("schema_id", [0, 2**31, 2**32 - 1])
def test_an_id_that_no_registry_gives_is_poison_without_a_question(schema_id: int) -> None:
    with _answering(404, b"<html>not here</html>") as (url, asked):
        with pytest.raises(Poison, match="none that a registry gives"):
            Registry(url).writer(schema_id)
        assert not asked


def test_a_known_id_is_asked_for_once(registry: Registry, registry_url: str) -> None:
    schema_id = registry.register("BetPlaced")
    with _answering(200, _json({"schema": canonical(schema("BetPlaced"))})) as (url, asked):
        elsewhere = Registry(url)
        first = elsewhere.writer(schema_id)
        assert first.record == "BetPlaced"
        assert all(elsewhere.writer(schema_id) is first for _ in range(3))
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(500, b'{"error_code": 50001, "message": "store is away"}', id="ill"),
        pytest.param(503, b"", id="starting"),
        pytest.param(401, b'{"error_code": 401, "message": "who are you"}', id="no credentials"),
        pytest.param(404, b"<html>not here</html>", id="no registry at this address"),
        pytest.param(404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}', id="wrong path"),
        pytest.param(400, b"bad request", id="no registry"),
        pytest.param(200, b"<html>welcome</html>", id="a page"),
        pytest.param(200, b'"welcome"', id="another answer"),
        pytest.param(200, b"", id="nothing"),
    ],
)
def test_a_registry_that_cannot_say_is_waited_for(status: int, body: bytes) -> None:
    with _answering(status, body) as (url, _):
        registry = Registry(url)
        with pytest.raises(Retryable):
            registry.writer(1)
        with pytest.raises(Retryable):
            registry.register("BetPlaced")


def test_a_registry_that_is_away_is_waited_for() -> None:
    with _answering(200, b"") as (url, _):
        pass

    with pytest.raises(Retryable, match="start it or correct SCHEMA_REGISTRY_URL"):
        Registry(url).writer(1)


def test_an_id_that_stands_for_no_record_is_poison() -> None:
    with _answering(200, _json({"schema": '"string"'})) as (url, _), pytest.raises(Poison):
        Registry(url).writer(1)


def _takes(client: SchemaRegistryClient, prefix: str, earlier: list[dict[str, Any]], new: dict[str, Any]) -> bool:
    subject = f"{prefix}changes-pitboss.Probe"
    for version in earlier:
        client.register_schema(subject, Schema(canonical(version), "AVRO"))
    client.set_config(subject, FULL_TRANSITIVE)
    try:
        client.register_schema(subject, Schema(canonical(new), "AVRO"))
    except SchemaRegistryError as refusal:
        if refusal.http_status_code != 409:
            raise
        return False
    return True


def _json(answer: dict[str, Any]) -> bytes:
    return canonical(answer).encode()


@contextmanager
def _answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A web server with one answer to everything, and the paths it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815 - the names that the server calls

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
