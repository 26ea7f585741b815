"""What every test can ask for: a database of its own, and a whole spine (topics, database, workers) of its own."""

import faulthandler
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from hypothesis import settings as hypothesis
from pytest_django import DjangoDbBlocker

from backoffice.localstack.stack import Stack, running_stack
from backoffice.streams.store import announcing
from backoffice.streams.store.projection import STREAMS
from tests import databases
from tests.spine import Spine

# How long one example takes says how busy the machine is.
hypothesis.register_profile("steady", parent=hypothesis(), deadline=None)
hypothesis.load_profile("steady")

# Whoever asks for one of these, through whatever fixture, needs servers or a browser.
SERVERS = {"template", "own_stack", "kafka", "registry_url", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make quick` leaves out."""
    for item in items:
        asked = item.fixturenames if isinstance(item, pytest.Function) else []
        if SERVERS.intersection(asked) or item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.servers)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that even its time limit does not end costs its process and is named, not the hour of all others.

    The limit is an exception in the main thread: one that waits in a library never gets it, and what ends the test may
    wait for ever, too.
    """
    marker = item.get_closest_marker("timeout")
    limit = float(marker.args[0] if marker else item.config.getini("timeout"))
    told = item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(2 * limit, exit=True, file=told)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def nothing_more_to_tell() -> Iterator[None]:
    """What a test stored in this process is told before it ends; the thread would speak on in the next one's name."""
    yield
    announcing.finish()


@pytest.fixture(autouse=True)
def streams_of_apps_alone() -> Iterator[None]:
    """A stream that a test made would be read by all others in this process."""
    yield
    assert [name for name in STREAMS if not apps.is_installed(name)] == []


@pytest.fixture(scope="session")
def template(worker_id: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a migrated, empty database from which tests get their copies."""
    name = f"template_{worker_id}_{os.getpid()}"
    with _administration() as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    with django_db_blocker.unblock():
        _use(name)
        call_command("migrate", verbosity=0)
        _use(name)
    yield name
    with _administration() as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a database for this test alone; Django's default connection leads to it."""
    name = f"test_{uuid4().hex}"
    with _administration() as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    with django_db_blocker.unblock():
        _use(name)
        yield name
        _use(template)
    with _administration() as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def spine(database: str) -> Iterator[Spine]:
    """Topics, a database and workers on the servers that all tests share. Never stop or kill those servers."""
    with Spine.on_servers(database) as spine:
        yield spine


@pytest.fixture(scope="session")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers of this worker alone, for tests that stop and kill them; each test leaves all of them running."""
    folder: Path = tmp_path_factory.mktemp("stack")
    with running_stack(folder, outside={}) as stack:
        yield stack


@pytest.fixture(scope="session")
def faulty_template(own_stack: Stack, django_db_blocker: DjangoDbBlocker) -> str:
    """The name of a migrated, empty database in the Postgres of the own stack."""
    with django_db_blocker.unblock():
        databases.migrated(own_stack.environ()["DATABASE_URL"], "template_faulty")
    return "template_faulty"


@pytest.fixture(scope="module")
def house(template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a database for all tests of a file; making one takes longer than most of them."""
    with (
        django_db_blocker.unblock(),
        databases.copied(settings.DATABASE_URL, template) as name,
        databases.default_database(databases.beside(settings.DATABASE_URL, name)),
    ):
        yield databases.beside(settings.DATABASE_URL, name)


@pytest.fixture
def faulty_spine(own_stack: Stack, faulty_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Spine]:
    """A spine on servers that the test may stop and kill; Django's default connection leads to its database."""
    _all_run(own_stack)
    servers = own_stack.environ()
    url = servers["DATABASE_URL"]
    with (
        django_db_blocker.unblock(),
        databases.copied(url, faulty_template) as name,
        databases.default_database(databases.beside(url, name)),
        Spine.on_servers(name, partitions=2, replication=1, **servers) as spine,
    ):
        yield spine
        _all_run(own_stack)


def _all_run(stack: Stack) -> None:
    for part in stack.parts.values():
        part.start()


def _administration() -> psycopg.Connection[tuple[object, ...]]:
    return databases.administration(settings.DATABASE_URL)


def _use(name: str) -> None:
    connections["default"].close()
    connections["default"].settings_dict["NAME"] = name
