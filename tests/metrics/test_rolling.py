"""Rolling numbers are those of the messages stored, at any moment, however late, doubled and shuffled these come."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings

from backoffice.kernel.clock import at_microseconds
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.generator import generate
from backoffice.streams.models import Offset
from tests.faults import oracle
from tests.faults.positions import Told, messages
from tests.metrics.recount import read, recounted
from tests.spine import Spine

# Twenty hours that go over midnight.
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STEP = timedelta(seconds=15)
EVENTS = 4_800
Stored = dict[tuple[str, int], int]


def steps(seed: int, number: int) -> Iterator[list[Event]]:
    """The events of one stretch of time after another, in no order: some come late, a step or more, and some again."""
    rng = random.Random(seed)
    events = list(generate(seed=seed, start=START, events=EVENTS, step=STEP, players=60))
    late: list[Event] = []
    before: list[Event] = []
    for step in range(number):
        due = events[step * EVENTS // number : (step + 1) * EVENTS // number]
        held = set() if step == number - 1 else set(rng.sample(range(len(due)), len(due) // 10))
        sent = [*late, *(event for place, event in enumerate(due) if place not in held)]
        sent += rng.sample([*before, *sent], len(due) // 20)
        late = [due[place] for place in sorted(held)]
        rng.shuffle(sent)
        before += sent
        yield sent


def newest(sent: list[Event]) -> datetime:
    return max(at_microseconds(int(str(event.body["occurred_at"]))) for event in sent)


@pytest.mark.parametrize("seed", [1, 2])
def test_after_each_step_every_number_is_a_recount_of_what_was_sent(spine: Spine, seed: int) -> None:
    spine.worker("all")
    sent: list[Event] = []
    for step in steps(seed, 4):
        spine.send(step)
        sent += step
        spine.wait_drained()
        now = newest(sent)

        wanted = recounted(sent, now)
        assert read(now) == wanted
        assert all(wanted.values())
        oracle.check(sent, spine.rows)


def test_at_any_moment_every_number_is_a_recount_of_what_is_stored(spine: Spine) -> None:
    """Looked at again and again while the streams store small batches, each time offsets and numbers together."""
    sent = [event for step in steps(3, 3) for event in step]
    now = newest(sent)
    spine.send(sent)
    looks: list[tuple[Stored, dict[str, Any]]] = []
    with override_settings(STREAMS=settings.STREAMS | {"batch_size": 40}), spine.streaming():
        while spine.lag():
            looks.append(look(now))
    looks.append(look(now))

    known = {str(event.body["event_id"]): event for event in sent}
    told = list(messages(spine))
    assert len({tuple(sorted(stored.items())) for stored, _ in looks}) > 5
    for stored, numbers in looks[:: max(1, len(looks) // 20)]:
        assert numbers == recounted([known[event_id] for event_id in stored_by_then(told, stored)], now)


def look(now: datetime) -> tuple[Stored, dict[str, Any]]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        stored = {
            (topic, partition): end
            for topic, partition, end in Offset.objects.values_list("topic", "partition", "next")
        }
        return stored, read(now)


def stored_by_then(told: list[Told], stored: Stored) -> list[str]:
    """The event ids of the messages below the offsets, in their order."""
    return [
        str(message.event.body["event_id"])
        for message in told
        if message.event is not None and message.place[2] < stored.get(message.place[:2], 0)
    ]
