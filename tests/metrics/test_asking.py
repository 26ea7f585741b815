"""Whoever watches the platform is answered in time and costs it little, however often it asks and whatever hangs."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.test import Client, RequestFactory

from backoffice.localstack.stack import Stack
from backoffice.metrics import health
from backoffice.metrics.exporting import metrics
from backoffice.metrics.live import health_rows
from backoffice.metrics.status import read_health
from tests.kernel.test_asking import no_threads
from tests.live.web import Web
from tests.metrics.test_standing import samples
from tests.spine import Spine, stopped, until

LOCKED = "unknown: Postgres did not say in time; a table may be locked, or wait for `migrate`"
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


def test_the_status_and_the_live_page_name_what_is_locked_and_tell_all_else(spine: Spine) -> None:
    with locked(spine.database_url, "trading_market"):
        line, document, rows = said("--line"), json.loads(said("--json")), health_rows(read_health())

    assert ("events/s" in line, "UNREAD sources" in line) == (True, True)
    assert (document["unread"], document["feeds"]) == (["sources"], None)
    assert len(document["jobs"]) == len(json.loads(said("--json"))["jobs"]) > 0
    assert rows["unread/sources"] == {"value": "sources"}
    assert {key.partition("/")[0] for key in rows} > {"jobs", "outbox", "topics", "dead_letters"}
    assert "UNREAD" not in said("--line")


def test_what_is_worked_out_of_topics_that_are_locked_is_not_said_to_be_well(spine: Spine) -> None:
    with locked(spine.database_url, "streams_deadletter"):
        document = json.loads(said("--json"))

    assert [document[name] for name in ("topics", "halted", "diverted", "stalled", "dead_letters")] == [None] * 5


def test_figures_that_are_locked_keep_none_of_the_others(spine: Spine) -> None:
    with locked(spine.database_url, "metrics_activity"):
        document = json.loads(said("--json"))

    assert document["unread"] == ["active_players"]
    assert (document["active_players"], document["logins"]) == (None, {"succeeded": 0, "failed": 0})


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "unread"),
    [
        ("ALTER TABLE streams_hidden_metrics RENAME TO of_later", ["hidden_metrics"]),
        ("ALTER TABLE streams_clocked_job RENAME COLUMN succeeded_at TO of_later", ["jobs"]),
    ],
)
def test_a_web_process_that_is_ahead_of_its_database_tells_what_is_there(
    spine: Spine, change: str, unread: list[str]
) -> None:
    with psycopg.connect(spine.database_url) as migrating:
        migrating.execute(change.encode())

    ready, facts = Client().get("/health/ready"), Client().get("/health/facts")
    told = samples()

    said = ready.json()
    assert (ready.status_code, said["postgres"], said["outbox"]) == (200, "ok", "ok")
    assert LOCKED in (said["metrics"], said["jobs"])
    assert (facts.status_code, facts.json()["unread"]) == (200, unread)
    assert told[f'pitboss_fact_unread{{fact="{unread[0]}"}}'] == told["pitboss_facts_readable"] == "1.0"
    assert "pitboss_outbox_ready_messages" in told


def test_a_moment_without_threads_is_told_and_over_when_it_is_over(spine: Spine) -> None:
    with no_threads():
        ready, facts, page = (
            asyncio.run(view(RequestFactory().get("/"))) for view in (health.ready, health.facts, metrics)
        )

    unasked = "not asked: can't start new thread"
    said = json.loads(ready.content)
    assert (ready.status_code, said["postgres"], said["kafka"]) == (503, unasked, unasked)
    assert said["metrics"] == f"the folder that processes share: {unasked}"
    assert (facts.status_code, json.loads(facts.content)["postgres"]) == (503, unasked)
    assert b"pitboss_facts_readable 0.0" in page.content
    assert Client().get("/health/ready").status_code == 200


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
    with stopped(leader, *children_of(leader)):
        yield


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
