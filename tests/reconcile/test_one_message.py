"""One message, whatever it is, ends no run: it is a finding at its offset, or nothing where it is none of ours."""

import json
from collections.abc import Sequence

import pytest
from confluent_kafka import Producer
from django.conf import settings

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.contracts.codec import frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.writers import Writer
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile import checker
from backoffice.reconcile.checks.facts import flatten
from backoffice.reconcile.messages.reading import Event, Readers
from backoffice.reconcile.models import Finding, Run
from backoffice.reconcile.runs import isolating
from backoffice.reconcile.runs.run import reconcile
from tests.reconcile.test_explained import BETS, bet, found, told
from tests.spine import Spine
from tests.streams.arriving import KnownWriters, event_of, message
from tests.streams.foreign import send_foreign


def test_a_strangers_header_in_a_dead_letter_topic_ends_no_run(spine: Spine) -> None:
    spine.send_bytes(BETS, [b"rubbish"], partition=0)
    spine.drain("trading")
    # The copies are sent, and forgotten in the outbox.
    stranger = Producer({**settings.KAFKA})
    topic = dead_letter_topic(BETS)
    headers: list[tuple[str, str | bytes | None]] = [("stream", b"\xff\xfe"), ("trace", b"\x80")]
    stranger.produce(f"{spine.prefix}{topic}", value=b"x", headers=headers, partition=0)
    assert stranger.flush(30) == 0
    send_foreign(spine, topic, b"x", header=b"\xff")
    spine.rows("DELETE FROM streams_outbox RETURNING 1")

    assert found() == [("dead_letters", [0, 0])]
    assert Run.objects.count() == 1


def fails_over(event_ids: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(stream: str, record: str, events: Sequence[Event]) -> None:
        if any(event["event_id"] in event_ids for event in events):
            raise ZeroDivisionError("told by nobody")
        flatten(stream, record, events)

    monkeypatch.setattr(checker, "flatten", failing)


@pytest.mark.parametrize("full", [False, True])
def test_a_message_that_cannot_be_compared_is_a_finding_and_the_others_are_compared(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    bets = [bet(minute, 1_000, with_stake=False) for minute in range(6)]
    told(spine, *bets)
    event_id = bets[3][0][2]["event_id"]
    with monkeypatch.context() as patched:
        fails_over({str(event_id)}, patched)
        spine.rows("DELETE FROM trading_bet WHERE source_offset = 5 RETURNING 1")

        report = reconcile(full=full, clock=SystemClock())

    (difference,) = [each for each in report.differences if each["check"] == "messages"]
    assert difference["offsets"] == [3, 3]
    assert "cannot be compared (ZeroDivisionError)" in difference["says"]
    assert "told by nobody" not in json.dumps(report.differences, default=str)
    assert ("rows", [5, 5]) in [(each["check"], each["offsets"]) for each in report.differences]
    assert report.checked[BETS] == 6

    reconcile(full=full, clock=SystemClock())
    assert not Finding.objects.filter(difference__check="messages", ended_at=None).exists()


def test_where_nothing_can_be_compared_no_message_is_blamed(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolating, "MOST", 3)
    monkeypatch.setattr("backoffice.reconcile.runs.running.MOST", 3)
    bets = [bet(minute, 1_000, with_stake=False) for minute in range(6)]
    told(spine, *bets)
    fails_over({str(part[0][2]["event_id"]) for part in bets}, monkeypatch)

    with pytest.raises(ZeroDivisionError):
        reconcile(full=False, clock=SystemClock())

    assert not Finding.objects.exists()


def test_a_schema_that_changes_while_a_run_goes_on_is_not_read_by_the_former_one() -> None:
    writers = KnownWriters()
    readers = Readers(writers)
    value = message("BetPlaced", event_of("BetPlaced"))
    schema_id = int.from_bytes(value[1:5])
    assert readers.event(value)[0] == "BetPlaced"
    writers.added[schema_id] = Writer("BetSettled", schema("BetSettled"))
    readers.renew()

    assert readers.event(frame(schema_id, message("BetSettled", event_of("BetSettled"))[5:]))[0] == "BetSettled"
