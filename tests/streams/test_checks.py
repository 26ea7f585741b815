"""`check --deploy` on real databases that lack something, each told in a sentence of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.core.checks import run_checks
from pytest_django import DjangoDbBlocker

from backoffice.streams.checks import DEMANDS
from tests import databases

Settings = pytest.FixtureRequest


def said() -> dict[str, str]:
    """Id and text of each message about Postgres, by the first words of the text."""
    messages = run_checks(tags=["postgres"], include_deployment_checks=True)
    return {message.msg.partition(":")[0]: f"{message.id} {message.msg}" for message in messages}


@contextmanager
def another(url: str) -> Iterator[None]:
    with databases.default_database(url):
        yield


def test_the_servers_of_make_run_lack_nothing_but_a_role_of_less_power(database: str) -> None:
    assert set(said()) == {"Role pitboss is a superuser"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "off"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "30000"),
        ("TimeZone", "Europe/Malta"),
    ],
)
def test_a_setting_that_hurts_is_told(database: str, setting: str, value: str) -> None:
    with databases.administration(settings.DATABASE_URL) as administration:
        administration.execute(f"ALTER DATABASE \"{database}\" SET {setting} = '{value}'")
    with another(databases.beside(settings.DATABASE_URL, database)):
        assert said()[f"{setting} is {value}"].endswith(
            next(d.otherwise for d in DEMANDS if d.setting == setting) + "."
        )


@pytest.mark.parametrize("setting", settings.POSTGRES_LEAST)
def test_too_little_is_told(database: str, settings: Settings, setting: str) -> None:
    settings.POSTGRES_LEAST = settings.POSTGRES_LEAST | {setting: 1_000_000}  # type: ignore[attr-defined]

    assert any(text.startswith(f"{setting} is ") for text in said())


def test_a_database_in_another_encoding_is_told(template: str, django_db_blocker: DjangoDbBlocker) -> None:
    name = f"ascii_{uuid4().hex}"
    with databases.administration(settings.DATABASE_URL) as administration:
        administration.execute(
            f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
        )
        with django_db_blocker.unblock(), another(databases.beside(settings.DATABASE_URL, name)):
            found = said()
        administration.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    assert "names cannot be stored" in found[f"Database {name} will not do, server_encoding is SQL_ASCII"]


def test_what_the_role_may_not_do_is_told(database: str) -> None:
    role, address = f"role_{uuid4().hex}", urlsplit(databases.beside(settings.DATABASE_URL, database))
    with databases.administration(address.geturl()) as administration:
        administration.execute(f'CREATE ROLE "{role}" LOGIN CONNECTION LIMIT 7')
        administration.execute(f'REVOKE TEMP ON DATABASE "{database}" FROM PUBLIC')
        try:
            with another(address._replace(netloc=f"{role}@{address.hostname}:{address.port}").geturl()):
                found = said()
        finally:
            administration.execute(f'DROP ROLE "{role}"')

    assert f"GRANT CREATE ON SCHEMA public TO {role}" in found[f"Role {role} may not make tables"]
    assert f"Role {role} may not make temporary tables" in found
    assert f"Role {role} may have 7 connections at once; allow 100." in found
    assert "partitions and rebuilds of it fail" in found["Table streams_outbox belongs to pitboss"]


def test_a_server_that_is_away_is_told(database: str) -> None:
    with another("postgresql://127.0.0.1:1/none"):
        [(_, text)] = said().items()

    assert text.startswith("pitboss.E001 PostgreSQL does not answer: ")
    assert isinstance(psycopg.OperationalError("x"), psycopg.Error)
