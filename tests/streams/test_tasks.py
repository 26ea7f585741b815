"""The streams' housekeeping does what is due and nothing more, however often it runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from backoffice.celery import app
from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import SystemClock
from backoffice.streams.models import Halt, Outgoing
from backoffice.streams.tables import partitions
from backoffice.streams.tables.partitions import missing_partitions
from backoffice.streams.tasks import make_partitions, purge_outbox, purge_sent, purge_stops
from tests import databases


def test_a_missing_partition_is_made_once(database: str) -> None:
    now = SystemClock().now()
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "metrics_window_{now:%Y%m}"')
    assert missing_partitions(now) == [f"metrics_window_{now:%Y%m}"]

    make_partitions()
    make_partitions()

    assert missing_partitions(now) == []


def test_a_partition_that_cannot_be_made_is_an_alert(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "20ms")
    month = f"metrics_window_{SystemClock().now():%Y%m}"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "{month}"')
    url = databases.beside(settings.DATABASE_URL, database)
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM metrics_window")
        make_partitions()

    (alert,) = Outgoing.objects.all()
    assert alert.record == "ComplianceAlert"
    assert f"{month}: canceling statement due to lock timeout".encode() in bytes(alert.value or b"")
    assert missing_partitions(SystemClock().now()) == [month]


@pytest.mark.parametrize("mend", [make_partitions, partial(call_command, "partitions", stdout=StringIO())])
def test_one_alert_tells_of_months_that_are_missing_until_they_are_made(
    database: str, monkeypatch: pytest.MonkeyPatch, mend: Callable[[], object]
) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "20ms")
    month = f"metrics_window_{SystemClock().now():%Y%m}"

    def miss_two_nights() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP TABLE "{month}"')
        with psycopg.connect(databases.beside(settings.DATABASE_URL, database)) as reader:
            reader.execute("SELECT count(*) FROM metrics_window")
            make_partitions()
            make_partitions()

    for told in (["opened"], ["opened", "closed", "opened"]):
        miss_two_nights()
        assert [status for _, status in alerts()] == told
        mend()
        mend()
        assert [status for _, status in alerts()] == [*told, "closed"]

    first, *_, last = (alert_id for alert_id, _ in alerts())
    assert first != last


def alerts() -> list[tuple[str, str]]:
    rows = Outgoing.objects.filter(record="ComplianceAlert").order_by("id")
    told = [decode(bytes(row.value or b""), schema("ComplianceAlert")) for row in rows]
    assert {alert["kind"] for alert in told} == {"partitions_not_made"}
    return [(alert["alert_id"], alert["status"]) for alert in told]


def test_a_person_makes_what_is_missing_or_is_told_why_not(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "20ms")
    month = f"metrics_window_{SystemClock().now():%Y%m}"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "{month}"')
    with psycopg.connect(databases.beside(settings.DATABASE_URL, database)) as reader:
        reader.execute("SELECT count(*) FROM metrics_window")
        with pytest.raises(CommandError, match=f"{month}: canceling statement due to lock timeout"):
            call_command("partitions")

    said = StringIO()
    call_command("partitions", stdout=said)
    assert said.getvalue() == f"made: {month}\n"
    assert missing_partitions(SystemClock().now()) == []


def sent(at: datetime | None, number: int) -> None:
    Outgoing.objects.bulk_create(
        Outgoing(topic="t", value=b"v", created_at=datetime(2020, 1, 1, tzinfo=UTC), sent_at=at) for _ in range(number)
    )


def test_only_what_was_sent_a_week_ago_is_purged(database: str) -> None:
    now = SystemClock().now()
    sent(now - timedelta(days=8), 3)
    sent(now - timedelta(days=6), 2)
    sent(None, 4)

    # What waited behind these does not go on yet.
    told = {"topic": "t", "value": b"v", "created_at": now, "sent_at": now - timedelta(days=8)}
    Outgoing.objects.create(**told, next_attempt_at=now)
    Outgoing.objects.create(**told, holds_topic=True)

    purge_outbox()
    purge_outbox()

    assert Outgoing.objects.filter(sent_at=None).count() == 4
    assert Outgoing.objects.exclude(sent_at=None).count() == 2 + 2


def test_what_was_discarded_a_year_ago_is_purged_but_no_copy_of_a_dead_letter(database: str) -> None:
    now = SystemClock().now()
    old, new = now - timedelta(days=366), now - timedelta(days=364)
    told = {"topic": "t", "value": b"v", "created_at": old}
    copy = {"stream": "trading", "topic": "bet-events", "partition": "0", "offset": "7"}
    Outgoing.objects.create(**told, discarded_at=old, headers={"replay_of": "1"})
    kept = {
        Outgoing.objects.create(**told, discarded_at=old, headers=copy).pk,
        Outgoing.objects.create(**told, discarded_at=old, next_attempt_at=old).pk,
        Outgoing.objects.create(**told, discarded_at=new).pk,
    }

    purge_outbox()

    assert set(Outgoing.objects.values_list("pk", flat=True)) == kept


def test_halts_that_ended_a_year_ago_are_purged_and_no_others(database: str) -> None:
    now = SystemClock().now()
    old, new = now - timedelta(days=366), now - timedelta(days=364)
    for partition, offset, end in ((0, 5, old), (0, 9, old), (1, 5, new), (1, 9, new), (2, 5, None)):
        Halt.objects.create(
            stream="trading", topic="t", partition=partition, offset=offset, reason="bad", halted_at=now, resumed_at=end
        )

    purge_stops()

    left = Halt.objects.order_by("partition", "offset").values_list("partition", "offset")
    assert list(left) == [(0, 9), (1, 5), (1, 9), (2, 5)]


def test_a_purge_takes_all_its_chunks(database: str) -> None:
    now = SystemClock().now()
    sent(now - timedelta(days=8), 25)

    assert purge_sent(now, chunk=10) == 25
    assert purge_sent(now, chunk=10) == 0


@pytest.mark.parametrize("entry", sorted(settings.CELERY_BEAT_SCHEDULE))
def test_beat_names_tasks_that_exist(entry: str) -> None:
    app.loader.import_default_modules()

    assert settings.CELERY_BEAT_SCHEDULE[entry]["task"] in app.tasks
