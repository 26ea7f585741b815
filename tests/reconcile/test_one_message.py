"""One message, whatever it is, ends no run: it is a finding at its offset, or nothing where it is none of ours."""

import json
from collections import defaultdict
from collections.abc import Sequence

import pytest
from confluent_kafka import Producer
from django.conf import settings

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.contracts.codec import encode, frame
from backoffice.contracts.definitions import schema
from backoffice.contracts.writers import Writer
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile import checker
from backoffice.reconcile.checker import Checker
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


def fails_over_all_of(event_ids: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one comparison has all of these events, from whichever partitions."""
    seen: dict[int, set[str]] = defaultdict(set)
    finish = Checker.finish

    def flattening(stream: str, record: str, events: Sequence[Event]) -> None:
        seen[0] |= {str(event["event_id"]) for event in events}
        flatten(stream, record, events)

    def finishing(self: Checker) -> None:
        there, seen[0] = seen[0], set()
        if event_ids <= there:
            raise ZeroDivisionError("told by nobody")
        finish(self)

    monkeypatch.setattr(checker, "flatten", flattening)
    monkeypatch.setattr(Checker, "finish", finishing)


@pytest.mark.parametrize("full", [False, True])
def test_messages_that_cannot_be_compared_together_are_findings_and_the_others_are_compared(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    bets = [bet(minute, 1_000, with_stake=False) for minute in range(8)]
    for partition, part in enumerate((bets[:4], bets[4:])):
        events = [event for (_, record, body), *_ in part for event in [(record, body)]]
        values = [frame(spine.registry.register(r), encode(r, event_of(r, **body))) for r, body in events]
        spine.send_bytes(BETS, values, key=b"k", partition=partition)
    spine.drain("trading")
    with monkeypatch.context() as patched:
        fails_over_all_of({str(bets[n][0][2]["event_id"]) for n in (1, 3, 6)}, patched)
        spine.rows("DELETE FROM trading_bet WHERE (source_partition, source_offset) = (1, 1) RETURNING 1")

        report = reconcile(full=full, clock=SystemClock())

    found = {(d["partition"], *d["offsets"]): d["says"] for d in report.differences if d["check"] == "messages"}
    assert found.keys() == {(0, 1, 1), (0, 3, 3), (1, 2, 2)}
    assert "cannot be compared (ZeroDivisionError, together with bet-events[0]@3, bet-events[1]@2)" in found[0, 1, 1]
    assert ("rows", 1, [1, 1]) in [(d["check"], d["partition"], d["offsets"]) for d in report.differences]
    assert report.checked[BETS] == 8

    reconcile(full=full, clock=SystemClock())
    assert not Finding.objects.filter(difference__check="messages", ended_at=None).exists()


@pytest.mark.parametrize(
    ("bad", "among"), [({7}, 8), ({0}, 1), ({0, 7}, 8), ({3, 4, 5}, 9), (set(range(6)), 6), ({11, 57, 58, 90}, 100)]
)
def test_the_smallest_set_that_fails_is_found(bad: set[int], among: int) -> None:
    tries = 0

    def fails(some: Sequence[int]) -> bool:
        nonlocal tries
        tries += 1
        return bad <= set(some)

    assert sorted(isolating.smallest(range(among), fails, 20)) == sorted(bad)
    assert tries <= (len(bad) + 1) * 9


def test_of_two_sets_that_fail_one_is_found() -> None:
    sets = ({2, 9}, {1, 4, 6})

    found = isolating.smallest(range(10), lambda some: any(one <= set(some) for one in sets), 20)

    assert set(found) in sets


def test_what_fails_without_any_or_takes_too_many_is_nobodys_fault() -> None:
    assert isolating.smallest(range(10), lambda _: True, 20) == []
    assert isolating.smallest(range(10), lambda some: len(some) == 10, 5) == []


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
