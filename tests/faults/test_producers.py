"""Producers that send twice, and out of order: the tables are those of each event once, in order."""

from django.conf import settings
from django.test import override_settings

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.simulator.events.envelope import Event
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import some_events
from tests.faults.tables import UNLOGGED
from tests.spine import Spine


def _everywhere(spine: Spine, events: list[Event]) -> None:
    """The events once more, into every partition."""
    for event in events:
        value = frame(spine.registry.register(event.record), encode(event.record, event.body))
        for partition in range(spine.partitions):
            spine.send_bytes(topic_of(event.record), [value], key=event.key.encode(), partition=partition)


def test_an_event_sent_twice_in_one_batch_and_again_later_and_elsewhere_is_stored_once(spine: Spine) -> None:
    events = list(some_events(seed=11, count=600))
    again = [event for event in events[::7] if event.record not in UNLOGGED]

    spine.send(each for event in events for each in [event] * (2 if event in again else 1))
    spine.drain()
    spine.send(again)
    _everywhere(spine, again[:4])
    spine.drain()

    nothing_lost_or_doubled(spine, [*events, *again])
    assert spine.value("SELECT count(*) FROM streams_repeat") == 2 * len(again) + 4 * spine.partitions


def test_which_key_is_told_of_first_makes_no_difference(spine: Spine) -> None:
    """All of one player, then all of another, within and across batches; of each in the order in which it happened."""
    events = sorted(some_events(seed=12, count=1_500), key=lambda event: event.key, reverse=True)

    with override_settings(STREAMS=settings.STREAMS | {"batch_size": 100}):
        spine.send(events)
        spine.drain()

    nothing_lost_or_doubled(spine, events)


def test_the_tables_do_not_depend_on_where_the_batches_end(spine: Spine) -> None:
    events = list(some_events(seed=13, count=700))

    with override_settings(STREAMS=settings.STREAMS | {"batch_size": 7}):
        spine.send(events)
        spine.drain()

    nothing_lost_or_doubled(spine, events)
