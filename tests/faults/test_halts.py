"""Too many bad messages stop a partition, and only that one, until a person lets it go on."""

from django.conf import settings
from django.test import override_settings

from backoffice.contracts.codec import decode, encode, frame
from backoffice.contracts.definitions import schema
from backoffice.kernel.actor import Actor
from backoffice.kernel.clock import SystemClock
from backoffice.streams.consume.resuming import resume
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import some_events
from tests.spine import Spine, until

TOPIC = "bet-events"


def test_a_partition_full_of_bad_messages_is_halted_alone_and_goes_on_when_resumed(spine: Spine) -> None:
    bets = [event for event in some_events(seed=21, count=8_000) if event.record.startswith("Bet")][:120]
    good = [frame(spine.registry.register(event.record), encode(event.record, event.body)) for event in bets]
    spine.send_bytes(TOPIC, good[:20], partition=0)
    spine.send_bytes(TOPIC, [b"rubbish"] * 30, partition=0)
    spine.send_bytes(TOPIC, good[20:40], partition=0)
    limits = {"batch_size": 8, "dead_letter_window": 50, "dead_letter_ratio": 0.2}

    with override_settings(STREAMS=settings.STREAMS | limits), spine.streaming("trading"):
        until(lambda: spine.value("SELECT count(*) FROM streams_halt"), "the partition is halted")
        spine.send_bytes(TOPIC, good[40:], partition=1)
        until(lambda: spine.lag("trading").keys() == {("trading", TOPIC, 0)}, "the other partition is stored")

        halt = spine.rows('SELECT topic, partition, "offset", reason FROM streams_halt WHERE resumed_at IS NULL')
        assert [row[:3] for row in halt] == [(TOPIC, 0, 30)]
        assert "20%" in halt[0][3]
        assert spine.value("SELECT count(*) FROM streams_deadletter") == 10
        assert spine.value("SELECT next FROM streams_offset WHERE topic = %s AND partition = 0", TOPIC) == 30
        alert = decode(
            bytes(spine.value("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert'")),
            schema("ComplianceAlert"),
        )
        assert (alert["kind"], alert["severity"]) == ("stream_halted", "critical")
        assert "bet-events[0] halted at offset 30" in alert["summary"]

        _resume_until_stored(spine)

    nothing_lost_or_doubled(spine, bets)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 30


def _resume_until_stored(spine: Spine) -> None:
    """Let it go on as often as it is halted again."""
    actor = Actor("tester", "platform")
    open_halts = "SELECT count(*) FROM streams_halt WHERE resumed_at IS NULL"
    while True:
        until(lambda: spine.value(open_halts) or not spine.lag("trading"), "it is halted again or done")
        if not spine.lag("trading"):
            return
        resume(stream="trading", topic=TOPIC, partition=0, actor=actor, now=SystemClock().now())
