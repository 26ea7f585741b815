"""The alert of a clash stands open until each of the dead letters that it names was replayed or discarded."""

import threading
from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Q

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.actor import Actor
from backoffice.streams.database import connect
from backoffice.streams.deadletters.handling import discard
from backoffice.streams.models import DeadLetter, Outgoing
from backoffice.streams.outbox.clashes import ALERT, Clashes, tell_of
from tests.spine import until
from tests.streams.deadletters.test_many import letters

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def clash(*numbers: int) -> UUID:
    """The letters are of one batch; the id of the alert that names them."""
    rows = DeadLetter.objects.in_bulk(numbers)
    places = [(rows[number].partition, rows[number].offset) for number in numbers]
    one = rows[numbers[0]]
    with connect() as over:
        tell_of(Clashes(one.stream, one.topic, one.generation, places, "StakeTaken"), NOW, over)
    (alert_id,) = DeadLetter.objects.filter(pk__in=numbers).values_list("alert_id", flat=True).distinct()
    assert alert_id is not None
    return alert_id


def closed() -> list[str]:
    rows = Outgoing.objects.filter(record="ComplianceAlert").order_by("id")
    alerts = [decode(bytes(row.value or b""), schema("ComplianceAlert")) for row in rows]
    assert {alert["kind"] for alert in alerts} == {ALERT}
    return [alert["alert_id"] for alert in alerts if alert["status"] == "closed"]


def said(*arguments: object) -> None:
    call_command("deadletters", *map(str, arguments), "--reason", "asked", "--by", "ana", stdout=StringIO())


def discard_one(number: int) -> None:
    list(discard(Q(pk=number), actor=Actor("ana", "operator"), reason="asked", now=NOW))


def test_it_ends_with_the_last_letter_however_that_is_closed(database: str) -> None:
    first, second, third, other = letters(4)
    one, another = clash(first, second, third), clash(other)

    said("discard", first)
    said("replay", second)
    assert closed() == []
    said("discard", third)
    assert closed() == [str(one)]

    said("replay", other)
    assert closed() == [str(one), str(another)]


def test_a_letter_that_is_open_again_is_told_of_again(database: str) -> None:
    first, second, other = letters(3)
    one, another = clash(first, second), clash(other)
    said("replay", first)
    said("discard", second)
    said("replay", other)
    assert closed() == [str(one), str(another)]
    Outgoing.objects.filter(topic="bet-events").update(held_since=NOW, next_attempt_at=NOW, attempts=1)

    for number in Outgoing.objects.filter(topic="bet-events").values_list("pk", flat=True):
        call_command("outbox", "discard", str(number), "--reason", "asked", "--by", "ana", stdout=StringIO())

    again = {DeadLetter.objects.get(pk=number).alert_id for number in (first, other)}
    assert len(again - {None, one, another}) == 2
    said("discard", first)
    said("discard", other)
    assert {*closed()} == {str(one), str(another), *map(str, again)}


def test_a_letter_that_is_open_again_belongs_to_the_alert_that_still_is(database: str) -> None:
    first, second = letters(2)
    alert_id = clash(first, second)
    said("replay", first)
    Outgoing.objects.filter(topic="bet-events").update(held_since=NOW, next_attempt_at=NOW, attempts=1)
    number = Outgoing.objects.get(topic="bet-events").pk
    call_command("outbox", "discard", str(number), "--reason", "asked", "--by", "ana", stdout=StringIO())

    said("discard", second)
    assert closed() == []
    said("discard", first)
    assert closed() == [str(alert_id)]


def test_two_who_close_the_last_two_side_by_side_close_it_once(database: str) -> None:
    first, second = letters(2)
    alert_id = clash(first, second)
    done = threading.Event()

    def close_second() -> None:
        discard_one(second)
        connection.close()
        done.set()

    with transaction.atomic():
        discard_one(first)
        other = threading.Thread(target=close_second)
        other.start()
        with connect() as watching:
            until(
                lambda: watching.execute(
                    "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                ).fetchall(),
                "the second waits for the first",
            )
        assert not done.is_set()
    other.join(30)

    assert done.is_set()
    assert closed() == [str(alert_id)]
