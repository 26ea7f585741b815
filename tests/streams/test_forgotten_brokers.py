"""A cluster that names no broker is forgotten by its clients for ever: whoever has such a client makes another."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Rejected, Retryable
from backoffice.streams.consume import reader
from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.lane import Lane, Limits
from backoffice.streams.kafka import clients, knowing, offsets, topicids
from backoffice.streams.kafka.clients import CLASSIC, CONSUMER, WatchedConsumer, admin_client, producer
from backoffice.streams.kafka.sending import Sender
from backoffice.streams.outbox.transactions import Transactions, as_the_only_relay
from tests.spine import until

from .sinks import Given, Nowhere
from .unnamed import TOPIC, Unnamed, unnamed

NAME = TOPIC.decode()


@dataclass
class Waiting(Nowhere):
    """A sink that stores until it is told to stop."""

    storing: threading.Event
    done: threading.Event

    def commit(self, prepared: Given) -> Iterator[Given]:
        self.storing.set()
        self.done.wait(60)
        yield prepared


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Unnamed]:
    monkeypatch.setattr(knowing, "LOOK_SECONDS", 0.2)
    with unnamed() as broker:
        yield broker


def forget(broker: Unnamed, client: Any) -> None:
    """The client has known the broker; when this returns, the cluster names it again, and the client is lost.

    Some answers without a broker do it, others do not.
    """

    client.list_topics(timeout=10)

    def is_lost() -> bool:
        broker.is_fenced = True
        with suppress(KafkaException):
            client.list_topics(timeout=0.5)
        broker.is_fenced = False
        try:
            # One that is slow answers in this time.
            client.list_topics(timeout=3)
        except KafkaException:
            return True
        return False

    until(is_lost, "it has forgotten the broker")


def raised(kind: type[Exception], act: Callable[[], object]) -> Exception:
    """What it raises as soon as it raises something of this kind."""
    found: list[Exception] = []

    def does() -> bool:
        try:
            act()
        except kind as error:
            found.append(error)
        return bool(found)

    until(does, "it says so")
    return found[0]


def test_a_consumer_says_so_when_it_is_read(broker: Unnamed) -> None:
    with closing(WatchedConsumer(CONSUMER | broker.kafka | {"group.id": "forgetful"})) as consumer:
        assert consumer.consume(1, 0.0) == []
        forget(broker, consumer)

        assert "forgotten all brokers" in str(raised(Retryable, lambda: consumer.consume(10, 0.1)))
        raised(Retryable, lambda: consumer.poll(0.1))


def test_a_lane_whose_client_is_lost_begins_anew_only_when_its_writer_has_ended(
    broker: Unnamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who write over one connection would each undo parts of what the other one stores."""
    storing, done = threading.Event(), threading.Event()
    sink = Waiting(storing, done)
    limits = Limits(1, 1, 0.05, 1, 1, 1, 60.0)
    lane = Lane("s", NAME, "", broker.kafka, limits, SystemClock())
    monkeypatch.setattr(reader, "SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(topicids, "answer", lambda _: "t")

    def connect() -> Consumer:
        return WatchedConsumer(CONSUMER | CLASSIC | broker.kafka | {"group.id": "forgetful"})

    lost = reader.Reader(lane, sink, threading.Event(), connect)
    lost._writer.brake.topic_id = "t"
    batch = Batch(NAME)
    batch.add(partition=0, offset=7, key=b"k", value=b"v", start=7)
    assert lost._writer.offer(Given(batch), topicids.Asked(AdminClient({}), NAME, Future()), 5)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            lost.run()
        except BaseException as error:  # noqa: BLE001 - as a lane's thread does
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert storing.wait(30)
    # One that is in a group is not always forgotten when it is asked to.
    monkeypatch.setattr(knowing, "_knows_one", lambda *_: False)
    until(lambda: lost._state.reading.what == "ends", "it ends")
    thread.join(3)
    assert thread.is_alive()
    done.set()

    thread.join(30)
    assert not lost._writer.is_alive()
    assert [type(error) for error in ended] == [Retryable]


def test_a_producer_says_so_when_it_is_polled_and_flushed(broker: Unnamed) -> None:
    client = producer(broker.kafka)
    forget(broker, client)

    raised(Retryable, lambda: client.poll(0.1))
    client.produce(NAME, b"unsent")
    raised(Retryable, lambda: client.flush(0.1))
    client.purge()


def test_a_sender_goes_no_further_and_says_what_to_do(broker: Unnamed) -> None:
    sender = Sender(broker.kafka, "", threading.Event())
    sender.wait_for_topics([NAME])
    forget(broker, sender._producer)

    assert "start it anew" in str(raised(Rejected, lambda: sender.serve(0.1)))
    with pytest.raises(Rejected, match="start it anew"):
        sender.wait_for_topics([NAME])


def test_an_idle_relay_gets_another_producer(broker: Unnamed) -> None:
    made = []

    def make() -> Any:
        made.append(producer(broker.kafka | as_the_only_relay("")))
        return made[-1]

    relay = Transactions(make, threading.Event())
    relay.listen()
    assert made == []
    client = relay._sender()
    forget(broker, client)

    raised(Retryable, relay.listen)
    assert relay._sender() is not client


def test_questions_go_to_another_client(broker: Unnamed) -> None:
    first: AdminClient = admin_client(broker.kafka)
    forget(broker, first)

    until(lambda: admin_client(broker.kafka) is not first, "another one is made")
    assert offsets.ask(admin_client(broker.kafka), [], [], 5.0) == offsets.Answers()


def test_a_client_for_questions_that_nobody_has_any_more_is_looked_after_no_longer(
    broker: Unnamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_shared", clients._none_yet())
    before = set(threading.enumerate())
    admin_client(broker.kafka)
    # More than one where a thread of another test asks its own cluster just now.
    lookers = {thread for thread in set(threading.enumerate()) - before if thread.name == "kafka-questions"}
    assert lookers
    clients._shared.cache_clear()  # type: ignore[attr-defined]

    until(lambda: not any(looker.is_alive() for looker in lookers), "its thread has ended")


def said(*brokers: tuple[str, str, float], group: str = "", fetches: str = "") -> str:
    """Statistics of a client: of each broker its source, its state and for how long (seconds) it has been in that."""
    known = {
        str(number): {"source": source, "state": state, "stateage": round(1_000_000 * age)}
        for number, (source, state, age) in enumerate(brokers)
    }
    consumer = {"cgrp": {"state": group}, "topics": {"t": {"partitions": {"0": {"fetch_state": fetches}}}}}
    return orjson.dumps({"brokers": known} | (consumer if group else {})).decode()


UP, TRYING, UNTRIED = ("learned", "UP", 99.0), ("configured", "INIT", 1.0), ("learned", "INIT", 99.0)
OFFICE = ("logical", "TRY_CONNECT", 9.0)


def is_lost(statistics: str, *, asks: bool = False) -> bool:
    looks = knowing.Looks(asks=asks)
    for _ in range(2):
        looks.must_know_one()
        looks.hear(statistics)
    try:
        looks.must_know_one()
    except Retryable:
        return True
    return False


def test_a_look_in_vain_may_be_chance_and_two_in_a_row_are_not() -> None:
    looks = knowing.Looks()
    for _ in range(3):
        looks.hear(said(OFFICE))
        looks.hear(said(OFFICE, TRYING))
        looks.hear(said(UP))
        looks.must_know_one()
    looks.hear(said())
    looks.must_know_one()
    looks.hear(said(OFFICE))
    with pytest.raises(Retryable):
        looks.must_know_one()


@pytest.mark.parametrize(("group", "fetches"), [("query-coord", "stopped"), ("wait-coord", "none"), ("up", "active")])
def test_a_consumer_in_need_that_tries_none_of_its_brokers_is_lost(group: str, fetches: str) -> None:
    """As it was seen where Kafka was started anew while the client joined its group."""
    assert is_lost(said(UNTRIED, OFFICE, group=group, fetches=fetches))
    for other in (UP, TRYING, ("learned", "DOWN", 99.0), ("configured", "TRY_CONNECT", 99.0)):
        assert not is_lost(said(UNTRIED, other, OFFICE, group=group, fetches=fetches))


def test_one_that_needs_none_may_have_no_connection() -> None:
    """A server hangs up on who says nothing."""
    assert not is_lost(said(UNTRIED, OFFICE, group="up", fetches="stopped"))
    assert not is_lost(said(UNTRIED, OFFICE, group="init", fetches="none"))
    assert not is_lost(said(UNTRIED))
    assert is_lost(said(UNTRIED), asks=True)
    assert not is_lost(said(UNTRIED, UP), asks=True)
