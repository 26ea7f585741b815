"""What a log has lost, and a person has accepted, is said by every run, and is no difference and no alert."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import call_command

from backoffice.kernel.ids import derived_id
from tests.faults.test_lost_logs import STREAM, TOPIC, cut_off, halt, open_alerts, send, stored, streams
from tests.spine import Spine

Found = list[tuple[str, list[int] | None]]


def reconciled(*arguments: str) -> tuple[int, Found, Found]:
    """The exit code, the differences and what is known, each with its offsets."""
    told, code = StringIO(), 0
    try:
        call_command("reconcile", *arguments, stdout=told)
    except SystemExit as ended:
        code = int(str(ended.code))
    found: dict[str, Any] = json.loads(told.getvalue())
    assert found["clean"] is not None, found["says"]
    differences, named = (
        sorted(((one["check"], one["offsets"]) for one in found.get(kind, ())), key=str)
        for kind in ("differences", "named")
    )
    return code, differences, named


def delete_up_to(spine: Spine, offset: int) -> None:
    place, admin = TopicPartition(f"{spine.prefix}{TOPIC}", 0, offset), AdminClient({**settings.KAFKA})
    admin.delete_records([place])[place].result(30)


def halted(spine: Spine) -> None:
    with spine.streaming(STREAM):
        assert halt(spine)[0] == "lost log"


def end_lost(spine: Spine) -> Found:
    """Ten are stored, of which Kafka has lost the last four."""
    send(spine, "first", 10)
    spine.drain(STREAM)
    assert reconciled() == (0, [], [])
    cut_off(spine, 4)
    spine.ends()
    halted(spine)
    return [("log_ends_early", [6, 9])]


def beginning_lost(spine: Spine) -> Found:
    """Ten are stored, and of twenty that follow Kafka's retention has taken eight."""
    send(spine, "first", 10)
    spine.drain(STREAM)
    assert reconciled() == (0, [], [])
    send(spine, "later", 20)
    delete_up_to(spine, 18)
    halted(spine)
    return [("log_begins_later", [10, 17])]


LOSSES = pytest.mark.parametrize(
    ("lose", "to", "named", "in_full"),
    [
        (end_lost, "end", [("known_cut", [6, 9])], []),
        (beginning_lost, "beginning", [("known_gap", [10, 17])], [("log_begins_later", [0, 17])]),
    ],
    ids=["the end of the log", "the beginning of the log"],
)


@LOSSES
def test_a_loss_is_known_once_it_is_accepted(
    spine: Spine, lose: Callable[[Spine], Found], to: str, named: Found, in_full: Found
) -> None:
    differences = lose(spine)
    assert reconciled() == (1, differences, [])

    streams("skip", STREAM, TOPIC, "0", "--to", to, "--reason", "a lost disk")

    for _ in range(2):
        assert reconciled() == (0, [], named)
        assert open_alerts(spine) == 0
    assert reconciled("--full") == (0, [], sorted([*named, *in_full], key=str))
    send(spine, "new", 8)
    spine.drain(STREAM)
    assert reconciled() == (0, [], named)
    assert reconciled("--full") == (0, [], sorted([*named, *in_full], key=str))
    assert open_alerts(spine) == 0


@LOSSES
@pytest.mark.parametrize("arguments", [[], ["--full"]], ids=["by the clock", "full"])
def test_what_comes_behind_a_loss_is_compared(
    spine: Spine, lose: Callable[[Spine], Found], to: str, named: Found, in_full: Found, arguments: list[str]
) -> None:
    lose(spine)
    streams("skip", STREAM, TOPIC, "0", "--to", to, "--reason", "a lost disk")
    spine.drain(STREAM)
    first = stored(spine)
    send(spine, "new", 8)
    spine.drain(STREAM)
    event_id = derived_id("lost logs", "new", "event_id", "2")
    spine.rows("DELETE FROM trading_bet WHERE event_id = %s RETURNING 1", event_id)

    code, differences, _ = reconciled(*arguments)

    # Its legs are there, and its stake.
    assert (code, [found for found in differences if found[1]]) == (1, [("rows", [first + 2, first + 2])])
