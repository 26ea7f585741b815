"""Too many bad messages stop a partition, and only that one, until a person lets it go on."""

from io import StringIO
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from backoffice.contracts.codec import decode, encode, frame
from backoffice.contracts.definitions import schema
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
    limits = {"batch_size": 8, "dead_letter_window": 50, "dead_letter_ratio": 0.2, "dead_letter_minimum": 10}

    with override_settings(STREAMS=settings.STREAMS | limits), spine.streaming("trading"):
        until(lambda: spine.value("SELECT count(*) FROM streams_halt"), "the partition is halted")
        spine.send_bytes(TOPIC, good[40:], partition=1)
        until(lambda: spine.lag("trading").keys() == {("trading", TOPIC, 0)}, "the other partition is stored")

        halt = spine.rows('SELECT topic, partition, "offset", reason FROM streams_halt WHERE resumed_at IS NULL')
        assert [row[:3] for row in halt] == [(TOPIC, 0, 29)]
        assert "20%" in halt[0][3]
        assert spine.value("SELECT count(*) FROM streams_deadletter") == 9
        assert spine.value("SELECT next FROM streams_offset WHERE topic = %s AND partition = 0", TOPIC) == 29
        (alert,) = _alerts(spine)
        assert (alert["kind"], alert["severity"]) == ("stream_halted", "critical")
        assert "bet-events[0] halted at offset 29" in alert["summary"]

        _resume_until_stored(spine)

    nothing_lost_or_doubled(spine, bets)
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 30
    _each_halt_is_over(spine)


def _alerts(spine: Spine) -> list[dict[str, Any]]:
    rows = spine.rows("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id")
    return [decode(bytes(value), schema("ComplianceAlert")) for (value,) in rows]


def _each_halt_is_over(spine: Spine) -> None:
    """Every alert that was opened is closed, once."""
    halts = {str(row[0]) for row in spine.rows("SELECT alert_id FROM streams_halt")}
    told = sorted((alert["alert_id"], alert["status"]) for alert in _alerts(spine))
    assert told == sorted((alert_id, status) for alert_id in halts for status in ("opened", "closed"))


def _resume_until_stored(spine: Spine) -> None:
    """Let it go on as often as it is halted again."""
    open_halts = "SELECT count(*) FROM streams_halt WHERE resumed_at IS NULL"
    while True:
        until(lambda: spine.value(open_halts) or not spine.lag("trading"), "it is halted again or done")
        if not spine.lag("trading"):
            return
        call_command("streams", "resume", "trading", TOPIC, "0", stdout=StringIO())


def test_all_partitions_go_on_at_once_with_what_is_bad_by_now_as_dead_letters(spine: Spine) -> None:
    bets = [event for event in some_events(seed=22, count=4_000) if event.record.startswith("Bet")][:20]
    good = [frame(spine.registry.register(event.record), encode(event.record, event.body)) for event in bets]
    for partition in (0, 1):
        spine.send_bytes(TOPIC, [b"rubbish"] * 200, partition=partition)
        spine.send_bytes(TOPIC, good[partition * 10 :][:10], partition=partition)
    open_halts = "SELECT count(*) FROM streams_halt WHERE resumed_at IS NULL"

    with spine.streaming("trading"):
        until(lambda: spine.value(open_halts) == 2, "both partitions are halted")
        told = StringIO()
        arguments = ("resume", "trading", TOPIC, "--all", "--accept-bad", "--reason", "a deploy that went wrong")
        call_command("streams", *arguments, stdout=told)
        until(lambda: not spine.lag("trading"), "all is stored")

        assert "Partitions 0, 1 of bet-events go on" in told.getvalue()
        assert spine.value("SELECT count(*) FROM streams_deadletter") == 400
        assert spine.value("SELECT count(*) FROM streams_halt") == 2
        nothing_lost_or_doubled(spine, bets)
        _each_halt_is_over(spine)
        spine.send_bytes(TOPIC, [b"rubbish"] * 30, partition=0)
        until(lambda: spine.value(open_halts) == 1, "what comes after that counts again")

    acceptances = spine.rows("SELECT partition, until, reason FROM streams_acceptance ORDER BY 1")
    assert acceptances == [(number, 210, "a deploy that went wrong") for number in (0, 1)]


def test_what_is_accepted_needs_a_reason_and_what_is_not_halted_is_not_resumed(spine: Spine) -> None:
    with pytest.raises(CommandError, match="say why with --reason"):
        call_command("streams", "resume", "trading", TOPIC, "--all", "--accept-bad")
    with pytest.raises(CommandError, match="Name one partition"):
        call_command("streams", "resume", "trading", TOPIC)
    with pytest.raises(CommandError, match=r"bet-events\[0\] is not halted"):
        call_command("streams", "resume", "trading", TOPIC, "0")

    assert spine.value("SELECT count(*) FROM streams_acceptance") == 0


@pytest.mark.parametrize("name", ["a\\u0000b", "\\ud800", "long" * 1_000], ids=["nul", "surrogate", "long"])
def test_bad_messages_halt_their_partition_whatever_their_schema_is_called(spine: Spine, name: str) -> None:
    foreign = Schema(f'{{"type": "object", "properties": {{}}, "name": "{name}"}}', "JSON")
    schema_id = SchemaRegistryClient({"url": settings.SCHEMA_REGISTRY_URL}).register_schema(
        f"{spine.prefix}foreign", foreign
    )
    spine.send_bytes(TOPIC, [frame(schema_id, b"x")] * 15, partition=0)

    with spine.streaming("trading"):
        until(lambda: spine.rows("SELECT FROM streams_halt"), "the partition is halted")

    assert [alert["kind"] for alert in _alerts(spine)] == ["stream_halted"]
