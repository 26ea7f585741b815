"""Databases for tests on any Postgres: a migrated one, copies of it, and Django's default connection pointed at one."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from django.core.management import call_command
from django.db import connections
from environ import Env


def migrated(url: str, name: str) -> None:
    """Make a database with all tables beside the one of the URL, as a template for copies."""
    with administration(url) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    with default_database(beside(url, name)):
        call_command("migrate", verbosity=0)


@contextmanager
def copied(url: str, template: str) -> Iterator[str]:
    """The name of a copy of ``template`` on the same server, dropped in the end."""
    name = f"test_{uuid4().hex}"
    with administration(url) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    yield name
    with administration(url) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def default_database(url: str) -> Iterator[None]:
    """Django's default connection leads there, in all threads, until the block ends."""
    configured = connections["default"].settings_dict
    before = dict(configured)
    connections["default"].close()
    configured.update({key: value for key, value in Env.db_url_config(url).items() if key != "OPTIONS"})
    try:
        yield
    finally:
        connections["default"].close()
        configured.update(before)


def beside(url: str, name: str) -> str:
    """Another database of the same server."""
    return f"{url.rpartition('/')[0]}/{name}"


def administration(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url, autocommit=True)
