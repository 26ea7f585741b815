"""What a person does about messages that cannot be sent, through the command."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.contracts.registry import Registry
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.alerts import raise_alert
from tests.spine import Spine, until
from tests.streams.outbox.relaying import relaying
from tests.streams.outbox.test_relay import DEAD, NOW, TOO_LARGE, arrived, make, states, write

WHO = ("--by", "ana", "--reason", "the topic will never be made")


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("outbox", *arguments, stdout=out)
    return out.getvalue()


def held(spine: Spine, count: int = 3, topic: str = "no-such-topic") -> list[int]:
    """The numbers of so many messages of a key of which the first cannot be sent."""
    numbers = write(*(f"{number}" for number in range(count)), topic=topic)
    with relaying(spine) as rounds:
        rounds.until_idle()
    assert states(numbers) == ["first"] + ["behind"] * (count - 1)
    return numbers


def test_the_list_says_what_is_held_why_and_how_much_is_behind_it(spine: Spine) -> None:
    first, *_ = held(spine)

    (line,) = said("list").splitlines()

    assert line.split()[0] == str(first)
    assert "bytes to no-such-topic, all of it  2 behind it  1 attempts" in line
    assert "Kafka has no topic" in line


def test_nothing_held_is_said(database: str) -> None:
    assert said("list") == "No message is held.\n"


def test_a_discarded_message_lets_its_key_go_on_and_stays_with_its_end(spine: Spine) -> None:
    bad, *behind = write(TOO_LARGE, "after 1", "after 2")
    with relaying(spine) as rounds:
        rounds.until_idle()

        said("discard", str(bad), *WHO)
        rounds.clock.advance(timedelta(minutes=1))
        rounds.until_idle()

    assert states([bad, *behind]) == ["discarded", "sent", "sent"]
    assert arrived(spine, DEAD) == ["after 1", "after 2"]
    row = Outgoing.objects.get(pk=bad)
    assert (row.discarded_by, row.discard_reason) == ("ana", "the topic will never be made")
    assert said("list") == "No message is held.\n"


def test_one_behind_the_first_can_be_discarded_too(spine: Spine) -> None:
    first, second, third = held(spine)

    said("discard", str(second), *WHO)
    make(spine, "no-such-topic")
    said("retry", str(first))
    with relaying(spine) as rounds:
        rounds.until_idle()

    assert states([first, second, third]) == ["sent", "discarded", "sent"]
    assert arrived(spine, "no-such-topic") == ["0", "2"]


def test_all_of_a_key_discarded_leaves_the_key_free(spine: Spine) -> None:
    numbers = held(spine)
    said("discard", *map(str, numbers), *WHO)
    make(spine, "no-such-topic")
    later = write("later", topic="no-such-topic")

    with relaying(spine) as rounds:
        rounds.until_idle()

    assert states([*numbers, *later]) == ["discarded"] * 3 + ["sent"]


def test_many_are_chosen_by_what_they_have_in_common(spine: Spine) -> None:
    numbers, others = held(spine), held(spine, topic="no-other-topic")

    counted = said("discard", "--topic", "no-such-topic", *WHO, "--dry-run")
    retried = said("retry", "--saying", "kafka has NO TOPIC", "--dry-run")
    said("discard", "--topic", "no-such-topic", *WHO)

    assert counted == "3 held messages are chosen; nothing was done.\n"
    assert retried == "2 held messages are chosen; nothing was done.\n"
    assert states(numbers) == ["discarded"] * 3
    assert states(others) == ["first", "behind", "behind"]


def test_one_that_is_discarded_already_is_told_and_passed_over(spine: Spine) -> None:
    first, second, third = held(spine)
    said("discard", str(second), *WHO)

    with pytest.raises(CommandError, match=f"Message {second} was discarded by ana already.*\n2 discarded; 1 passed"):
        said("discard", str(first), str(second), str(third), *WHO)

    assert states([first, second, third]) == ["discarded"] * 3


def test_one_is_tried_at_once_when_asked_for(spine: Spine) -> None:
    first, *_ = held(spine)
    make(spine, "no-such-topic")
    with relaying(spine) as rounds:
        rounds.clock.moment = Outgoing.objects.get(pk=first).held_since or rounds.clock.moment
        assert rounds.one() == 0

    said("retry", str(first))

    with relaying(spine) as rounds:
        rounds.until_idle()
    assert arrived(spine, "no-such-topic") == ["0", "1", "2"]


def test_what_cannot_be_done_is_refused_and_changes_nothing(spine: Spine) -> None:
    first, second, _ = held(spine)
    large, after_large = write(TOO_LARGE, "after", key="l")
    (sent,) = write("sent", key="s")
    with relaying(spine) as rounds:
        rounds.until_idle()
    (ready,) = write("ready")
    before = list(Outgoing.objects.order_by("id").values())

    for arguments, says in (
        (("retry", str(second)), f"waits with all of no-such-topic behind message {first}"),
        (("retry", str(after_large)), f"waits behind message {large}"),
        (("retry", "999999"), "There is no message 999999"),
        (("discard", str(first), "--reason", " "), "Say why"),
        (("discard", str(sent), *WHO), "was sent at"),
        (("discard", str(ready), *WHO), "is not held"),
    ):
        with pytest.raises(CommandError, match=says):
            said(*arguments)

    assert list(Outgoing.objects.order_by("id").values()) == before
    said("discard", str(first), *WHO)
    with pytest.raises(CommandError, match="was discarded by ana already"):
        said("discard", str(first), *WHO)


def test_who_discards_while_the_relay_tries_learns_what_became_of_it(spine: Spine) -> None:
    raise_alert("lane_stuck", "it stands still", now=NOW)
    with relaying(spine, Registry("http://127.0.0.1:1", spine.prefix)) as rounds:
        rounds.until_idle()
    number = Outgoing.objects.get().pk
    assert states([number]) == ["first"]
    said("retry", str(number))
    outcome: list[str] = []

    def discard() -> None:
        try:
            outcome.append(said("discard", str(number), *WHO))
        except CommandError as refused:
            outcome.append(str(refused))

    class Watched(Registry):
        """Asked while the relay is at it."""

        def register_version(self, record: str, version: int | None) -> int:
            discarding.start()
            until(lambda: spine.value(WAITS_FOR_A_LOCK), "somebody waits for the message")
            return super().register_version(record, version)

    discarding = threading.Thread(target=discard)
    with relaying(spine, Watched(settings.SCHEMA_REGISTRY_URL, spine.prefix)) as rounds:
        rounds.until_idle()
        discarding.join(30)

    assert states([number]) == ["sent"]
    assert "was sent at" in outcome[0]


WAITS_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
