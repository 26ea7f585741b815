"""A bad message at every place of a batch: it alone goes to the dead letters, with a reason a person can act on."""

import random
import re

import pytest
from django.conf import settings
from django.test import override_settings

from backoffice.contracts.codec import encode, frame
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.garbage import KINDS, bad_message
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.load import schema_ids, some_events
from tests.spine import Spine
from tests.streams.outbox.relaying import relaying

BATCH = 4
# What the reason has to name: the field, or what is wrong with the whole message.
NAMED = {
    "unknown_schema_id": r"schema id \d+",
    "not_framed": "not framed",
    "empty_value": "no value",
    "truncated": "cut short",
    "invalid_utf8": "not valid UTF-8",
    "nul_in_text": r"PlayerContacted\.outcome",
    "wrong_topic": "DepositCompleted is no record of the topic bet-events",
    "negative_stake": r"BetPlaced\.stake",
    "unknown_currency": r"DepositCompleted\.currency",
    "amount_beyond_limit": r"DepositCompleted\.amount",
    "occurred_in_1900": r"PlayerContacted\.occurred_at",
    "occurred_in_2200": r"PlayerContacted\.occurred_at",
    "id_is_no_uuid": r"DepositCompleted\.payment_id",
}


def relay_all(spine: Spine) -> None:
    """Send all that waits in the outbox."""
    with relaying(spine) as rounds:
        rounds.until_idle()


def _good(topic: str) -> list[Event]:
    """Enough good events of the topic to fill a batch round every place of the bad one."""
    wanted = {
        "bet-events": ("Bet",),
        "wallet-transactions": ("Deposit", "Stake", "Winnings"),
        "player-events": ("Login",),
    }
    events = (event for event in some_events(seed=31, count=2_000) if event.record.startswith(wanted[topic]))
    return [event for event, _ in zip(events, range(BATCH * (BATCH - 1)), strict=False)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_message_dies_alone_at_every_place_of_a_batch(spine: Spine, kind: str) -> None:
    ids, rng = schema_ids(spine), random.Random(kind)
    bad = [bad_message(kind, rng, ids) for _ in range(BATCH)]
    good = _good(bad[0].topic)
    waiting, values = iter(good), []
    for place in range(BATCH):
        batch = [next(waiting) for _ in range(BATCH - 1)]
        framed = [frame(ids[event.record], encode(event.record, event.body)) for event in batch]
        values += [*framed[:place], bad[place].value, *framed[place:]]
    spine.send_bytes(bad[0].topic, values, partition=0)

    with override_settings(STREAMS=settings.STREAMS | {"batch_size": BATCH}):
        spine.drain()

    nothing_lost_or_doubled(spine, good)
    letters = spine.rows('SELECT "offset", reason, value FROM streams_deadletter ORDER BY "offset"')
    assert [offset for offset, _, _ in letters] == [place * BATCH + place for place in range(BATCH)]
    for (_, reason, value), message in zip(letters, bad, strict=True):
        assert bytes(value or b"") == message.value
        assert re.search(NAMED[kind], reason), reason
        assert len(reason.split()) >= 4, reason
    relay_all(spine)
    twins = {headers["offset"]: (value, headers) for _, value, headers in spine.read(f"{bad[0].topic}.dlq")}
    for offset, reason, value in letters:
        twin, headers = twins[str(offset)]
        assert (twin or b"") == bytes(value or b"")
        assert headers["reason"] == reason
        assert (headers["topic"], headers["partition"]) == (bad[0].topic, "0")


def test_a_batch_of_nothing_but_bad_messages_goes_by_where_they_are_not_too_many(spine: Spine) -> None:
    ids, rng = schema_ids(spine), random.Random(5)
    bad = [message for kind in KINDS for message in [bad_message(kind, rng, ids)] * 3]
    for message in bad:
        spine.send_bytes(message.topic, [message.value], partition=1)

    with override_settings(STREAMS=settings.STREAMS | {"dead_letter_minimum": len(bad) + 1}):
        spine.drain()

    assert spine.value("SELECT count(*) FROM streams_deadletter") == len(bad)
    assert spine.value("SELECT count(*) FROM streams_halt") == 0
