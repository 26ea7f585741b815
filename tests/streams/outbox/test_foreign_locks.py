"""A message that somebody else has locked: the others go, or it is said who holds them up."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.test import Client, override_settings

from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import ALERT
from backoffice.streams.outbox.stuck import tell_of_stuck
from tests.spine import Spine, until
from tests.streams.outbox.relaying import relaying
from tests.streams.outbox.test_relay import arrived, states, write

_ONE = "SELECT 1 FROM streams_outbox FOR UPDATE"


def lock(other: "psycopg.Connection[tuple[object, ...]]", number: int) -> None:
    other.execute("SELECT 1 FROM streams_outbox WHERE id = %s FOR UPDATE", [number])


def test_a_held_message_holds_up_no_other_key(spine: Spine) -> None:
    cannot: dict[str, Any] = {"headers": {"replay_of": 7}}
    held = [*write("1", key="a", **cannot), *write("2", key="a"), *write("1", key="b", **cannot), *write("2", key="b")]
    with relaying(spine) as rounds, psycopg.connect(spine.database_url) as other:
        rounds.until_idle()
        assert states(held) == ["first", "behind"] * 2
        other.execute("UPDATE streams_outbox SET headers = '{}'")
        other.commit()
        lock(other, held[0])
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()
        assert states(held) == ["first", "behind", "sent", "sent"]

        other.rollback()
        rounds.until_idle()

    assert states(held) == ["sent"] * 4
    assert (arrived(spine, key="a"), arrived(spine, key="b")) == (["1", "2"], ["1", "2"])


def test_none_of_a_key_goes_before_one_that_is_locked(spine: Spine) -> None:
    cannot: dict[str, Any] = {"headers": {"replay_of": 7}}
    held = [*write("1", key="a", **cannot), *write("2", "3", key="a")]
    with relaying(spine) as rounds, psycopg.connect(spine.database_url) as other:
        rounds.until_idle()
        other.execute("UPDATE streams_outbox SET headers = '{}'")
        other.commit()
        rounds.clock.advance(timedelta(minutes=2))
        rounds.one()
        lock(other, held[1])
        rounds.one()
        assert states(held)[1:] != ["first", "sent"]

        other.rollback()
        rounds.until_idle()

    assert arrived(spine, key="a") == ["1", "2", "3"]


def test_a_ready_message_is_not_sent_before_it_can_be_noted(spine: Spine) -> None:
    numbers = write("1", "2", key="a")
    others = write(*map(str, range(50)), key="b")
    with relaying(spine) as rounds, psycopg.connect(spine.database_url) as other:
        lock(other, numbers[0])
        for _ in range(3):
            rounds.until_idle()
        assert (states(numbers), set(states(others))) == (["ready", "ready"], {"sent"})

        other.rollback()
        rounds.until_idle()

    assert (arrived(spine, key="a"), len(arrived(spine, key="b"))) == (["1", "2"], 50)


def test_what_is_stuck_is_told_beside_one_that_is_locked(spine: Spine) -> None:
    cannot: dict[str, Any] = {"headers": {"replay_of": 7}}
    held = [*write("1", key="a", **cannot), *write("1", key="b", **cannot)]
    alone = write("1", key="c", topic="game-rounds.dlq", **cannot)
    with relaying(spine) as rounds, psycopg.connect(spine.database_url) as other:
        rounds.until_idle()
        lock(other, held[0])
        lock(other, alone[0])
        for _ in range(2):
            tell_of_stuck(rounds.connection, timedelta(), rounds.clock.now() + timedelta(minutes=10))
        assert raised() == 1

        other.rollback()
        tell_of_stuck(rounds.connection, timedelta(), rounds.clock.now() + timedelta(minutes=10))

    assert raised() == 2
    assert None not in {row.alert_id for row in Outgoing.objects.in_bulk([*held, *alone]).values()}


def raised() -> int:
    return Outgoing.objects.filter(record=ALERT).count()


@pytest.mark.parametrize("locks", [_ONE, "LOCK streams_outbox IN EXCLUSIVE MODE"], ids=["a message", "all of them"])
def test_who_holds_up_messages_is_named_with_the_parts_that_answer(spine: Spine, locks: str) -> None:
    write("1")
    with psycopg.connect(spine.database_url, application_name="somebody") as other:
        other.execute(locks.encode())
        spine.worker("outbox")
        with override_settings(OUTBOX=settings.OUTBOX | {"stuck_after": 0.0}):
            until(lambda: "In Postgres it waits for a lock of" in said(), "it is said")
            assert f"lock of {other.info.backend_pid} (somebody; idle in transaction;" in said()
            assert "pg_terminate_backend" in said()
            other.rollback()
            until(lambda: said() == "ok", "it goes on")


def said() -> str:
    return str(Client().get("/health/ready").json()["outbox"])
