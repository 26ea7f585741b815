"""What the relay does with messages that Kafka, the registry or nobody at all can take: it holds their keys alone."""

import random
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from django.conf import settings

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Retryable
from backoffice.kernel.ids import derived_id
from backoffice.streams.database import connect
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import ALERT, raise_alert
from backoffice.streams.outbox.relay import relay_once
from backoffice.streams.outbox.waiting import BATCH
from tests.spine import Spine, until
from tests.streams.outbox.relaying import LIMITS, Rounds, relaying

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEAD = "bet-events.dlq"
OTHER = "game-rounds.dlq"
NOWHERE = "127.0.0.1:1"
TOO_LARGE = b"x" * 2_000_000
SECOND = timedelta(seconds=1)


def write(*values: str | bytes, key: str | None = "k", topic: str = DEAD, **columns: Any) -> list[int]:
    """Messages in one transaction each; their numbers."""
    return [
        Outgoing.objects.create(
            topic=topic,
            key=None if key is None else key.encode(),
            value=value.encode() if isinstance(value, str) else value,
            created_at=NOW,
            **columns,
        ).pk
        for value in values
    ]


def arrived(spine: Spine, topic: str = DEAD, key: str | None = None) -> list[str]:
    found = [(k, (v or b"").decode()) for k, v, _ in spine.read(topic)]
    return [value for k, value in found if key is None or k == key.encode()]


def states(numbers: Iterable[int]) -> list[str]:
    """For each message: sent, held (first of its key, or behind) or ready."""
    rows = Outgoing.objects.in_bulk(list(numbers))

    def state(row: Outgoing) -> str:
        if row.sent_at or row.discarded_at:
            return "sent" if row.sent_at else "discarded"
        if row.held_since:
            return "first" if row.next_attempt_at else "behind"
        return "ready"

    return [state(rows[number]) for number in numbers]


def limit(spine: Spine, topic: str, name: str, value: str) -> None:
    """Set an option of a topic, and wait until the broker goes by it."""
    resource = ConfigResource(ResourceType.TOPIC, f"{spine.prefix}{topic}")
    resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET))
    admin = AdminClient({**settings.KAFKA})
    admin.incremental_alter_configs([resource])[resource].result(10)
    asked = ConfigResource(ResourceType.TOPIC, f"{spine.prefix}{topic}")
    until(lambda: admin.describe_configs([asked])[asked].result(10)[name].value == value, f"{topic} has {name}={value}")


def test_behind_a_message_that_cannot_be_sent_each_other_is_sent_once(spine: Spine) -> None:
    copies = write(*(f"dead {number}" for number in range(500)), key=None)
    (alert,) = write(b"x", topic="compliance-alerts", record=ALERT, schema_version=1)

    with relaying(spine, Registry("http://127.0.0.1:1", spine.prefix)) as rounds:
        for _ in range(10):
            rounds.until_idle()
            rounds.clock.advance(timedelta(minutes=1))

    assert sorted(arrived(spine)) == sorted(f"dead {number}" for number in range(500))
    assert set(states(copies)) == {"sent"}
    held = Outgoing.objects.get(pk=alert)
    assert (held.sent_at, held.attempts) == (None, 10)
    assert "does not answer" in held.last_error


def test_a_registry_that_is_back_lets_them_go_on_in_their_order(spine: Spine) -> None:
    same = derived_id("a matter that is told of again and again")
    for number in range(3):
        raise_alert("lane_stuck", f"number {number}", alert_id=same, now=NOW)
    with relaying(spine, Registry("http://127.0.0.1:1", spine.prefix)) as rounds:
        rounds.until_idle()
    for number in range(3, 5):
        raise_alert("lane_stuck", f"number {number}", alert_id=same, now=NOW)

    with relaying(spine) as rounds:
        rounds.clock.advance(2 * SECOND)
        rounds.until_idle()

    told = [
        decode(unframe(value or b"")[1], schema(ALERT))["summary"] for _, value, _ in spine.read("compliance-alerts")
    ]
    assert told == [f"number {number}" for number in range(5)]


CANNOT: dict[str, tuple[dict[str, Any], str]] = {
    "too large": ({"value": TOO_LARGE}, "Message size too large"),
    "no topic": ({"topic": "no-such-topic"}, "has no topic"),
    "no name of a topic": ({"topic": "no such topic"}, "has no topic"),
    "headers": ({"headers": {"replay_of": 7}}, "TypeError"),
    "record": ({"record": "NoSuchRecord", "schema_version": 1}, "knows 0 versions of NoSuchRecord"),
    "version": ({"record": ALERT, "schema_version": 99}, "knows 1 versions of ComplianceAlert, not 99"),
}


def test_whatever_is_wrong_with_a_message_holds_its_key_alone(spine: Spine) -> None:
    numbers: dict[str, list[int]] = {}
    for key, (cannot, _) in CANNOT.items():
        columns = {"topic": DEAD, "key": key.encode(), "value": b"cannot", "created_at": NOW} | cannot
        first = write("before", key=key, topic=DEAD)
        bad = Outgoing.objects.create(**columns).pk
        numbers[key] = [*first, bad, *write("after 1", "after 2", key=key, topic=str(columns["topic"]))]
    others = write("other 1", "other 2", key="o")

    with relaying(spine) as rounds:
        rounds.until_idle()

    for key, (_, why) in CANNOT.items():
        assert states(numbers[key]) == ["sent", "first", "behind", "behind"], key
        assert why in Outgoing.objects.get(pk=numbers[key][1]).last_error
        assert arrived(spine, key=key) == ["before"]
    assert states(others) == ["sent", "sent"]
    assert arrived(spine, key="o") == ["other 1", "other 2"]


def test_what_the_broker_refuses_is_held_and_none_is_blamed_for_sharing_its_batch(spine: Spine) -> None:
    limit(spine, DEAD, "max.message.bytes", "2000")
    keys = [f"key {number}" for number in range(20)]
    good = [number for key in keys for number in write(f"{key} first", key=key)]
    ok = write("a1", key="a")
    large = random.Random(1).randbytes(5_000).hex()
    bad = write(large, key="a")
    behind = write("a2", "a3", key="a")
    good += [number for key in keys for number in write(f"{key} second", key=key)]

    with relaying(spine) as rounds:
        rounds.until_idle()

        assert states([*good, *ok, *bad, *behind]) == ["sent"] * 41 + ["first", "behind", "behind"]
        assert "too large" in Outgoing.objects.get(pk=bad[0]).last_error
        for key in keys:
            assert arrived(spine, key=key) == [f"{key} first", f"{key} second"]
        assert arrived(spine, key="a") == ["a1"]

        limit(spine, DEAD, "max.message.bytes", "20000")
        rounds.clock.advance(2 * SECOND)
        rounds.until_idle()

    assert arrived(spine, key="a") == ["a1", large, "a2", "a3"]


def test_what_kafka_does_not_acknowledge_in_time_is_held_while_other_topics_go_on(spine: Spine) -> None:
    """As where Kafka still says that the topic is there."""
    make(spine, "goes")
    with relaying(spine, patience=1.0, asked=lambda _: {}) as rounds:
        write("s0", topic="goes")
        rounds.until_idle()
        delete(spine, "goes")
        silent = write("s1", "s2", topic="goes") + write("t1", key="t", topic="goes")
        answered = write("o1", "o2", topic=OTHER)

        rounds.until_idle()

        assert states(silent + answered) == ["first", "behind", "first", "sent", "sent"]
        assert "did not acknowledge" in Outgoing.objects.get(pk=silent[0]).last_error
        assert arrived(spine, OTHER) == ["o1", "o2"]

        make(spine, "goes")
        rounds.clock.advance(4 * SECOND)
        rounds.until_idle()

    assert arrived(spine, "goes", key="k") == ["s1", "s2"]


def test_while_all_of_kafka_is_away_nothing_is_held(spine: Spine) -> None:
    numbers = write("a", "b")

    with relaying(spine, servers=NOWHERE) as rounds, pytest.raises(Retryable, match="Kafka does not answer"):
        rounds.one()

    assert states(numbers) == ["ready", "ready"]


def test_each_attempt_comes_later_than_the_one_before(spine: Spine) -> None:
    (number,) = write("x", topic="no-such-topic")

    with relaying(spine) as rounds:
        began, tried = rounds.clock.now(), []
        while rounds.clock.now() < began + 200 * SECOND:
            if rounds.one():
                tried.append((rounds.clock.now() - began) // SECOND)
            rounds.clock.advance(SECOND)

    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert Outgoing.objects.get(pk=number).attempts == 9


class EndsOnceRead(threading.Event):
    """Tells the relay to end as soon as something of it can be read."""

    def __init__(self, spine: Spine) -> None:
        super().__init__()
        self._spine = spine

    def is_set(self) -> bool:
        return bool(arrived(self._spine))


def test_an_attempt_that_a_clock_ahead_has_put_off_is_made_at_once(spine: Spine) -> None:
    late = "late-topic"
    numbers = write("one", topic=late)
    with relaying(spine) as rounds:
        rounds.until_idle()
        assert states(numbers) == ["first"]
        Outgoing.objects.filter(pk__in=numbers).update(next_attempt_at=rounds.clock.now() + timedelta(days=1))
        make(spine, late)

        rounds.until_idle()

    assert states(numbers) == ["sent"]


def test_what_was_committed_is_noted_though_the_round_ends_in_an_error(spine: Spine) -> None:
    limit(spine, DEAD, "max.message.bytes", "2000")
    first, large, last = (
        write("a"),
        write(random.Random(1).randbytes(5_000), key="l"),
        write("c", key="m"),
    )
    with relaying(spine, stopping=EndsOnceRead(spine)) as rounds, pytest.raises(Retryable, match="The relay ends"):
        rounds.one()
    assert states([*first, *large, *last]) == ["sent", "ready", "ready"]

    with relaying(spine) as rounds:
        rounds.until_idle()

    assert states([*first, *large, *last]) == ["sent", "first", "sent"]
    assert sorted(arrived(spine)) == ["a", "c"]


class EndsSessions:
    """A clock; once something of the relay can be read, to tell the time ends the session that is to note it."""

    def __init__(self, spine: Spine, backend: int) -> None:
        self._spine, self._backend = spine, backend

    def now(self) -> datetime:
        if arrived(self._spine):
            self._spine.rows("SELECT pg_terminate_backend(%s)", self._backend)
        return NOW


def test_what_was_committed_and_could_not_be_noted_is_sent_again_in_its_order(spine: Spine) -> None:
    write("a", "b", "c")
    with connect() as connection, relaying(spine) as rounds:
        clock = EndsSessions(spine, connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            relay_once(connection, rounds.delivery, clock, LIMITS)

        write("d")
        rounds.until_idle()

    assert arrived(spine) == ["a", "b", "c", "a", "b", "c", "d"]


def test_a_held_key_goes_on_in_its_order_with_what_came_meanwhile(spine: Spine) -> None:
    bad = write("1", topic="later-made")
    with relaying(spine) as rounds:
        rounds.until_idle()
        waiting = write(*map(str, range(2, 2_500)), topic="later-made")
        rounds.until_idle()
        assert set(states(waiting)) == {"behind"}

        make(spine, "later-made")
        more = write("2500", topic="later-made")
        rounds.clock.advance(2 * SECOND)
        rounds.until_idle()

    assert set(states([*bad, *waiting, *more])) == {"sent"}
    assert arrived(spine, "later-made") == list(map(str, range(1, 2_501)))


def test_a_hundred_thousand_behind_a_held_message_are_looked_at_once(spine: Spine) -> None:
    (first,) = write("x", topic="no-such-topic")
    with connect() as connection:
        connection.execute("SET session_replication_role = replica")  # the trigger has nothing to do for these
        connection.execute(
            "INSERT INTO streams_outbox (topic, key, value, headers, created_at, position)"
            " SELECT 'no-such-topic', 'k', 'v', '{}', now(), 1 + i FROM generate_series(1, 100000) AS i"
        )
    with relaying(spine) as rounds:
        assert rounds.until_idle() >= 100_000 / BATCH
        before = looked_at(rounds)

        others = write("other 1", key="o")
        rounds.until_idle()
        rounds.clock.advance(2 * SECOND)
        rounds.until_idle()

        assert states(others) == ["sent"]
        assert Outgoing.objects.get(pk=first).attempts == 2
        assert looked_at(rounds) - before < 200


def looked_at(rounds: Rounds) -> int:
    """Rows of the outbox that the relay's statements have read so far."""
    rounds.connection.execute("SELECT pg_stat_force_next_flush()")
    row = rounds.connection.execute(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'streams_outbox'"
    ).fetchone()
    return int(str(row[0])) if row else 0


def test_a_batch_takes_no_more_memory_than_it_may(spine: Spine) -> None:
    numbers = write(*[b"y" * 900_000] * 40, key=None)

    with relaying(spine) as rounds:
        rounds.one()

        assert 10 < states(numbers).count("sent") < 20
        rounds.until_idle()
    assert set(states(numbers)) == {"sent"}


def make(spine: Spine, topic: str) -> None:
    name, admin = f"{spine.prefix}{topic}", AdminClient({**settings.KAFKA})
    admin.create_topics([NewTopic(name, spine.partitions, 1)])[name].result(10)
    until(lambda: is_led(admin, name, spine.partitions), f"{topic} is there")


def is_led(admin: AdminClient, name: str, partitions: int) -> bool:
    found = admin.list_topics(timeout=10).topics.get(name)
    return (
        found is not None
        and len(found.partitions) == partitions
        and all(each.leader >= 0 for each in found.partitions.values())
    )


def delete(spine: Spine, topic: str) -> None:
    name, admin = f"{spine.prefix}{topic}", AdminClient({**settings.KAFKA})
    admin.delete_topics([name])[name].result(10)
    until(lambda: name not in admin.list_topics(timeout=10).topics, f"{topic} is gone")
