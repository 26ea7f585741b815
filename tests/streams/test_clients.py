"""What a client raises is understood in whatever shape it comes."""

import multiprocessing
from random import randbytes
from threading import Event, Thread
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from django.conf import settings

from backoffice.kernel.errors import Rejected, Retryable
from backoffice.streams.kafka import clients, knowing
from backoffice.streams.kafka.clients import (
    ASKS,
    CONSUMER,
    admin_client,
    close_quietly,
    lone_consumer,
    whole_errors,
)
from backoffice.streams.kafka.sending import Sender
from backoffice.streams.outbox.relay import Relay
from tests.spine import Spine, until

FATAL = KafkaError(KafkaError._FATAL, "unable to satisfy gap-less guarantee", True)
WORDLESS = SystemError("<built-in method flush> returned NULL without setting an exception")


@pytest.mark.parametrize(
    "raised", [FATAL, KafkaException(FATAL), WORDLESS], ids=["the error itself", "an exception", "nothing"]
)
def test_what_a_client_raises_is_an_exception(raised: Exception) -> None:
    with pytest.raises(KafkaException) as caught, whole_errors():
        raise raised

    assert caught.value.args[0].fatal()


def test_questions_are_given_up_soon_and_what_is_fetched_over_a_slow_line_is_not() -> None:
    """A client throws away an answer that takes longer, and asks for the same again."""
    assert int(ASKS["socket.timeout.ms"]) <= 10_000
    assert "socket.timeout.ms" not in CONSUMER


def test_a_fork_asks_with_a_client_of_its_own(spine: Spine) -> None:
    def ask() -> None:
        assert f"{spine.prefix}game-rounds" in admin_client(settings.KAFKA).list_topics(timeout=10).topics

    ask()
    fork = multiprocessing.get_context("fork").Process(target=ask, daemon=True)
    fork.start()
    fork.join(30)

    assert fork.exitcode == 0


def test_one_that_forgets_its_brokers_while_it_hands_out_messages_can_be_closed(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for every message that it has made; a lane that begins anew would wait for it."""
    spine.send_bytes("game-rounds", [b"x"] * 5_000, partition=0)
    monkeypatch.setattr(knowing, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(knowing, "_knows_one", lambda *_: False)
    consumer, read, said = lone_consumer(settings.KAFKA, "forgetful"), 0, 0
    consumer.assign([TopicPartition(f"{spine.prefix}game-rounds", 0, 0)])

    def has_read_all() -> bool:
        nonlocal read, said
        try:
            read += len(consumer.consume(20, 0.1))
        except Retryable:
            said += 1
        return said > 20

    until(has_read_all, "it has said so again and again")
    closing = Thread(target=close_quietly, args=[consumer], daemon=True)
    closing.start()
    closing.join(20)

    assert not closing.is_alive()


class Endless:
    """A consumer that never gets rid of its group."""

    def __init__(self) -> None:
        self.closing, self.end = Event(), Event()

    def close(self) -> None:
        self.closing.set()
        self.end.wait(60)


def test_one_that_never_ends_is_left_behind(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(clients, "CLOSE_SECONDS", 0.1)
    endless = Endless()

    close_quietly(cast(Consumer, endless))

    assert endless.closing.is_set()
    assert [record.message for record in caplog.records] == [
        "A client of Kafka does not end in time; it is left behind"
    ]
    endless.end.set()


def test_a_sender_whose_client_goes_no_further_says_so(spine: Spine) -> None:
    """A message that Kafka refuses ends a client that may leave no gap: for good, whatever it is asked next."""
    topic, admin = ConfigResource(ResourceType.TOPIC, f"{spine.prefix}game-rounds"), AdminClient({**settings.KAFKA})
    topic.add_incremental_config(ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET))
    admin.incremental_alter_configs([topic])[topic].result(10)
    sender = Sender(settings.KAFKA | {"enable.gapless.guarantee": "true", "log_level": "0"}, spine.prefix, Event())

    sender.send("game-rounds", b"k", randbytes(5_000))
    with pytest.raises(Rejected, match="start it anew"):
        sender.settle()
    with pytest.raises(Rejected, match="start it anew"):
        sender.send("game-rounds", b"k", b"small")


class FailsOnce(Relay):
    """A relay whose client fails once as the real one does."""

    def __init__(self, stopping: Event) -> None:
        super().__init__(stopping)
        self.rounds = 0

    def _relay(self) -> None:
        self.rounds += 1
        if self.rounds == 1:
            raise cast(Exception, FATAL)
        self._stopping.set()


def test_a_relay_outlives_its_client() -> None:
    relay = FailsOnce(Event())

    relay.run()

    assert relay.rounds == 2
