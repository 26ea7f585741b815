"""What a server refuses is told in its own words with the step that helps; names are checked before any act."""

import subprocess
import sys
from contextlib import ExitStack
from io import StringIO
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import KafkaException
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.commands import sentence
from backoffice.kernel.errors import Retryable
from tests import databases
from tests.spine import Spine

WHY = ("--reason", "why")


def manage(spine: Spine, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=spine.environ | environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_connections_used_up_are_not_a_server_that_is_away(spine: Spine) -> None:
    user, told = f"crowd_{uuid4().hex}", urlsplit(spine.database_url)
    url = f"postgresql://{user}@{told.netloc.rpartition('@')[2]}{told.path}"
    with databases.administration(spine.database_url) as owner, ExitStack() as crowd:
        owner.execute(f"CREATE ROLE {user} LOGIN CONNECTION LIMIT 1")
        crowd.callback(owner.execute, f"DROP ROLE {user}")
        crowd.enter_context(psycopg.connect(url))

        status, outbox = manage(spine, "status", DATABASE_URL=url), manage(spine, "outbox", "list", DATABASE_URL=url)

    for done in (status, outbox):
        assert f'too many connections for role "{user}"' in done.stderr
        assert "It runs; end some of its connections or raise max_connections" in done.stderr
        assert "DATABASE_URL" not in done.stderr


def test_tables_of_another_version_and_missing_rights_are_told(spine: Spine) -> None:
    with psycopg.connect(spine.database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE streams_outbox RENAME TO streams_outbox_of_before")

    with pytest.raises(CommandError, match=r'relation "streams_outbox" does not exist.*manage.py migrate'):
        call_command("outbox", "list")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KafkaException("it is silent"), "Kafka says: it is silent. Start it, or correct KAFKA_BOOTSTRAP_SERVERS"),
        (OSError(28, "No space left on device"), "No space left on device. Make room on that disk"),
        (OSError(13, "Permission denied"), "Permission denied. Put that right"),
        (Retryable("The registry is away; start it."), "The registry is away; start it."),
    ],
)
def test_each_kind_of_error_has_its_sentence(error: Exception, says: str) -> None:
    assert says in sentence(error)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("resume", "trading", "bet-events", "9", "--accept-bad", *WHY),
            "no partition bet-events\\[9\\]; there are 0, 1",
        ),
        (("resume", "nosuch", "bet-events", "--all", "--accept-bad", *WHY), "No stream is called nosuch; there are"),
        (("resume", "wallet", "odds-feed", "--all", "--accept-bad", *WHY), "wallet does not read odds-feed; it reads"),
        (
            ("resume", "trading", "nosuch", "--all", "--accept-bad", *WHY),
            "The catalogue has no topic nosuch; there are",
        ),
        (("skip", "trading", "bet-events", "7", "--to", "end", *WHY), "no partition bet-events\\[7\\]"),
        (("skip", "nosuch", "bet-events", "0", "--to", "end", *WHY), "No stream is called nosuch"),
        (("adopt", "nosuch", "bet-events", *WHY), "No stream is called nosuch"),
    ],
)
def test_a_name_that_is_none_is_refused_and_nothing_is_written(
    spine: Spine, arguments: tuple[str, ...], says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("streams", *arguments, stdout=StringIO())

    for table in ("streams_acceptance", "streams_gap", "streams_halt"):
        assert spine.value(f"SELECT count(*) FROM {table}") == 0
