"""What cannot be compared is said in one line, and nothing of it is kept; the next run does it."""

import logging
import socket

import psycopg
import pytest
from django.conf import settings
from django.test import override_settings

from backoffice.kernel import locks
from backoffice.reconcile.messages import log
from backoffice.reconcile.models import Run
from backoffice.reconcile.tasks import reconcile_newest
from tests import databases
from tests.reconcile.conftest import Reconcile, changed
from tests.spine import Spine

CHECKED = "SELECT sum(next) FROM reconcile_checked"


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def nothing_new(spine: Spine, reconcile: Reconcile, says: str) -> None:
    before = spine.value(CHECKED), spine.value("SELECT count(*) FROM reconcile_run")

    code, told = reconcile()

    assert (code, told["clean"]) == (2, None)
    assert says in told["says"]
    assert "\n" not in told["says"]
    assert (spine.value(CHECKED), spine.value("SELECT count(*) FROM reconcile_run")) == before


def test_kafka_is_away(continued: Spine, reconcile: Reconcile, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "ANSWER_SECONDS", 1.0)
    with override_settings(KAFKA=settings.KAFKA | {"bootstrap.servers": nowhere}):
        nothing_new(continued, reconcile, "Kafka")


def test_the_registry_is_away(continued: Spine, reconcile: Reconcile, nowhere: str) -> None:
    with override_settings(SCHEMA_REGISTRY_URL=f"http://{nowhere}/"):
        nothing_new(continued, reconcile, "registry")


def test_postgres_is_away(continued: Spine, reconcile: Reconcile, nowhere: str) -> None:
    away = f"postgresql://nobody@{nowhere}/none"
    with databases.default_database(away):
        nothing_new(continued, reconcile, "Postgres is away")


def test_another_run_is_under_way(continued: Spine, reconcile: Reconcile) -> None:
    with psycopg.connect(continued.database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [locks.RECONCILE_BY_THE_CLOCK])
        nothing_new(continued, reconcile, "Another reconciliation is under way")
        # Closing the connection would free it too, but some time after.
        other.execute("SELECT pg_advisory_unlock(%s)", [locks.RECONCILE_BY_THE_CLOCK])

    assert reconcile()[0] == 0


def test_the_task_reconciles(continued: Spine, caplog: pytest.LogCaptureFixture) -> None:
    changed(continued, "DELETE FROM wallet_account WHERE id IN (SELECT id FROM wallet_account WHERE kind = 'revenue')")

    with caplog.at_level(logging.INFO, "backoffice.reconcile.tasks"):
        reconcile_newest()

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "wallet_account" in caplog.text
    assert [run.is_clean for run in Run.objects.order_by("started_at")] == [True, False]


def test_the_task_leaves_what_it_cannot_do_to_the_next(
    continued: Spine, nowhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        override_settings(SCHEMA_REGISTRY_URL=f"http://{nowhere}/"),
        caplog.at_level(logging.INFO, "backoffice.reconcile.tasks"),
    ):
        reconcile_newest()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert Run.objects.count() == 1
