"""Whoever watches the platform is answered in time and costs it little, however often it asks and whatever hangs."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client

from backoffice.localstack.stack import Stack
from backoffice.metrics.asking import Question
from tests.live.web import Web
from tests.metrics.test_standing import samples
from tests.spine import Spine, until

LOCKED = "unknown: Postgres did not say in time; a table may be locked"
# Of one process: that Postgres answers, the facts, and how far the streams are.
CONNECTIONS = 3
PROBES = 60


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """As a migration locks it."""
    with psycopg.connect(url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        connection.rollback()


def test_all_who_ask_at_once_get_one_answer_and_who_asks_later_another() -> None:
    may_answer, asked = threading.Event(), []

    def ask() -> int:
        asked.append(1)
        assert may_answer.wait(30)
        return len(asked)

    question = Question("test", ask)
    first = [question.put() for _ in range(100)]
    may_answer.set()
    assert {answer.result(30) for answer in first} == {1}
    until(lambda: question.put().result(30) > 1, "it is asked anew")


def test_an_answer_that_failed_is_told_to_who_asked_and_asked_anew() -> None:
    outcomes = iter([ValueError("broken"), None])

    def ask() -> str:
        if error := next(outcomes):
            raise error
        return "well"

    question = Question("test", ask)
    with pytest.raises(ValueError, match="broken"):
        question.put().result(30)
    assert question.put().result(30) == "well"


def test_a_table_that_is_locked_hides_only_what_stands_in_it(spine: Spine) -> None:
    with locked(spine.database_url, "streams_outbox"):
        ready = Client().get("/health/ready")
        facts = Client().get("/health/facts")
        told = samples()

    said = ready.json()
    assert (ready.status_code, said["postgres"], said["streams"]) == (200, "ok", "ok")
    assert (said["outbox"], said["alerts"]) == (LOCKED, LOCKED)
    found = facts.json()
    assert (facts.status_code, found["unread"]) == (200, ["outbox", "alerts"])
    assert (found["outbox"], found["unsent_alerts"]) == (None, None)
    assert found["jobs"]
    assert told['pitboss_fact_unread{fact="outbox"}'] == told["pitboss_facts_readable"] == "1.0"
    assert "pitboss_outbox_ready_messages" not in told
    assert "pitboss_missing_partitions" in told
    assert Client().get("/health/ready").json()["outbox"] == "ok"
    assert Client().get("/health/facts").json()["unread"] == []


@pytest.mark.xdist_group("own_stack")
@pytest.mark.faults
@pytest.mark.parametrize("name", ["postgres", "kafka", "redis", "registry"])
def test_what_hangs_is_named_and_holds_up_nobody(faulty_spine: Spine, own_stack: Stack, name: str) -> None:
    assert Client().get("/health/ready").json()[name] == "ok"
    with hanging(own_stack, name):
        ready = Client().get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()[name] != "ok"
        # The registry keeps its contracts in Postgres.
        others = {"postgres", "redis", "kafka", "registry"} - {name} - ({"registry"} if name == "postgres" else set())
        assert {other: ready.json()[other] for other in others} == dict.fromkeys(others, "ok")
        assert (ready.json()["outbox"] == "ok") == (name != "postgres")
        assert samples()["pitboss_facts_readable"] == ("0.0" if name == "postgres" else "1.0")
        assert Client().get("/health/facts").status_code == (503 if name == "postgres" else 200)
        assert Client().get("/health/live").json() == {"alive": True}
    until(lambda: Client().get("/health/ready").json()[name] == "ok", "it is well again")


@contextmanager
def hanging(stack: Stack, name: str) -> Iterator[None]:
    """All of its processes are stopped, and the machine answers for their connections."""
    leader = json.loads((stack.layout.servers / name).read_text())["pid"]
    pids = [leader, *children_of(leader)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def web(spine: Spine, tmp_path: Path) -> Iterator[Web]:
    started = Web(spine.environ, tmp_path)
    try:
        started.start()
        yield started
    finally:
        started.kill()


def test_those_who_ask_and_hang_up_do_not_pile_up(web: Web, spine: Spine) -> None:
    def asks(path: str) -> None:
        with suppress(OSError):
            web.get(path, timeout=0.05)

    before = web.threads()
    with locked(spine.database_url, "streams_outbox"):
        for _ in range(PROBES):
            asks("/health/ready")
            asks("/metrics")
        waiting = spine.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle in transaction'"
        )
        threads = web.threads()
    said: dict[str, Any] = json.loads(web.get("/health/ready"))
    assert said["postgres"] == "ok"
    # The hub of the live service has some of its own.
    assert waiting <= CONNECTIONS + 6
    # One for each question, and one of Kafka's clients for each of its brokers.
    assert threads - before <= 24
