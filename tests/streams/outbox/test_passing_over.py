"""However many messages somebody has locked, whatever becomes of them next: the relay sends the others."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import transaction
from django.db.models import Q

from backoffice.kernel.actor import Actor
from backoffice.streams.database import connect
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.handling import discard
from backoffice.streams.outbox.stuck import tell_of_stuck
from backoffice.streams.outbox.waiting import BATCH, HEADS
from tests.spine import Spine
from tests.streams.outbox.relaying import LIMITS, Rounds, relaying
from tests.streams.outbox.test_fencing import Older
from tests.streams.outbox.test_relay import DEAD, SECOND, arrived, delete, make, states, write
from tests.streams.outbox.test_topics import GONE, WHO, said

CANNOT: dict[str, Any] = {"headers": {"replay_of": 7}}
LATER = timedelta(minutes=2)
_LOCK = "SELECT 1 FROM streams_outbox WHERE id = ANY(%s) FOR UPDATE"

Other = psycopg.Connection[tuple[object, ...]]


@contextmanager
def beside(spine: Spine) -> Iterator[tuple[Rounds, Other]]:
    """A relay that says so where it waits for a lock, and somebody else."""
    with relaying(spine) as rounds, psycopg.connect(spine.database_url) as other:
        rounds.connection.execute("SET lock_timeout = '3s'")
        yield rounds, other


def lock(other: Other, *numbers: int) -> None:
    other.execute(_LOCK, [list(numbers)])


def mend() -> None:
    """What could not be sent can be from now on."""
    Outgoing.objects.filter(headers=CANNOT["headers"]).update(headers={})


def many(number: int, columns: str = "", values: str = "", *, key: str = "i::text::bytea") -> list[int]:
    """Messages in one transaction, each of a key of its own; their numbers."""
    with connect() as connection:
        found = connection.execute(
            f"INSERT INTO streams_outbox (topic, key, value, headers, created_at {columns})"
            f" SELECT '{DEAD}', {key}, i::text::bytea, '{{}}', now() {values} FROM generate_series(1, %s) AS i"
            " RETURNING id".encode(),
            [number],
        )
        return [number for (number,) in found.fetchall()]


def heads(number: int, values: str = "now() - interval '2 minutes'") -> list[int]:
    return many(number, ", held_since, attempts, next_attempt_at", f", now(), 1, {values}")


def test_one_that_is_to_wait_behind_a_held_one(spine: Spine) -> None:
    held = write("1", key="a", **CANNOT)
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        held += write("2", "3", key="a")
        lock(other, held[1])
        others = write("x", key="b")
        rounds.until_idle()
        assert states(held + others) == ["first", "ready", "ready", "sent"]

        Outgoing.objects.filter(pk=held[0]).update(headers={})
        rounds.clock.advance(LATER)
        rounds.until_idle()
        assert states(held) == ["sent", "ready", "ready"]

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert arrived(spine, key="a") == ["1", "2", "3"]


def test_one_whose_turn_it_is(spine: Spine) -> None:
    held = write("1", key="a", **CANNOT) + write("2", "3", key="a")
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        mend()
        lock(other, held[1])
        others = write("x", key="b")
        rounds.clock.advance(LATER)
        rounds.until_idle()
        assert states(held + others) == ["sent", "behind", "behind", "sent"]
        assert said("outbox", "list").strip() == "No message is held."
        rounds.clock.advance(LATER)
        rounds.until_idle()

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert arrived(spine, key="a") == ["1", "2", "3"]
    assert not Outgoing.objects.filter(next_attempt_at__isnull=False)


@pytest.mark.parametrize("which", [0, 1])
def test_one_that_is_discarded_or_behind_it(spine: Spine, which: int) -> None:
    held = write("1", key="a", **CANNOT) + write("2", "3", key="a")
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        said("outbox", "discard", str(held[0]), *WHO)
        lock(other, held[which])
        others = write("x", key="b")
        rounds.clock.advance(LATER)
        for _ in range(3):
            rounds.until_idle()
        assert states(others) == ["sent"]

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert arrived(spine, key="a") == ["2", "3"]
    assert not Outgoing.objects.filter(next_attempt_at__isnull=False)


def test_some_of_a_topic_that_goes_on(spine: Spine) -> None:
    holder = write("0", key="h", topic=GONE)
    first, second, free = (write("1", "2", "3", key=key, topic=GONE) for key in "abc")
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        lock(other, first[0], second[1])
        make(spine, GONE)
        rounds.clock.advance(LATER)
        rounds.until_idle()
        new = write("4", key="a", topic=GONE) + write("4", key="d", topic=GONE)
        rounds.until_idle()
        assert states(holder + free) == ["sent"] * 4
        assert (states(first), states(second)) == (["behind"] * 3, ["sent", "behind", "behind"])
        assert states(new) == ["behind", "sent"]

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert arrived(spine, GONE, key="a") == ["1", "2", "3", "4"]
    assert [arrived(spine, GONE, key=key) for key in "bcd"] == [["1", "2", "3"], ["1", "2", "3"], ["4"]]
    assert not Outgoing.objects.filter(holds_topic=True)
    assert not Outgoing.objects.filter(next_attempt_at__isnull=False)


def test_some_of_a_topic_that_is_gone_again_before_they_go_on(spine: Spine) -> None:
    write("0", key="h", topic=GONE)
    waits = write("1", "2", key="a", topic=GONE)
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        lock(other, waits[0])
        make(spine, GONE)
        rounds.clock.advance(LATER)
        rounds.until_idle()
        delete(spine, GONE)
        rounds.delivery._topics.clear()
        again = write("3", key="b", topic=GONE)
        rounds.until_idle()
        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()
        assert states(waits + again) == ["behind", "behind", "first"]

        make(spine, GONE)
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert (arrived(spine, GONE, key="a"), arrived(spine, GONE, key="b")) == (["1", "2"], ["3"])
    assert not Outgoing.objects.filter(holds_topic=True)


@pytest.mark.parametrize("locked", [[1], [1, 3], [0], [2]])
def test_one_that_is_to_hold_its_topic(spine: Spine, locked: list[int]) -> None:
    numbers = [write(key, key=key, topic=GONE)[0] for key in "abb"] + write("c", key="c", topic=GONE)
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        said("outbox", "discard", str(numbers[0]), *WHO)
        lock(other, *(numbers[number] for number in locked))
        others = write("x")
        make(spine, GONE)
        rounds.clock.advance(LATER)
        for _ in range(3):
            rounds.until_idle()
        assert states(others) == ["sent"]
        assert states(numbers[3:]) == (["sent"] if locked in ([1], [2]) else ["behind"])

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert sorted(arrived(spine, GONE)) == ["b", "b", "c"]
    assert not Outgoing.objects.filter(holds_topic=True)


def test_more_first_ones_of_their_keys_than_are_tried_in_a_round(spine: Spine) -> None:
    locked = heads(HEADS + 20)
    free = heads(HEADS + 1, "now() - interval '1 minute'")
    with beside(spine) as (rounds, other):
        lock(other, *locked)
        rounds.one()
        assert states(free).count("sent") == HEADS
        rounds.until_idle()
        assert (set(states(locked)), set(states(free))) == ({"first"}, {"sent"})


def test_what_is_behind_more_first_ones_than_are_tried_in_a_round(spine: Spine) -> None:
    first = many(HEADS + 20, ", held_since, next_attempt_at", ", now(), now() - interval '2 minutes'")
    behind = many(HEADS + 20, ", held_since", ", now()")
    (last,) = heads(1, "now() - interval '1 minute'")
    with beside(spine) as (rounds, other):
        lock(other, *behind)
        rounds.until_idle()
        assert (set(states(first)), set(states(behind)), states([last])) == ({"sent"}, {"behind"}, ["sent"])

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()
        assert set(states(behind)) == {"sent"}


@pytest.mark.parametrize("key", ["i::text::bytea", "'a'"], ids=["all of them", "the first of their key"])
def test_more_ready_ones_than_a_batch(spine: Spine, key: str) -> None:
    ready = many(BATCH + 10, key=key)
    others = write("x", key="b")
    with beside(spine) as (rounds, other):
        lock(other, *(ready if key != "'a'" else ready[:1]))
        rounds.one()
        assert (set(states(ready)), states(others)) == ({"ready"}, ["sent"])
        rounds.until_idle()

        other.rollback()
        rounds.clock.advance(LATER)
        rounds.until_idle()
        assert set(states(ready)) == {"sent"}

    assert key != "'a'" or arrived(spine, key="a") == [str(number) for number in range(1, BATCH + 11)]


def test_more_ready_ones_of_a_held_key_than_a_batch(spine: Spine) -> None:
    write("0", key="a", **CANNOT)
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        behind = many(BATCH + 10, key="'a'")
        others = write("x", key="b")
        lock(other, behind[0])
        rounds.one()
        assert states(others) == ["sent"]

        other.rollback()
        mend()
        rounds.clock.advance(LATER)
        rounds.until_idle()

    assert arrived(spine, key="a") == [str(number) for number in range(BATCH + 11)]


def test_one_that_is_being_sent_can_be_locked_once_it_is_noted(spine: Spine) -> None:
    numbers = write("1")
    sending = Older(spine, "flush", {})
    sending.start()
    sending.until_there()
    with psycopg.connect(spine.database_url) as other, pytest.raises(psycopg.errors.LockNotAvailable):
        other.execute(_LOCK + " NOWAIT", [numbers])
    sending.go_on()
    assert (sending.raised, states(numbers), arrived(spine)) == (None, ["sent"], ["1"])


def test_one_whose_alert_is_over(spine: Spine) -> None:
    numbers = [*write("1", key="a", **CANNOT), *write("2", key="b", topic="game-rounds.dlq", **CANNOT)]
    with beside(spine) as (rounds, other):
        rounds.until_idle()
        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now() + timedelta(minutes=10))
        mend()
        rounds.clock.advance(LATER)
        rounds.until_idle()
        assert states(numbers) == ["sent", "sent"]
        lock(other, numbers[0])
        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now() + SECOND)
        told = Outgoing.objects.in_bulk(numbers)
        assert [told[number].alert_id is None for number in numbers] == [False, True]

        other.rollback()
        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now() + SECOND)

    assert not Outgoing.objects.filter(alert_id__isnull=False)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_locked_each_key_keeps_its_order_and_none_is_forgotten(spine: Spine, seed: int) -> None:
    rng = random.Random(seed)
    make(spine, GONE)
    with beside(spine) as (rounds, other):
        for step in range(60):
            for number in range(rng.randrange(6)):
                what: dict[str, Any] = rng.choice(({}, {}, {}, CANNOT))
                write(f"{step} {number}", key=rng.choice("abcd"), topic=rng.choice((DEAD, GONE)), **what)
            step_of_others(rng, other)
            if step in (15, 40):
                delete(spine, GONE)
                rounds.delivery._topics.clear()
            elif step in (30, 55):
                make(spine, GONE)
            rounds.clock.advance(rng.choice((SECOND, 10 * SECOND, LATER)))
            rounds.one()
        other.rollback()
        mend()
        for _ in range(3):
            rounds.clock.advance(LATER)
            rounds.until_idle()

    assert not Outgoing.objects.filter(sent_at=None, discarded_at=None)
    assert not Outgoing.objects.filter(holds_topic=True)
    sent = Outgoing.objects.exclude(sent_at=None).order_by("position", "id")
    for topic, key in ((topic, key) for topic in (DEAD, GONE) for key in "abcd"):
        values = sent.filter(topic=topic, key=key.encode()).values_list("value", flat=True)
        # What was there when the topic was deleted is gone.
        known = arrived(spine, topic, key)
        assert known == [bytes(value or b"").decode() for value in values][len(values) - len(known) :]
        assert topic == GONE or len(known) == len(values)


def step_of_others(rng: random.Random, other: Other) -> None:
    """Somebody has some messages locked, or no more; somebody else discards or mends some that are not."""
    if rng.random() < 0.3:
        other.rollback()
    numbers = list(Outgoing.objects.filter(sent_at=None).values_list("pk", flat=True))
    other.execute(_LOCK + " SKIP LOCKED", [rng.sample(numbers, min(len(numbers), rng.randrange(4)))])
    with transaction.atomic():
        held = Outgoing.objects.filter(sent_at=None, discarded_at=None, held_since__isnull=False)
        free = list(held.select_for_update(skip_locked=True).values_list("pk", flat=True))
        if free and rng.random() < 0.2:
            list(discard(Q(pk=rng.choice(free)), actor=Actor("pat", "operator"), reason="test", now=datetime.now(UTC)))
        if rng.random() < 0.2:
            Outgoing.objects.filter(pk__in=free).update(headers={})
