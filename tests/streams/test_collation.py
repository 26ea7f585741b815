"""A database that sorts text as a language does, or holds it in another encoding: nothing is made or stored there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from backoffice.localstack import environment
from backoffice.localstack.stack import running_stack
from backoffice.metrics import health
from backoffice.streams.tasks import make_partitions
from tests import databases
from tests.localstack.test_harm import only
from tests.spine import Spine, until

ENGLISH = "LOCALE_PROVIDER libc LOCALE 'en_US.utf8'"
LATIN = "ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
SORTS = "sorts text by en_US.utf8, not by code points"
HOLDS = "server_encoding is LATIN1"

pytestmark = pytest.mark.servers


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Postgres of its own on a machine that knows how to sort English."""
    locales = tmp_path_factory.mktemp("locales")
    if not (Path("/usr/share/i18n/locales/en_US").exists() and shutil.which("localedef")):
        pytest.skip("no locale can be made here: localedef or what it makes them from is not installed (locales)")
    subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", str(locales / "en_US.utf8")], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "_PLAIN", environment._PLAIN | {"LOCPATH": str(locales)})
        with running_stack(tmp_path_factory.mktemp("english"), outside=only("postgres")) as stack:
            yield stack.environ()["DATABASE_URL"]


@contextmanager
def made(url: str, how: str, blocker: DjangoDbBlocker, name: str = "") -> Iterator[str]:
    """A database of that kind beside the one of the URL, which Django's default connection leads to: its address."""
    name = name or f"texts_{uuid4().hex}"
    with databases.administration(url) as administration:
        administration.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 {how}'.encode())
        try:
            with blocker.unblock(), databases.default_database(databases.beside(url, name)):
                yield databases.beside(url, name)
        finally:
            administration.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["english", "latin"])
def unfit(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[str, str]]:
    """The address of such an empty database, and what is said of it."""
    how, says = {"english": (ENGLISH, SORTS), "latin": (LATIN, HOLDS)}[request.param]
    url = request.getfixturevalue("english") if request.param == "english" else settings.DATABASE_URL
    with made(url, how, django_db_blocker) as address:
        yield address, says


@pytest.fixture
def restored(english: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of one that has all tables: they were restored into it, and nobody asked what it is."""
    with made(english, ENGLISH, django_db_blocker) as address:
        call_command("migrate", verbosity=0, skip_checks=True)
        yield address


def test_migrate_refuses_it_before_it_makes_anything(unfit: tuple[str, str]) -> None:
    url, says = unfit

    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"], env=os.environ | {"DATABASE_URL": url},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert connection.introspection.table_names() == []


def test_the_check_of_what_is_lacking_says_it_once(unfit: tuple[str, str]) -> None:
    _, says = unfit

    for databases_asked in (None, ["default"]):
        found = run_checks(include_deployment_checks=True, databases=databases_asked)
        assert [says in message.msg for message in found if message.id == "pitboss.E005"] == [True]


def test_what_it_advises_makes_one_that_will_do(unfit: tuple[str, str], django_db_blocker: DjangoDbBlocker) -> None:
    url, _ = unfit
    [said] = [each.msg for each in run_checks(databases=["default"]) if each.id == "pitboss.E005"]
    _, advice = said.split("CREATE DATABASE ")
    name, how = advice.partition(";")[0].split(" TEMPLATE template0 ")

    with made(url, how, django_db_blocker, name=name):
        found = run_checks(tags=["postgres"], include_deployment_checks=True)
        assert not [message for message in found if message.id == "pitboss.E005"]


def test_a_worker_stores_nothing_there_and_says_why(restored: str, caplog: pytest.LogCaptureFixture) -> None:
    name = restored.rpartition("/")[2]
    with Spine.on_servers(name, DATABASE_URL=restored) as spine:
        spine.send_bytes("bet-events", [b"anything"])
        with spine.streaming("trading"):
            until(lambda: SORTS in caplog.text, "the lane says it")
        assert spine.rows("SELECT stream, topic FROM streams_offset") == []
        assert spine.value("SELECT count(*) FROM streams_deadletter") == 0


def test_no_command_no_job_and_no_probe_takes_it_for_fit(restored: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CommandError, match=SORTS):
        call_command("rebuild", "trading_bet", stdout=StringIO())

    told = StringIO()
    with pytest.raises(SystemExit, match="2"):
        call_command("reconcile", stdout=told)
    assert SORTS in json.loads(told.getvalue())["says"]

    make_partitions()
    assert (
        f"streams.make_partitions is not done: Database {restored.rpartition('/')[2]} will not do, it {SORTS}"
        in caplog.text
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT succeeded_at FROM streams_clocked_job WHERE name = 'streams.make_partitions'")
        assert cursor.fetchall() == [(None,)]

    assert SORTS in health.answers()["postgres"]
