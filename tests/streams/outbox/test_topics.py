"""A topic to which nothing can be sent is held whole: one attempt, one line, one alert, however many keys wait."""

import json
import logging
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from backoffice.metrics.outbox import read_outbox
from backoffice.streams.database import connect
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.stuck import tell_of_stuck
from tests.spine import Spine
from tests.streams.outbox.relaying import LIMITS, Rounds, relaying
from tests.streams.outbox.test_relay import (
    DEAD,
    SECOND,
    TOO_LARGE,
    arrived,
    delete,
    looked_at,
    make,
    states,
    write,
)
from tests.streams.outbox.test_stuck import alerts

GONE = "no-such-topic"
WHO = ("--by", "ana", "--reason", "the topic will never be made")
MANY = 20_000


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def many(keys: int, each: int) -> None:
    with connect() as connection:
        connection.execute("SET session_replication_role = replica")  # the trigger has nothing to do for these
        connection.execute(
            "INSERT INTO streams_outbox (topic, key, value, headers, created_at, position)"
            " SELECT %s, (i %% %s)::text::bytea, (i / %s)::text::bytea, '{}', now(), 1 + i"
            " FROM generate_series(0, %s) AS i",
            [GONE, keys, keys, keys * each - 1],
        )


def test_of_many_keys_one_message_is_tried_told_and_alerted_of(spine: Spine, caplog: pytest.LogCaptureFixture) -> None:
    many(MANY // 2, each=2)
    with relaying(spine) as rounds, caplog.at_level(logging.INFO):
        rounds.until_idle()
        (first,) = Outgoing.objects.filter(next_attempt_at__isnull=False)
        before = looked_at(rounds)
        others = write("other")
        rounds.clock.advance(2 * SECOND)
        rounds.until_idle()

        assert looked_at(rounds) - before < 200
        assert states(others) == ["sent"]
        assert [record.getMessage().partition(":")[2] for record in caplog.records] == [
            f" all of {GONE} is held behind message {first.pk}: Kafka has no topic {spine.prefix}{GONE};"
            " `manage.py topics` makes those of ours"
        ] * 2
        assert_told_once(rounds)
        make(spine, GONE)
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()

    assert len(arrived(spine, GONE)) == MANY
    assert arrived(spine, GONE, key="7") == ["0", "1"]
    assert not Outgoing.objects.filter(topic=GONE, sent_at=None).exists()
    assert not Outgoing.objects.filter(holds_topic=True).exists()


def assert_told_once(rounds: Rounds) -> None:
    (line,) = said("outbox", "list").splitlines()
    assert f"to {GONE}, all of it  10,000 behind it  2 attempts" in line
    (topic,) = read_outbox().topics
    assert (topic.topic, topic.keys, topic.whole) == (GONE, 1, True)
    assert f"{GONE}, all of it: Kafka has no topic" in " ".join(said("status").split())
    for _ in range(3):
        rounds.clock.advance(timedelta(minutes=6))
        tell_of_stuck(rounds.connection, LIMITS.stuck_after, rounds.clock.now())
    (alert,) = alerts()
    assert f"holds all of {GONE}, the first since" in alert["summary"]
    assert json.loads(alert["evidence"])["topic"] == GONE


def test_what_of_it_was_held_for_itself_waits_with_it_and_is_tried_again_after_it(spine: Spine) -> None:
    make(spine, GONE)
    large = write(TOO_LARGE, "behind", key="l", topic=GONE)
    with relaying(spine) as rounds:
        rounds.until_idle()
        assert states(large) == ["first", "behind"]
        delete(spine, GONE)
        rounds.delivery._topics.clear()
        others = write("1", key="a", topic=GONE) + write("2", key="b", topic=GONE)
        rounds.until_idle()
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()
        assert states(large + others) == ["behind", "behind", "first", "behind"]

        make(spine, GONE)
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()

    assert states(large + others) == ["first", "behind", "sent", "sent"]
    assert sorted(arrived(spine, GONE)) == ["1", "2"]


def test_a_message_that_cannot_be_sent_for_itself_holds_its_topic_no_longer_than_that_is_away(spine: Spine) -> None:
    large = write(TOO_LARGE, "behind", key="l", topic=GONE)
    others = write(TOO_LARGE, key="m", topic=GONE) + write("1", key="a", topic=GONE) + write("2", key="b", topic=GONE)
    with relaying(spine) as rounds:
        rounds.until_idle()
        assert states(large + others) == ["first", "behind", "behind", "behind", "behind"]

        make(spine, GONE)
        rounds.clock.advance(2 * SECOND)
        rounds.until_idle()

    assert states(large + others) == ["first", "behind", "first", "sent", "sent"]
    assert sorted(arrived(spine, GONE)) == ["1", "2"]
    assert not Outgoing.objects.filter(holds_topic=True).exists()


def test_a_topic_that_goes_while_its_messages_are_sent_is_held_whole(spine: Spine) -> None:
    make(spine, GONE)
    with relaying(spine, patience=2.0) as rounds:
        write("0", topic=GONE)
        rounds.until_idle()
        delete(spine, GONE)
        numbers = [write(key, key=key, topic=GONE)[0] for key in "abc"]
        others = write("other")
        rounds.until_idle()

    assert states(numbers + others) == ["first", "behind", "behind", "sent"]
    assert arrived(spine, DEAD) == ["other"]


def test_of_a_held_topic_one_after_the_other_can_be_discarded(spine: Spine) -> None:
    numbers = [write(key, key=key, topic=GONE)[0] for key in "abcd"]
    with relaying(spine) as rounds:
        rounds.until_idle()
        said("outbox", "discard", str(numbers[0]), *WHO)
        rounds.clock.advance(SECOND)
        rounds.until_idle()
        assert states(numbers) == ["discarded", "first", "behind", "behind"]

        said("outbox", "discard", str(numbers[1]), str(numbers[2]), *WHO)
        make(spine, GONE)
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()
        assert states(numbers) == ["discarded", "discarded", "discarded", "sent"]

        delete(spine, GONE)
        rounds.delivery._topics.clear()
        later = write("later", key="a", topic=GONE)
        rounds.until_idle()
        said("outbox", "discard", "--topic", GONE, *WHO)
        rounds.clock.advance(timedelta(minutes=2))
        rounds.until_idle()
        make(spine, GONE)
        last = write("last", key="a", topic=GONE)
        rounds.until_idle()

    assert states(later + last) == ["discarded", "sent"]
    assert arrived(spine, GONE) == ["last"]
