"""A log whose beginning is gone, and with it the jump of a broker's clock: what follows it stands at the time to which
the log had come, and nothing that is right is accused for that."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import call_command

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import encode, frame
from backoffice.kernel.clock import microseconds
from backoffice.reconcile.models import HighWater
from backoffice.simulator.events.envelope import Event
from tests.reconcile.conftest import changed, events_of, garbage
from tests.reconcile.lives import reconciled
from tests.spine import Spine, until
from tests.streams.arriving import event_of

pytestmark = pytest.mark.usefixtures("one_broker_was_ahead")
LOSING = [name for name, topic in TOPICS.items() if not topic.compacted]
STATUS = (
    "UPDATE players_player SET status = 'tampered' WHERE id ="
    " (SELECT id FROM players_player WHERE status IS NOT NULL ORDER BY status_offset DESC LIMIT 1)"
)
LOGIN = (
    "UPDATE players_login SET country = 'XX' WHERE event_id ="
    " (SELECT event_id FROM players_login ORDER BY source_offset DESC LIMIT 1)"
)


def stored(spine: Spine) -> None:
    """Events of every kind, some of them half an hour ahead of their time, and bad messages."""
    spine.send(events_of(1_200))
    garbage(spine)
    at = microseconds(datetime.now(UTC) + timedelta(minutes=30))
    early = [event_of("LoginSucceeded", event_id=str(uuid4()), player_id=str(uuid4()), occurred_at=at) for _ in "abcd"]
    spine.send([Event("LoginSucceeded", event["player_id"], event) for event in early])
    spine.drain()


def lose(spine: Spine, *topics: str, until: int = 2) -> None:
    """What retention does."""
    ends = spine.ends()
    gone = [
        TopicPartition(f"{spine.prefix}{topic}", partition, until)
        for topic in topics
        for partition in range(spine.partitions)
        if ends[topic, partition] >= until
    ]
    admin = AdminClient({**settings.KAFKA})
    for done in admin.delete_records(gone).values():
        done.result(30)


def accused(*, full: bool) -> list[dict[str, Any]]:
    """What a run calls different, but for the beginnings of logs that are kept for ever."""
    return [one for one in reconciled(full=full).differences if one["check"] != "log_begins_later"]


@pytest.mark.parametrize("was_read", [True, False], ids=["read before", "never read"])
def test_what_follows_the_jump_is_accused_of_nothing(spine: Spine, was_read: bool) -> None:
    stored(spine)
    if was_read:
        assert reconciled(full=False).clean
    lose(spine, *LOSING)

    assert accused(full=True) == []
    assert accused(full=True) == []


@pytest.mark.parametrize("was_read", [True, False], ids=["read before", "never read"])
def test_what_was_altered_is_named_all_the_same(spine: Spine, was_read: bool) -> None:
    stored(spine)
    if was_read:
        assert reconciled(full=False).clean
    lose(spine, *LOSING)
    changed(spine, STATUS)
    changed(spine, LOGIN)

    found = accused(full=True)

    assert sorted(one["check"] for one in found) == ["rows", "state"]


def test_runs_by_the_clock_that_begin_behind_the_jump_accuse_nothing(spine: Spine) -> None:
    stored(spine)
    lose(spine, *LOSING)

    assert [accused(full=False) for _ in range(3)] == [[], [], []]


def test_a_time_that_the_log_tells_of_is_held_against_rows_where_it_was_read(spine: Spine) -> None:
    stored(spine)
    assert reconciled(full=False).clean
    lose(spine, *LOSING)
    later = "UPDATE players_player SET status_logged_at = status_logged_at + interval '1 s' WHERE id = (SELECT id"
    changed(spine, f"{later} FROM players_player WHERE status_offset > 2 ORDER BY id LIMIT 1)")

    assert [one["check"] for one in accused(full=True)] == ["state"]


def test_what_a_person_has_led_a_stream_over_moves_no_time_of_its_log(spine: Spine) -> None:
    begun = "SELECT count(*) FROM streams_offset WHERE stream = 'players' AND topic = 'player-events'"
    with spine.streaming("players"):
        until(lambda: spine.value(begun) == spine.partitions, "it stands at the beginning")
    spine.send(event for event in events_of(600) if event.record.startswith("Player"))
    for partition in range(spine.partitions):
        words = ("skip", "players", "player-events", str(partition), "--to", "1", "--reason", "a test")
        call_command("streams", *words, stdout=StringIO())
    spine.drain()

    assert [accused(full=full) for full in (True, False, False)] == [[], [], []]


def test_the_time_counts_from_the_first_message_on_though_offsets_without_one_come_before(spine: Spine) -> None:
    login = frame(spine.registry.register("LoginSucceeded"), encode("LoginSucceeded", event_of("LoginSucceeded")))
    spine.send_bytes("player-events", [login], partition=0)
    sender = Producer({**settings.KAFKA, "transactional.id": f"{spine.prefix}sender"})
    sender.init_transactions(30)
    sender.begin_transaction()
    sender.produce(f"{spine.prefix}player-events", b"undone", partition=0)
    sender.flush(30)
    sender.abort_transaction(30)
    spine.send(event for event in events_of(400, seed=12) if event.record.startswith("Player"))
    spine.drain()
    assert reconciled(full=False).clean
    assert HighWater.objects.get(partition=0).offset > 1, "behind what was undone"
    lose(spine, "player-events", until=1)

    assert accused(full=True) == []
