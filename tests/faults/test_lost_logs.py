"""Logs that are not what the stored offsets were written for: each ends in a halt with a sentence, and a way on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from backoffice.contracts.codec import decode, encode, frame
from backoffice.contracts.definitions import schema
from backoffice.kernel.ids import derived_id
from backoffice.reconcile.known import known_gaps
from backoffice.streams.kafka import logs, topicids
from tests.faults.checks import reconciled
from tests.spine import Spine, until
from tests.streams.arriving import event_of

STREAM, TOPIC = "trading", "bet-events"
HALTS = 'SELECT cause, "offset", reason FROM streams_halt WHERE partition = %s AND resumed_at IS NULL'
STORED = "SELECT next FROM streams_offset WHERE stream = 'trading' AND topic = 'bet-events' AND partition = %s"


def bets(spine: Spine, name: str, count: int) -> list[bytes]:
    """Different valid bets."""
    schema_id = spine.registry.register("BetPlaced")
    return [
        frame(schema_id, encode("BetPlaced", event_of("BetPlaced", **_ids(name, number)))) for number in range(count)
    ]


def _ids(name: str, number: int) -> dict[str, str]:
    return {field: str(derived_id("lost logs", name, field, str(number))) for field in ("event_id", "bet_id")}


def send(spine: Spine, name: str, count: int, partition: int = 0) -> None:
    spine.send_bytes(TOPIC, bets(spine, name, count), partition=partition)


def stored(spine: Spine, partition: int = 0) -> int:
    rows = spine.rows(STORED, partition)
    return int(rows[0][0]) if rows else 0


def count(spine: Spine) -> int:
    return int(spine.value("SELECT count(*) FROM trading_bet"))


def halt(spine: Spine, partition: int = 0) -> tuple[str, int, str]:
    """The open halt of the partition, once there is one."""
    until(lambda: spine.rows(HALTS, partition), "the partition is halted")
    return spine.rows(HALTS, partition)[0]


def open_alerts(spine: Spine) -> int:
    """Alerts that nothing has told to be over."""
    rows = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert'")
    told = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in rows]
    ids = [{alert["alert_id"] for alert in told if alert["status"] == status} for status in ("opened", "closed")]
    return len(ids[0] - ids[1])


def gaps(partition: int = 0) -> list[tuple[int, int, str]]:
    """The gaps of the partition as `reconcile` knows them."""
    with connection.cursor() as cursor:
        return [(gap.start, gap.end, gap.reason) for gap in known_gaps(cursor).get((STREAM, TOPIC, partition), ())]


def streams(*arguments: str) -> str:
    told = StringIO()
    call_command("streams", *arguments, stdout=told)
    return told.getvalue()


def made_anew(spine: Spine, partitions: int, topic: str = TOPIC) -> None:
    """The topic is deleted and made again under its name, and its broker knows: until then it takes messages for the
    former one.
    """
    name, admin = f"{spine.prefix}{topic}", AdminClient({**settings.KAFKA})
    former = topicids.answer(topicids.ask(settings.KAFKA, name))
    admin.delete_topics([name])[name].result(30)

    def is_made() -> bool:
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        except KafkaException:
            return False
        return True

    until(is_made, "the topic is there again")
    until(
        lambda: topicids.answer(topicids.ask(settings.KAFKA, name)) not in (None, former), "the broker has the new one"
    )


@contextmanager
def transaction(spine: Spine, name: str = "sender") -> Iterator[Callable[[list[bytes], bool], None]]:
    """Sends values to partition 0 as one transaction, which is committed or aborted."""
    sender = Producer({**settings.KAFKA, "transactional.id": f"{spine.prefix}{name}", "linger.ms": "0"})
    sender.init_transactions(30)

    def send_all(values: list[bytes], commits: bool) -> None:
        sender.begin_transaction()
        for value in values:
            sender.produce(f"{spine.prefix}{TOPIC}", value=value, partition=0)
        sender.flush(30)
        sender.commit_transaction(30) if commits else sender.abort_transaction(30)

    yield send_all


def test_the_offset_passes_what_is_no_message_at_the_end_of_a_log(spine: Spine) -> None:
    with spine.streaming(STREAM), transaction(spine) as send_all:
        send_all(bets(spine, "committed", 3), True)
        until(lambda: stored(spine) == 4, "the marker of the commit is passed")
        send_all(bets(spine, "aborted", 50), False)
        until(lambda: stored(spine) == 55, "what was aborted is passed")
        spine.wait_drained(STREAM)

        send(spine, "after", 2)
        until(lambda: count(spine) == 5, "the next messages are stored")

    assert stored(spine) == 57
    assert spine.value("SELECT count(*) FROM streams_repeat") == 0


@pytest.mark.parametrize("runs", [False, True], ids=["while no worker ran", "under a worker that runs"])
@pytest.mark.parametrize("length", [4, 25], ids=["shorter", "longer"])
def test_a_topic_made_anew_is_halted_and_adopted(spine: Spine, runs: bool, length: int) -> None:
    send(spine, "former", 10)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 10, "the former topic is stored")
        if runs:
            made_anew(spine, 1)
            send(spine, "new", length)
            halt(spine)
    if not runs:
        made_anew(spine, 1)
        send(spine, "new", length)

    with spine.streaming(STREAM):
        cause, offset, reason = halt(spine)
        assert (cause, offset) == ("other topic", 10)
        assert "deleted and made anew" in reason
        assert count(spine) == 10
        with pytest.raises(CommandError, match=f"streams adopt {STREAM} {TOPIC}"):
            streams("resume", STREAM, TOPIC, "0")
        with pytest.raises(CommandError, match="made anew"):
            streams("skip", STREAM, TOPIC, "0", "--to", "beginning", "--reason", "no")
        assert spine.rows(HALTS, 0)

        streams("adopt", STREAM, TOPIC, "--reason", "a mistake of operations")
        assert open_alerts(spine) == 0
        until(lambda: count(spine) == 10 + length, "the new topic is stored whole")

    assert spine.rows('SELECT partition, start, "end", reason FROM streams_gap ORDER BY partition')[0] == (
        0, 10, None, "a mistake of operations",
    )  # fmt: skip
    assert gaps() == []
    reconciled()


def test_a_row_of_a_topic_made_anew_is_missed_though_a_former_one_stands_there(spine: Spine) -> None:
    send(spine, "former", 10)
    spine.drain(STREAM)
    call_command("reconcile", stdout=StringIO())
    made_anew(spine, 1)
    send(spine, "new", 25)
    with spine.streaming(STREAM):
        halt(spine)
        streams("adopt", STREAM, TOPIC, "--reason", "a mistake of operations")
        until(lambda: count(spine) == 35, "the new topic is stored whole")
    spine.rows("DELETE FROM trading_bet WHERE id = %s RETURNING 1", _ids("new", 2)["bet_id"])

    told = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile", stdout=told)

    assert {tuple(found["offsets"]) for found in json.loads(told.getvalue())["differences"] if found["offsets"]} == {
        (2, 2)
    }


def test_dead_letters_of_a_former_topic_do_not_stand_in_the_way_of_the_new_one_s(spine: Spine) -> None:
    spine.send_bytes(TOPIC, [b"junk"], partition=0)
    spine.drain(STREAM)
    made_anew(spine, 2)
    spine.send_bytes(TOPIC, [b"junk again"], partition=0)

    with spine.streaming(STREAM):
        halt(spine)
        streams("adopt", STREAM, TOPIC, "--reason", "a test")
        until(lambda: spine.value("SELECT count(*) FROM streams_deadletter") == 2, "both are dead letters")

    assert spine.rows('SELECT generation, "offset" FROM streams_deadletter ORDER BY 1') == [(0, 0), (1, 0)]


def test_a_log_that_lost_the_next_message_goes_on_only_when_a_person_accepts_the_gap(spine: Spine) -> None:
    send(spine, "first", 10)
    spine.drain(STREAM)
    send(spine, "later", 20)
    place, admin = TopicPartition(f"{spine.prefix}{TOPIC}", 0, 18), AdminClient({**settings.KAFKA})
    admin.delete_records([place])[place].result(30)

    with spine.streaming(STREAM):
        assert halt(spine)[:2] == ("lost log", 10)
        with pytest.raises(CommandError, match=f"streams skip {STREAM} {TOPIC} 0 --to beginning"):
            streams("resume", STREAM, TOPIC, "0")
        assert spine.rows(HALTS, 0)

        # Whoever ends it by hand is not believed.
        spine_update(spine, "UPDATE streams_halt SET resumed_at = now()")
        assert halt(spine)[:2] == ("lost log", 10)

        streams("skip", STREAM, TOPIC, "0", "--to", "beginning", "--reason", "kept too short")
        assert open_alerts(spine) == 1  # that of the halt which somebody ended by hand
        until(lambda: count(spine) == 22, "what is left is stored")
        assert not spine.rows(HALTS, 0)
        send(spine, "last", 1)
        until(lambda: count(spine) == 23, "it goes on")

    assert gaps() == [(10, 18, "kept too short")]
    reconciled()


def spine_update(spine: Spine, statement: str) -> None:
    spine.rows(f"{statement} RETURNING 1")


def test_a_skip_fences_a_worker_that_runs_and_leads_forward_only(spine: Spine) -> None:
    send(spine, "first", 5)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 5, "the first are stored")
        with pytest.raises(CommandError, match="leads forward only"):
            streams("skip", STREAM, TOPIC, "0", "--to", "3", "--reason", "no")
        with pytest.raises(CommandError, match="ends at 5"):
            streams("skip", STREAM, TOPIC, "0", "--to", "6", "--reason", "no")
        with pytest.raises(CommandError, match="not 'soon'"):
            streams("skip", STREAM, TOPIC, "0", "--to", "soon", "--reason", "no")
        assert (stored(spine), gaps()) == (5, [])
    send(spine, "unwanted", 3)
    streams("skip", STREAM, TOPIC, "0", "--to", "end", "--reason", "sent by mistake")
    send(spine, "wanted", 1)

    spine.drain(STREAM)

    assert count(spine) == 6
    assert gaps() == [(5, 8, "sent by mistake")]


def test_partitions_that_are_added_while_it_runs_are_stored_from_their_first_message(spine: Spine) -> None:
    with spine.streaming(STREAM):
        send(spine, "before", 3)
        until(lambda: count(spine) == 3, "it runs")
        spine.add_partitions(TOPIC, 4)
        send(spine, "added", 5, partition=3)
        until(lambda: count(spine) == 8, "the new partition is stored whole", 120)

    assert stored(spine, 3) == 5


def cut_off(spine: Spine, lost: int) -> None:
    """Kafka's log ends ``lost`` messages earlier than it did, and all that was stored stays: as after a lost disk.

    No broker does that when asked to, so the topic is made anew with the first messages of the old one, under its id.
    """
    kept = [value for _, value, _ in spine.read(TOPIC)][:-lost]
    made_anew(spine, 2)
    spine.send_bytes(TOPIC, kept, partition=0)
    present = logs.read_log(settings.KAFKA, f"{spine.prefix}{TOPIC}").topic_id
    spine.rows("UPDATE streams_reading SET topic_id = %s WHERE topic = %s RETURNING 1", present, TOPIC)


LETTERS = 'SELECT generation, "offset", value FROM streams_deadletter ORDER BY "offset", generation'
REPEATS = 'SELECT "offset" FROM streams_repeat ORDER BY 1'


def test_offsets_that_come_again_after_a_log_was_cut_off_are_told_apart(spine: Spine) -> None:
    send(spine, "first", 3)
    for junk in (b"junk 0", b"junk 1"):
        spine.send_bytes(TOPIC, [b"junk that stays", junk], partition=0)
        send(spine, "first", 1)  # a repeat
        spine.drain(STREAM)
        streams("resume", STREAM, TOPIC, "--all", "--accept-bad", "--reason", "a test")
        cut_off(spine, 2)
        with spine.streaming(STREAM):
            assert halt(spine)[0] == "lost log"
        streams("skip", STREAM, TOPIC, "0", "--to", "end", "--reason", "a lost disk")
    end = stored(spine)
    assert (end, spine.rows(REPEATS)) == (5, [])
    assert spine.value("SELECT max(until) FROM streams_acceptance") == end

    send(spine, "first", 1)
    spine.send_bytes(TOPIC, [b"junk 2"], partition=0)
    spine.drain(STREAM)

    assert (stored(spine), spine.rows(HALTS, 0), spine.rows(REPEATS)) == (7, [], [(5,)])
    assert [(generation, offset, bytes(value)) for generation, offset, value in spine.rows(LETTERS)] == [
        (0, 3, b"junk that stays"), (-1, 4, b"junk 0"), (0, 4, b"junk that stays"), (-2, 5, b"junk 1"),
        (0, 6, b"junk 2"),
    ]  # fmt: skip


def test_a_partition_that_came_to_offsets_of_before_goes_on_when_it_is_resumed(spine: Spine) -> None:
    send(spine, "first", 3)
    spine.send_bytes(TOPIC, [b"junk 0"], partition=0)
    send(spine, "first", 1)
    spine.drain(STREAM)
    # As a skip to the end of a cut off log left it before what stood behind that end was put aside.
    spine_update(spine, f"UPDATE streams_offset SET next = 3 WHERE topic = '{TOPIC}' AND partition = 0")
    cut_off(spine, 2)
    spine.send_bytes(TOPIC, [b"junk 1"], partition=0)
    send(spine, "first", 1)
    with spine.streaming(STREAM):
        assert halt(spine)[:2] == ("unstorable", 3)

    streams("resume", STREAM, TOPIC, "0")
    spine.drain(STREAM)

    assert (stored(spine), spine.rows(HALTS, 0), spine.rows(REPEATS)) == (5, [], [(4,)])
    assert [(g, o, bytes(v)) for g, o, v in spine.rows(LETTERS)] == [(-1, 3, b"junk 0"), (0, 3, b"junk 1")]


def test_what_was_accepted_of_a_former_topic_is_not_accepted_of_the_one_made_anew(spine: Spine) -> None:
    spine.send_bytes(TOPIC, [b"junk"] * 30, partition=0)
    with spine.streaming(STREAM):
        halt(spine)
        streams("resume", STREAM, TOPIC, "0", "--accept-bad", "--reason", "a test")
        until(lambda: stored(spine) == 30, "what is bad is taken")
    made_anew(spine, 2)
    spine.send_bytes(TOPIC, [b"junk"] * 30, partition=0)
    streams("adopt", STREAM, TOPIC, "--reason", "a test")

    with spine.streaming(STREAM):
        assert halt(spine)[0] == "bad messages"
