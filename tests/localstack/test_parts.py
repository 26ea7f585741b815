"""The four servers: they answer, survive a kill with what they acknowledged, and come back by themselves."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from backoffice.localstack.stack import Stack
from tests.localstack.conftest import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack")]

Memory = tuple[Callable[[Stack, str], None], Callable[[Stack, str], bool]]


def _row(stack: Stack, mark: str) -> None:
    with psycopg.connect(stack.environ()["DATABASE_URL"]) as connection:
        connection.execute(f'CREATE TABLE "{mark}" ()')


def _has_row(stack: Stack, mark: str) -> bool:
    with psycopg.connect(stack.environ()["DATABASE_URL"]) as connection:
        return connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{mark}"']).fetchone() == (True,)


def _key(stack: Stack, mark: str) -> None:
    with redis.Redis.from_url(stack.environ()["REDIS_URL"]) as client:
        client.set(mark, "1")
        client.waitaof(1, 0, 5000)


def _has_key(stack: Stack, mark: str) -> bool:
    with redis.Redis.from_url(stack.environ()["REDIS_URL"]) as client:
        return bool(client.get(mark) == b"1")


def _admin(stack: Stack) -> AdminClient:
    return AdminClient({"bootstrap.servers": stack.environ()["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0})


def _topic(stack: Stack, mark: str) -> None:
    admin = _admin(stack)
    admin.create_topics([NewTopic(mark, 1, 1)])[mark].result(20)


def _has_topic(stack: Stack, mark: str) -> bool:
    return mark in _admin(stack).list_topics(timeout=20).topics


def _subject(stack: Stack, mark: str) -> None:
    schema = json.dumps({"type": "record", "name": "R", "fields": []})
    body = json.dumps({"schema": schema}).encode()
    headers = {"Content-Type": "application/json"}
    url = f"{stack.environ()['SCHEMA_REGISTRY_URL']}/subjects/{mark}/versions"
    urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20).close()


def _has_subject(stack: Stack, mark: str) -> bool:
    with urllib.request.urlopen(f"{stack.environ()['SCHEMA_REGISTRY_URL']}/subjects", timeout=20) as answer:
        return mark in json.load(answer)


MEMORY: dict[str, Memory] = {
    "postgres": (_row, _has_row),
    "redis": (_key, _has_key),
    "kafka": (_topic, _has_topic),
    "registry": (_subject, _has_subject),
}


@pytest.mark.parametrize("name", MEMORY)
def test_a_killed_part_stays_down_until_it_is_started_and_keeps_what_it_acknowledged(
    own_stack: Stack, name: str
) -> None:
    part, (remember, remembers) = own_stack.part(name), MEMORY[name]
    mark = f"kept-{uuid4().hex}"
    remember(own_stack, mark)
    pid = part.pid

    part.kill()
    time.sleep(1)  # Twice the first back-off.

    assert not part.running
    assert not os.path.exists(f"/proc/{pid}")
    part.start()
    assert part.pid != pid
    assert remembers(own_stack, mark)


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_part_that_dies_by_itself_is_started_again(own_stack: Stack, name: str) -> None:
    part, (_, remembers) = own_stack.part(name), MEMORY[name]
    pid = part.pid

    os.kill(pid, signal.SIGKILL)

    wait_until(lambda: part.running and part.pid != pid)
    part.wait_healthy(timeout=30)
    assert not remembers(own_stack, "never")


def test_a_backend_that_is_busy_does_not_keep_a_killed_server_from_coming_back(own_stack: Stack) -> None:
    part = own_stack.part("postgres")
    pid = part.pid
    with psycopg.connect(own_stack.environ()["DATABASE_URL"]) as connection, ThreadPoolExecutor(1) as thread:
        backend = connection.info.backend_pid
        thread.submit(_count_for_ever, connection)
        wait_until(lambda: "SELECT" in Path(f"/proc/{backend}/cmdline").read_text())
        try:
            os.kill(pid, signal.SIGKILL)

            wait_until(lambda: part.running and part.pid != pid, timeout=10)
            part.wait_healthy(timeout=10)
            assert not os.path.exists(f"/proc/{backend}/cwd")
        finally:
            with suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)


def _count_for_ever(connection: psycopg.Connection) -> None:
    with suppress(psycopg.OperationalError):
        connection.execute("SELECT count(*) FROM (SELECT generate_series(1, 9000000000)) AS numbers")


def test_the_registry_answers_at_once_after_a_restart_of_its_database(own_stack: Stack) -> None:
    database = own_stack.part("postgres")
    marks = [f"after-{uuid4().hex}" for _ in range(4)]

    database.kill()
    database.start()

    for mark in marks:
        _subject(own_stack, mark)
    assert all(_has_subject(own_stack, mark) for mark in marks)


def test_a_stopped_part_ends_cleanly(own_stack: Stack) -> None:
    part = own_stack.part("postgres")

    part.stop()

    assert not part.running
    assert "database system is shut down" in part.server.layout.log("postgres").read_text().splitlines()[-1]
    part.start()


def test_postgres_takes_no_backend_with_it_when_it_is_killed_in_the_middle_of_a_query(own_stack: Stack) -> None:
    part = own_stack.part("postgres")
    with psycopg.connect(own_stack.environ()["DATABASE_URL"]) as connection:
        backend = connection.info.backend_pid

        part.kill()

        assert not os.path.exists(f"/proc/{backend}/cwd")
    part.start()


def test_starting_a_part_that_runs_changes_nothing(own_stack: Stack) -> None:
    part = own_stack.part("redis")
    pid = part.pid

    part.start()

    assert part.pid == pid
