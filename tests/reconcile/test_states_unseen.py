"""A finding of a row of state ends where the row is right by what was read, and by nobody's silence."""

from io import StringIO
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command

from backoffice.reconcile.models import Finding
from backoffice.streams.kafka import logs
from tests.faults.test_lost_logs import made_anew
from tests.reconcile.conftest import changed, events_of
from tests.reconcile.lives import reconciled
from tests.reconcile.test_silence import taken
from tests.spine import Spine

pytestmark = pytest.mark.usefixtures("whole_rounds")
TOPIC = "player-events"
SOMEBODY = "(SELECT min(id::text)::uuid FROM players_player WHERE status_offset IS NOT NULL AND country IS NOT NULL)"


@pytest.fixture
def told(spine: Spine) -> Spine:
    spine.send(events_of(800))
    spine.drain()
    reconciled(full=False)
    return spine


def standing() -> dict[UUID, str]:
    """What stands open, and what state each is of."""
    found = Finding.objects.filter(ended_at=None).values_list("id", "difference__state")
    return {number: str(state) for number, state in found}


def looked(*, times: int = 4) -> None:
    """By the clock and over everything, and by the clock again."""
    for full in (*[False] * times, True, False, False):
        reconciled(full=full)


def altered(spine: Spine, columns: str) -> dict[UUID, str]:
    changed(spine, f"UPDATE players_player SET {columns} WHERE id = {SOMEBODY}")
    reconciled(full=True)
    assert standing()
    return standing()


def test_a_row_that_was_mended_ends_its_finding(told: Spine) -> None:
    before = told.value(f"SELECT country FROM players_player WHERE id = {SOMEBODY}")
    altered(told, "country = 'XX'")

    changed(told, f"UPDATE players_player SET country = %s WHERE id = {SOMEBODY}", before)
    looked()

    assert standing() == {}


def test_of_two_states_of_one_row_each_has_a_finding_of_its_own(told: Spine) -> None:
    before = told.value(f"SELECT country FROM players_player WHERE id = {SOMEBODY}")
    found = altered(told, "country = 'XX', status_reason = 'another'")
    assert {*found.values()} == {"players_player_status_player_events", "players_registration_player_events"}

    changed(told, f"UPDATE players_player SET country = %s WHERE id = {SOMEBODY}", before)
    looked()

    assert list(standing().values()) == ["players_player_status_player_events"]


def test_a_topic_made_anew_says_nothing_of_a_row_of_the_former_one(told: Spine) -> None:
    found = altered(told, "status_reason = 'another'")
    made_anew(told, told.partitions, TOPIC)
    told.ends()
    call_command("streams", "adopt", "players", TOPIC, "--reason", "a test", stdout=StringIO())
    told.drain()

    looked()

    assert standing().items() >= found.items()


def test_a_log_that_has_lost_its_end_says_nothing_of_a_row_from_there(told: Spine) -> None:
    """What comes in its place has the same offsets."""
    found = altered(told, "status_reason = 'another'")
    ends = {part: end for (topic, part), end in told.ends().items() if topic == TOPIC}
    made_anew(told, told.partitions, TOPIC)
    present = logs.read_log(settings.KAFKA, f"{told.prefix}{TOPIC}").topic_id
    changed(told, "UPDATE streams_reading SET topic_id = %s WHERE topic = %s", present, TOPIC)
    for part in ends:
        call_command(
            "streams", "skip", "players", TOPIC, str(part), "--to", "end", "--reason", "lost", stdout=StringIO()
        )
    told.send(events_of(800, seed=77))
    told.drain()

    looked()

    assert standing().items() >= found.items()


def test_a_row_that_is_missing_stays_so_when_its_message_is_gone(told: Spine) -> None:
    """Of activity nothing is compared but the version."""
    changed(told, "DELETE FROM metrics_activity WHERE ctid = (SELECT ctid FROM metrics_activity WHERE topic = %s"
                  " ORDER BY player_id LIMIT 1)", TOPIC)  # fmt: skip
    reconciled(full=True)
    found = standing()
    assert list(found.values()) == ["players_activity_player_events"]

    taken(told, lambda topic, end: end - 1 if topic == TOPIC else 0)
    looked()

    assert standing().items() >= found.items()
