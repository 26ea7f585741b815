"""The outbox: what is in it reaches Kafka, at least once, in order, whatever dies in between."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.kernel import locks
from backoffice.localstack.stack import Stack
from backoffice.simulator.events.envelope import Event
from backoffice.streams.database import OUTBOX_SESSION
from backoffice.streams.outbox.emitting import emit
from backoffice.streams.outbox.waiting import BATCH
from tests.faults.load import some_events
from tests.faults.locks import cut_off, held, until_one_waits
from tests.spine import Spine, frozen, kill, until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC = "operator-actions"
WORKING = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = {locks.RELAY % 2**32}"
CONNECTED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    f" AND application_name = '{OUTBOX_SESSION}'"
)
REPLACED = re.compile(r"(has lost its session with Postgres|another relay has taken over)(.|\n)*this one stands by")
MANY = (
    "WITH written AS (INSERT INTO streams_outbox (topic, key, value, headers, created_at)"
    " SELECT %s, (i %% 97)::text::bytea, i::text::bytea, '{}', now() FROM generate_series(1, %s) AS i RETURNING 1)"
    " SELECT count(*) FROM written"
)
UNSENT = "SELECT count(*) FROM streams_outbox WHERE sent_at IS NULL"


def _emitted(seed: int, count: int) -> list[Event]:
    """Acts of operators, put into the outbox."""
    acts = [event for event in some_events(seed=seed, count=count) if event.record == "OperatorAction"]
    assert len(acts) > 10
    for act in acts:
        emit(act.record, act.body, key=act.key, now=NOW)
    return acts


def _arrived(spine: Spine) -> list[Event]:
    """What is in the topic, the first of each event."""
    found: dict[str, Event] = {}
    for key, value, _ in spine.read(TOPIC):
        _, body = unframe(value or b"")
        event = Event("OperatorAction", (key or b"").decode(), decode(body, schema("OperatorAction")))
        found.setdefault(str(event.body["event_id"]), event)
    return list(found.values())


def _in_order(events: list[Event]) -> dict[str, list[object]]:
    keys: dict[str, list[object]] = {}
    for event in events:
        keys.setdefault(event.key, []).append(event.body["event_id"])
    return keys


def test_a_relay_killed_before_it_could_note_what_it_sent_sends_it_again(spine: Spine) -> None:
    acts = _emitted(81, 4_000)
    relay = spine.worker("outbox")
    with held(spine, "streams_outbox"):
        until(lambda: len(spine.read(TOPIC)) >= len(acts), "Kafka has the messages")
        until_one_waits(spine)
        kill(relay)
        cut_off(spine)
    assert spine.value(UNSENT) == len(acts)

    spine.worker("outbox")
    until(lambda: not spine.value(UNSENT), "all is noted as sent")

    assert len(spine.read(TOPIC)) == 2 * len(acts)
    assert _in_order(_arrived(spine)) == _in_order(acts)


def test_of_two_relays_one_works_and_the_other_goes_on_when_it_is_killed(spine: Spine) -> None:
    first = spine.worker("outbox")
    until(lambda: spine.value(WORKING), "the first works")
    spine.worker("outbox")
    until(lambda: spine.value(CONNECTED) == 2, "the other stands by")
    before = _emitted(84, 4_000)
    until(lambda: not spine.value(UNSENT), "all is noted as sent")
    assert len(spine.read(TOPIC)) == len(before)

    kill(first)
    after = _emitted(85, 4_000)
    until(lambda: not spine.value(UNSENT), "all is noted as sent")

    assert _in_order(_arrived(spine)) == _in_order(before + after)


def test_a_relay_that_is_frozen_is_replaced_and_sends_nothing_when_it_wakes(spine: Spine, tmp_path: Path) -> None:
    said = tmp_path / "first"
    with said.open("wb") as output:
        first = spine.worker("outbox", output.fileno(), OUTBOX_REPLACED_AFTER="3")
    until(lambda: spine.value(WORKING), "the first works")
    spine.worker("outbox", OUTBOX_REPLACED_AFTER="3")
    until(lambda: spine.value(CONNECTED) == 2, "the other stands by")
    spine.rows(MANY, TOPIC, 40_000)
    until(lambda: spine.value(UNSENT) < 40_000, "the first is at it")

    with frozen(first):
        assert spine.value(UNSENT)
        until(lambda: not spine.value(UNSENT), "the other has sent the rest")
        arrived = spine.read(TOPIC)
    until(lambda: REPLACED.search(said.read_text()), "the first says that it was replaced, and waits for its turn")

    assert spine.read(TOPIC) == arrived
    firsts: dict[bytes, list[int]] = {}
    for key, value, _ in dict.fromkeys((key, value, None) for key, value, _ in arrived):
        firsts.setdefault(key or b"", []).append(int(value or b""))
    assert sum(map(len, firsts.values())) == 40_000
    assert all(numbers == sorted(numbers) for numbers in firsts.values())
    assert len(arrived) <= 40_000 + BATCH
    assert first.poll() is None


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_what_is_emitted_while_the_broker_is_away_is_sent_when_it_is_back(
    faulty_spine: Spine, own_stack: Stack
) -> None:
    spine, kafka = faulty_spine, own_stack.part("kafka")
    relay = spine.worker("outbox")
    before = _emitted(82, 6_000)
    until(lambda: not spine.value(UNSENT), "all is noted as sent")
    kafka.kill()
    after = _emitted(83, 4_000)
    assert spine.value(UNSENT) == len(after)
    kafka.start()
    until(lambda: not spine.value(UNSENT), "all is noted as sent")

    assert _in_order(_arrived(spine)) == _in_order(before + after)
    relay.terminate()
    assert relay.wait(10) == 0
