"""Every client of every server speaks TLS as the address says; tried in processes of their own, through real doors."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.tls import HOST, Authority, Pair, door

pytestmark = pytest.mark.servers
DATABASE = """
import json, django
django.setup()
from django.db import connection
from backoffice.streams.database import connect

def django_s():
    connection.ensure_connection()
    return connection.connection

said = {}
for name, open_one in (("django", django_s), ("streams", connect)):
    try:
        one = open_one()
        row = one.execute("SELECT current_database(), current_setting('geqo')").fetchone()
        said[name] = [one.pgconn.ssl_in_use, *row]
    except Exception as error:
        said[name] = str(error)
print(json.dumps(said))
"""
REDIS = """
import asyncio, json, django
django.setup()
from channels.layers import get_channel_layer
from django.conf import settings
import redis, redis.asyncio
from backoffice.celery import app

async def by_asyncio():
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
        await client.ping()

async def by_channels():
    layer = get_channel_layer()
    await layer.send(await layer.new_channel(), {"type": "x"})

def by_celery():
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        connection.default_channel.client.ping()

said = {}
for name, ask in {
    "own": lambda: redis.Redis.from_url(settings.REDIS_URL).ping(),
    "asyncio": lambda: asyncio.run(by_asyncio()),
    "channels": lambda: asyncio.run(by_channels()),
    "celery": by_celery,
}.items():
    try:
        ask()
        said[name] = "ok"
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""
HOSTILE = {
    "PGHOST": "nowhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGDATABASE": "template1",
    "PGUSER": "nobody",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c geqo=off",
    "PGSERVICE": "nowhere",
    "PGSERVICEFILE": "/nowhere",
    "PGPASSFILE": "/nowhere",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGCHANNELBINDING": "require",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def visitor(authority: Authority) -> Pair:
    return authority.issue("visitor")


@pytest.fixture(scope="module")
def postgres_door(authority: Authority, visitor: Pair) -> Iterator[int]:
    """A door before the tests' Postgres that asks its visitors for a certificate."""
    address = urlsplit(settings.DATABASE_URL)
    context = authority.context(authority.issue("postgres"), clients_too=True)
    with door((address.hostname or "", address.port or 0), context, postgres=True) as port:
        yield port


@pytest.fixture(scope="module")
def redis_door(authority: Authority) -> Iterator[int]:
    address = urlsplit(settings.REDIS_URL)
    with door((address.hostname or "", address.port or 0), authority.context(authority.issue("redis"))) as port:
        yield port


def said(script: str, **variables: str) -> dict[str, object]:
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "backoffice.settings.test"} | variables
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=90
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_server_without_tls_is_refused_where_the_address_requires_it() -> None:
    told = said(DATABASE, DATABASE_URL=f"{settings.DATABASE_URL}?sslmode=require")

    assert all("server does not support SSL" in str(answer) for answer in told.values()), told


def test_certificates_and_options_of_the_address_reach_both_connections(
    authority: Authority, visitor: Pair, postgres_door: int
) -> None:
    options = f"sslmode=verify-full&sslrootcert={authority.certificate}&sslcert={visitor.certificate}"
    options += f"&sslkey={visitor.key}&options=-c%20geqo%3Doff&application_name=x&target_session_attrs=read-write"

    told = said(DATABASE, DATABASE_URL=f"postgresql://pitboss@{HOST}:{postgres_door}/pitboss?{options}")

    assert told == {"django": [True, "pitboss", "off"], "streams": [True, "pitboss", "off"]}


@pytest.mark.parametrize("lacks", ["authority", "visitor"])
def test_without_the_right_certificates_neither_connection_is_made(
    authority: Authority, stranger: Authority, visitor: Pair, postgres_door: int, lacks: str
) -> None:
    trusted = stranger if lacks == "authority" else authority
    options = f"sslmode=verify-full&sslrootcert={trusted.certificate}"
    if lacks == "authority":
        options += f"&sslcert={visitor.certificate}&sslkey={visitor.key}"

    told = said(DATABASE, DATABASE_URL=f"postgresql://pitboss@{HOST}:{postgres_door}/pitboss?{options}")

    assert all("certificate" in str(answer) for answer in told.values()), told


def test_of_several_hosts_the_one_that_answers_is_taken() -> None:
    here = urlsplit(settings.DATABASE_URL)

    told = said(DATABASE, DATABASE_URL=f"postgresql://{here.username}@{HOST}:1,{HOST}:{here.port}/pitboss")

    assert told == {"django": [False, "pitboss", "on"], "streams": [False, "pitboss", "on"]}


def test_libpqs_variables_of_the_shell_change_nothing() -> None:
    told = said(DATABASE, DATABASE_URL=settings.DATABASE_URL, **HOSTILE)

    assert told == {"django": [False, "pitboss", "on"], "streams": [False, "pitboss", "on"]}


def test_every_client_of_redis_speaks_tls_and_knows_the_authority(authority: Authority, redis_door: int) -> None:
    told = said(REDIS, REDIS_URL=f"rediss://{HOST}:{redis_door}/0?ssl_ca_certs={authority.certificate}")

    assert set(told.values()) == {"ok"}, told


def test_no_client_of_redis_trusts_a_stranger(stranger: Authority, redis_door: int) -> None:
    told = said(REDIS, REDIS_URL=f"rediss://{HOST}:{redis_door}/0?ssl_ca_certs={stranger.certificate}")

    assert all("CERTIFICATE_VERIFY_FAILED" in str(answer) for answer in told.values()), told


def test_every_client_of_redis_trusts_a_stranger_where_the_address_says_so(redis_door: int) -> None:
    told = said(REDIS, REDIS_URL=f"rediss://{HOST}:{redis_door}/0?ssl_cert_reqs=none")

    assert set(told.values()) == {"ok"}, told


def test_the_test_authority_is_not_one_of_this_machine(redis_door: int, tmp_path: Path) -> None:
    told = said(REDIS, REDIS_URL=f"rediss://{HOST}:{redis_door}/0")

    assert not {"ok"} & set(map(str, told.values())), told
