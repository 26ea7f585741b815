"""Rebuilds from logs that are not what the table was made of any more: the same table, or none."""

from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import Any

import pytest
from confluent_kafka import Consumer, Message
from django.core.management import CommandError, call_command

from backoffice.kernel.errors import Rejected, Retryable
from backoffice.streams.kafka.clients import lone_consumer
from backoffice.streams.tables import rebuild as rebuilding
from tests.faults.checks import reconciled
from tests.faults.test_lost_logs import STREAM, made_anew, send, spine_update, streams
from tests.spine import Spine
from tests.streams.tables.test_rebuild import contents, events, rebuilt

TABLE = "trading_bet"
WINDOWS = "metrics_window"
ADOPT = ("adopt", STREAM, "bet-events", "--reason", "a mistake of operations")


@pytest.fixture
def stored(spine: Spine) -> Spine:
    send(spine, "first", 5)
    spine.drain()
    return spine


def is_refused(spine: Spine, told: str) -> None:
    before = contents(spine, TABLE)
    with pytest.raises(CommandError, match=told):
        call_command("rebuild", TABLE, stdout=StringIO())
    assert contents(spine, TABLE) == before
    assert before


def test_what_a_person_had_the_stream_skip_makes_no_row(stored: Spine) -> None:
    for number in range(2):
        send(stored, f"unwanted {number}", 3)
        streams("skip", STREAM, "bet-events", "0", "--to", "end", "--reason", "sent by mistake")
        send(stored, f"wanted {number}", 2)
        stored.drain(STREAM)
    before = contents(stored, TABLE)
    assert len(before) == 9

    rebuilt(TABLE)

    assert contents(stored, TABLE) == before


def test_a_topic_made_anew_is_refused_however_long_it_is(stored: Spine) -> None:
    made_anew(stored, stored.partitions)
    send(stored, "new", 20)

    is_refused(stored, r"bet-events was deleted or made anew, and trading still stands in the former one")


def test_a_table_of_an_adopted_topic_is_refused_and_rows_that_name_their_topic_are_taken_over(stored: Spine) -> None:
    made_anew(stored, stored.partitions)
    send(stored, "new", 20)
    for stream in stored_by(stored):
        streams("adopt", stream, *ADOPT[2:])
    stored.drain()
    before = contents(stored, WINDOWS)
    assert before

    is_refused(stored, "bet-events: it was deleted and made anew. trading_bet cannot be made")
    rebuilt(WINDOWS)

    assert contents(stored, WINDOWS) == before


def stored_by(spine: Spine) -> list[str]:
    return [name for (name,) in spine.rows("SELECT stream FROM streams_reading WHERE topic = 'bet-events'")]


def test_a_log_that_was_cut_off_is_refused_also_once_the_stream_goes_on(stored: Spine) -> None:
    spine_update(stored, "UPDATE streams_offset SET next = 7 WHERE topic = 'bet-events' AND partition = 0")
    streams("skip", STREAM, "bet-events", "0", "--to", "end", "--reason", "a disk was lost")
    send(stored, "later", 20)
    stored.drain(STREAM)

    is_refused(stored, "bet-events: its log was cut off. trading_bet cannot be made")


def test_a_topic_that_is_adopted_while_the_table_is_made_anew_is_noticed(
    stored: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "LAST_STRETCH", -1)  # else all is read with the offsets locked
    before = contents(stored, TABLE)

    def adopted(*_: int) -> None:
        if not stored.value("SELECT generation FROM streams_reading WHERE topic = 'bet-events' LIMIT 1"):
            made_anew(stored, stored.partitions)
            send(stored, "new", 1)
            streams(*ADOPT)

    with pytest.raises(Rejected, match="adopted or cut off meanwhile; it is as it was"):
        rebuilt(TABLE, adopted)

    assert contents(stored, TABLE) == before


def once_more(consume: Callable[..., list[Message]], left: list[int], *arguments: Any) -> list[Message]:
    """What it reads, as often as is left."""
    left[0] -= 1
    if left[0] < 0:
        raise Retryable("This client of Kafka has forgotten all brokers; another one is made.")
    return consume(*arguments)


def test_what_its_client_has_forgotten_another_one_reads_on(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The brokers; a rebuild of hours does not begin again for that, nor leaves anything out."""
    spine.send(events(2_500))
    spine.drain("trading")
    before, made = contents(spine, "trading_bet"), list[None]()

    def forgetful(settings: dict[str, str], name: str, own: dict[str, Any]) -> Consumer:
        made.append(None)
        consumer = lone_consumer(settings, name, own)
        if len(made) == 1:
            read = partial(once_more, consumer.consume, [5])
            monkeypatch.setattr(consumer, "consume", read)
        return consumer

    monkeypatch.setattr(rebuilding, "lone_consumer", forgetful)
    monkeypatch.setattr(rebuilding, "BATCH", 20)
    monkeypatch.setattr(rebuilding, "LAST_STRETCH", 20)
    rebuilt("trading_bet")

    # One that is lost, one that goes on, and one for the last stretch.
    assert len(made) >= 3
    assert contents(spine, "trading_bet") == before
    reconciled()
