"""A topic that was deleted and not made anew: no lane waits for it in silence, and none cries before it was there."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import CommandError

from backoffice.localstack.stack import Stack
from backoffice.streams.kafka import topicids
from tests.faults.test_lost_logs import STREAM, TOPIC, count, halt, open_alerts, send, stored, streams
from tests.spine import Spine, until
from tests.streams import checkpoints
from tests.streams.checkpoints import Checkpoints, reading

LIMIT = 2.0
WAITS = "Kafka has no topic"
# So often a lane asks in more than twice the limit, waiting 2 s at the most between two questions.
OFTEN = 8


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.STREAMS, "stall", LIMIT)


def delete(spine: Spine) -> None:
    name, admin = f"{spine.prefix}{TOPIC}", AdminClient({**settings.KAFKA})
    admin.delete_topics([name])[name].result(30)
    until(lambda: topicids.answer(topicids.ask(settings.KAFKA, name)) is None, "the broker has it no more")


def make(spine: Spine) -> None:
    def is_made() -> bool:
        try:
            spine.make_topic(TOPIC)
        except KafkaException:
            return False
        return True

    until(is_made, "the topic is there again")


@pytest.mark.parametrize("runs", [False, True], ids=["while no worker ran", "under a worker that runs"])
def test_a_topic_that_is_gone_is_halted_and_the_one_made_anew_adopted(spine: Spine, runs: bool) -> None:
    send(spine, "former", 10)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 10, "the former topic is stored")
        if runs:
            delete(spine)
            halt(spine)
    if not runs:
        delete(spine)

    with spine.streaming(STREAM):
        cause, offset, reason = halt(spine)
        assert (cause, offset) == ("gone topic", 10)
        assert "was deleted" in reason
        assert "not stored is lost" in reason
        assert "`manage.py topics --apply`" in reason
        assert f"`streams adopt {STREAM} {TOPIC} --reason …`" in reason
        assert spine.value("SELECT count(*) FROM streams_halt") == 2
        until(lambda: open_alerts(spine) == 2, "each halt has an alert, and a stall before them is over")
        assert "was deleted" in streams("status")
        for act in (("resume", STREAM, TOPIC, "0"), ("adopt", STREAM, TOPIC, "--reason", "too early")):
            with pytest.raises(CommandError, match="topics --apply"):
                streams(*act)
        assert stored(spine) == 10

        make(spine)
        send(spine, "new", 4)
        with pytest.raises(CommandError, match=f"streams adopt {STREAM} {TOPIC}"):
            streams("resume", STREAM, TOPIC, "0")
        streams("adopt", STREAM, TOPIC, "--reason", "deleted by mistake")
        until(lambda: count(spine) == 14, "the new topic is stored whole", 120)
        until(lambda: open_alerts(spine) == 0, "nobody is told of a halt, or of a stall while it began, any more")

    assert stored(spine) == 4


def test_a_topic_that_comes_back_as_it_was_goes_on_when_it_is_resumed(spine: Spine) -> None:
    """As after a broker with old metadata: told to be gone, and there again with its id."""
    send(spine, "former", 3)
    spine.drain(STREAM)
    delete(spine)
    with spine.streaming(STREAM):
        halt(spine)
    make(spine)
    send(spine, "as it was", 5)
    present = topicids.answer(topicids.ask(settings.KAFKA, f"{spine.prefix}{TOPIC}"))
    spine.rows("UPDATE streams_reading SET topic_id = %s WHERE topic = %s RETURNING 1", present, TOPIC)

    streams("resume", STREAM, TOPIC, "--all")
    spine.drain(STREAM)

    assert (count(spine), stored(spine)) == (5, 5)


def test_nobody_is_told_of_topics_that_were_not_made_yet(spine: Spine, caplog: pytest.LogCaptureFixture) -> None:
    delete(spine)
    with spine.streaming(STREAM):
        caplog.set_level("INFO", "backoffice.streams.consume.reader")
        until(lambda: caplog.text.count(f"{WAITS} {spine.prefix}{TOPIC}") >= OFTEN, "the lane waits for its topic")
        assert spine.rows("SELECT 1 FROM streams_halt UNION ALL SELECT 1 FROM streams_stall") == []
        assert open_alerts(spine) == 0

        make(spine)
        send(spine, "first", 3)
        until(lambda: count(spine) == 3, "it begins", 120)


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_a_cluster_that_is_away_for_longer_has_not_lost_its_topics(
    faulty_spine: Spine, own_stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    spine, kafka = faulty_spine, own_stack.part("kafka")
    send(spine, "first", 3)
    with spine.streaming(STREAM):
        until(lambda: count(spine) == 3, "it runs")
        caplog.set_level("INFO", "backoffice.streams.consume.watching.watchdog")
        kafka.stop()
        until(lambda: caplog.text.count("the ends of the topics cannot be told now") >= OFTEN, "it is away for long")
        kafka.start()
        send(spine, "later", 2)
        until(lambda: count(spine) == 5, "it goes on", 120)

    assert spine.rows("SELECT cause FROM streams_halt") == []


def test_a_sink_that_keeps_its_offsets_elsewhere_is_halted_where_it_stands(spine: Spine, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    sink = Checkpoints(path, spine.registry)
    send(spine, "former", 10)
    with reading(spine, sink):
        until(lambda: sink.counts["BetPlaced"] == 10, "the former topic is counted")
    delete(spine)

    with reading(spine, Checkpoints(path, spine.registry)):
        assert halt(spine)[:2] == ("gone topic", 10)
    make(spine)
    send(spine, "new", 4)
    streams("adopt", checkpoints.STREAM, TOPIC, "--reason", "deleted by mistake")
    sink = Checkpoints(path, spine.registry)
    with reading(spine, sink):
        until(lambda: sink.counts["BetPlaced"] == 14, "the new topic is counted whole", 120)
