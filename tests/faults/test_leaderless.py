"""One partition that Kafka cannot tell of: it is named among what stands still, and hides nothing of the others."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client, override_settings

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.kernel.errors import Retryable
from backoffice.localstack.supervise import Part
from backoffice.metrics.lag import Lag, ask_lag
from backoffice.reconcile.checks.letters import NO_TWIN
from backoffice.reconcile.models import Finding
from backoffice.streams.consume.watching.state import LaneState
from backoffice.streams.consume.watching.watchdog import Watchdog
from backoffice.streams.kafka import logs, topicids
from backoffice.streams.kafka.offsets import few
from backoffice.streams.models import Halt, Offset
from backoffice.streams.step import lanes_of
from tests.faults.clusters import REPLICATED, cluster
from tests.reconcile.conftest import Told, changed, events_of
from tests.spine import PATIENCE_SECONDS, Spine, stopped, until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("clusters")]
TOPIC, OTHER = "game-rounds", "player-events"
PLACE, OTHER_PLACE = ("wallet", TOPIC), ("players", OTHER)
OPEN = "SELECT topic, partitions, told FROM streams_stall WHERE ended_at IS NULL"
DIES = 2


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[int, Part], str]]:
    with cluster(tmp_path_factory.mktemp("three"), REPLICATED, brokers=3) as found:
        yield found


@pytest.fixture
def lame(three: tuple[dict[int, Part], str], database: str) -> Iterator[tuple[Spine, dict[int, Part]]]:
    """All topics have three copies; of one, partition 1 has its only copy on the broker that is going to die."""
    parts, addresses = three
    hasty = settings.STREAMS | {"stall": 1.0}
    with (
        override_settings(KAFKA={"bootstrap.servers": addresses}, STREAMS=hasty),
        Spine.on_servers(database, replication=3) as spine,
    ):
        name, admin = f"{spine.prefix}{TOPIC}", AdminClient({**settings.KAFKA})
        admin.delete_topics([name])[name].result(30)
        until(lambda: name not in admin.list_topics(timeout=10).topics, "it is gone")
        admin.create_topics([NewTopic(name, 2, replica_assignment=[[1], [DIES]])])[name].result(30)
        spine.ends()
        spine.send_bytes(OTHER, [b"junk"] * 3, partition=0)
        yield spine, parts
        parts[DIES].start()
        spine.ends()


def die(spine: Spine, parts: dict[int, Part]) -> None:
    parts[DIES].kill()
    name, admin = f"{spine.prefix}{TOPIC}", AdminClient({**settings.KAFKA})
    until(lambda: admin.list_topics(timeout=10).topics[name].partitions[1].leader < 0, "it has no leader")
    until(lambda: all(p.leader not in (-1, DIES) for p in admin.list_topics(timeout=10).topics[
        f"{spine.prefix}{OTHER}"].partitions.values()), "the others have one")  # fmt: skip
    # The broker that died may have been the controller; a question that only this answers waits for the next one.
    until(lambda: topic_id(spine), "there is a controller")
    until(lambda: asked().untold.keys() == {PLACE}, "all but the one are told of")


def topic_id(spine: Spine) -> str | None:
    try:
        return topicids.answer(topicids.ask(settings.KAFKA, f"{spine.prefix}{TOPIC}"))
    except Retryable:
        return None


def asked() -> Lag:
    lag = ask_lag(datetime.now(UTC))
    assert lag is not None
    return lag


def streams(*words: str) -> str:
    out = StringIO()
    call_command("streams", *words, "--by", "ops", stdout=out)
    return out.getvalue()


@contextmanager
def watched(*names: str) -> Iterator[None]:
    """The lanes of streams that no thread reads or stores."""
    stopping = threading.Event()
    dog = Watchdog([(lane, LaneState()) for lane, _ in lanes_of(list(names))], stopping)
    dog.start()
    try:
        yield
    finally:
        stopping.set()
        dog.join(30)
        assert not dog.is_alive()


def test_whoever_asks_is_told_of_it_by_name_and_of_all_others(lame: tuple[Spine, dict[int, Part]]) -> None:
    spine, parts = lame
    die(spine, parts)
    until(lambda: asked().standing.get(OTHER_PLACE) == (0,), "the other is seen to stand still")

    lag, ready = asked(), Client().get("/health/ready")
    why = f"partition 1 of {spine.prefix}{TOPIC} has no leader: start broker {DIES}"
    line = StringIO()
    call_command("status", "--line", stdout=line)

    assert (lag.waiting[OTHER_PLACE], lag.waiting[PLACE]) == (3, 0)
    assert lag.untold == {PLACE: (why,)}
    assert lag.standing[PLACE] == (1,)
    assert (ready.status_code, ready.json()["kafka"]) == (200, "ok")
    assert ready.json()["streams"].startswith("stand still: ")
    assert f"wallet: {TOPIC} ({why})" in ready.json()["streams"]
    assert f"players: {OTHER}" in ready.json()["streams"]
    assert f"STALLED players: {OTHER}, wallet: {TOPIC} ({why})" in line.getvalue()
    assert "lag 3 " in line.getvalue()
    (topic,) = [each for each in Client().get("/health/facts").json()["topics"] if each["topic"] == TOPIC]
    assert (topic["stalled"], topic["untold"], topic["lag"]) == ([1], [why], 0)
    page = Client().get("/metrics").content.decode()
    assert f'pitboss_stream_stalled_partitions{{stream="wallet",topic="{TOPIC}"}} 1.0' in page
    assert "pitboss_lag_readable 1.0" in page


def test_a_stall_is_an_alert_with_the_reason_and_ends_when_its_broker_is_back(
    lame: tuple[Spine, dict[int, Part]],
) -> None:
    spine, parts = lame
    die(spine, parts)
    with watched("wallet", "players"):
        until(lambda: {topic for topic, _, _ in spine.rows(OPEN)} == {TOPIC, OTHER}, "both stalls are told")
        told = {topic: (partitions, text) for topic, partitions, text in spine.rows(OPEN)}
        assert told[OTHER][0] == [0]
        assert "3 messages wait. " in told[OTHER][1]
        assert told[TOPIC][0] == [1]
        why = f"partition 1 of {spine.prefix}{TOPIC} has no leader: start broker {DIES}."
        assert f"0 messages wait, as far as Kafka tells: {why}" in told[TOPIC][1]

        parts[DIES].start()
        until(lambda: [topic for topic, _, _ in spine.rows(OPEN)] == [OTHER], "the one goes on, the other does not")


def test_a_person_lets_go_on_what_is_told_and_is_refused_the_rest_with_the_reason(
    lame: tuple[Spine, dict[int, Part]],
) -> None:
    spine, parts = lame
    before = topic_id(spine)
    for partition in (0, 1):
        Offset.objects.create(stream="wallet", topic=TOPIC, partition=partition, next=0, updated_at=datetime.now(UTC))
        Halt.objects.create(
            stream="wallet", topic=TOPIC, partition=partition, offset=0, reason="bad", halted_at=datetime.now(UTC)
        )
    die(spine, parts)
    why = f"partition 1 of {spine.prefix}{TOPIC} has no leader: start broker {DIES}."

    log = logs.read_log(settings.KAFKA, f"{spine.prefix}{TOPIC}")
    assert (log.topic_id, log.begins, log.ends, few(log.untold.values())) == (before, {0: 0}, {0: 0}, why[:-1])
    for words in (
        ("resume", "wallet", TOPIC, "1"),
        ("skip", "wallet", TOPIC, "1", "--to", "end", "--reason", "a test"),
    ):
        with pytest.raises(CommandError) as refused:
            streams(*words)
        assert str(refused.value) == f"Nothing was changed: {why}"
    assert Halt.objects.filter(resumed_at=None).count() == 2

    with pytest.raises(CommandError) as refused:
        streams("resume", "wallet", TOPIC, "--all")
    assert str(refused.value) == f"{TOPIC}[1] stays halted: {why}"
    assert list(Halt.objects.filter(resumed_at=None).values_list("partition", flat=True)) == [1]


def test_a_broker_that_is_frozen_is_named_and_hides_the_others_for_seconds_only(
    lame: tuple[Spine, dict[int, Part]],
) -> None:
    """Whichever of them the client asked last: that is the one which it asks again."""
    spine, parts = lame
    named = f"partition 1 of {spine.prefix}{TOPIC} "
    for number, part in parts.items():
        with stopped(part.pid):
            if number == DIES:
                until(lambda: named in _reasons(), "the partition is named", PATIENCE_SECONDS / 2)
            until(lambda: ask_lag(datetime.now(UTC)), "the others tell of themselves", PATIENCE_SECONDS / 2)
        until(lambda: (lag := ask_lag(datetime.now(UTC))) and not lag.untold, "all is told of")


def _reasons() -> str:
    lag = ask_lag(datetime.now(UTC))
    return few(lag.untold.get(PLACE, ())) if lag else ""


def test_a_stream_that_begins_stores_all_but_the_one_and_that_once_its_broker_is_back(
    lame: tuple[Spine, dict[int, Part]],
) -> None:
    spine, parts = lame
    spine.send_bytes(TOPIC, [b"junk"] * 3, partition=0)
    spine.send_bytes(TOPIC, [b"junk"] * 2, partition=1)
    die(spine, parts)
    why = f"partition 1 of {spine.prefix}{TOPIC} has no leader: start broker {DIES}"

    def stored() -> dict[int, int]:
        return dict(Offset.objects.filter(stream="wallet", topic=TOPIC).values_list("partition", "next"))

    with spine.streaming("wallet"):
        until(lambda: stored().get(0) == 3, "the other is stored")
        until(lambda: TOPIC in {topic for topic, _, _ in spine.rows(OPEN)}, "the one is told of")
        assert stored() == {0: 3}
        [(partitions, told)] = [(p, text) for topic, p, text in spine.rows(OPEN) if topic == TOPIC]
        assert (partitions, f"{why}." in told) == ([1], True)

        parts[DIES].start()

        until(lambda: stored() == {0: 3, 1: 2}, "it is stored from its beginning")
        until(lambda: TOPIC not in {topic for topic, _, _ in spine.rows(OPEN)}, "its stall is over")


def test_a_reconciliation_checks_all_others_names_the_one_and_says_that_none_can_tell(
    lame: tuple[Spine, dict[int, Part]],
) -> None:
    spine, parts = lame
    spine.send(events_of(400))
    spine.drain()
    before = read_topics(run()[1])
    spine.send([*events_of(400, seed=12)])
    spine.drain()
    die(spine, parts)
    why = f"partition 1 of {spine.prefix}{TOPIC} has no leader: start broker {DIES}"

    for words in ((), ("--full",)):
        code, told = run(*words)
        assert (code, told["clean"], "differences" in told) == (2, None, False), told
        [(topic, partition, says)] = [
            (one["topic"], one["partition"], one["says"]) for one in told["named"] if one["check"] == "not_checked"
        ]
        assert (topic, partition, why in says) == (TOPIC, 1, True)
        assert read_topics(told).keys() >= before.keys() - {TOPIC}
    assert open_checks() == ["not_checked"]

    changed(spine, "UPDATE players_login SET device_id = 'another' WHERE event_id = (SELECT event_id FROM players_login"
            " ORDER BY event_id LIMIT 1)")  # fmt: skip
    code, told = run("--full")
    assert (code, told["clean"], [one["topic"] for one in told["differences"]]) == (1, False, [OTHER])

    parts[DIES].start()
    spine.ends()
    code, told = run()
    assert "not_checked" not in {one["check"] for one in told.get("named", ())}
    assert "not_checked" not in open_checks()


def test_copies_of_dead_letters_that_nobody_can_look_for_are_not_missing(lame: tuple[Spine, dict[int, Part]]) -> None:
    spine, parts = lame
    name, admin = f"{spine.prefix}{dead_letter_topic(OTHER)}", AdminClient({**settings.KAFKA})
    if name in admin.list_topics(timeout=10).topics:
        admin.delete_topics([name])[name].result(30)
        until(lambda: name not in admin.list_topics(timeout=10).topics, "it is gone")
    admin.create_topics([NewTopic(name, 2, replica_assignment=[[1], [DIES]])])[name].result(30)
    spine.drain("players")
    changed(spine, "DELETE FROM streams_outbox")
    code, told = run()
    assert (code, {one["says"] for one in told["differences"]}) == (1, {NO_TWIN.says})
    die(spine, parts)

    code, told = run("--full")

    assert (code, told["clean"]) == (2, None), told
    assert (dead_letter_topic(OTHER), 1) in {(one["topic"], one["partition"]) for one in told["named"]}


def run(*words: str) -> tuple[int, Told]:
    out = StringIO()
    try:
        call_command("reconcile", *words, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(str(end.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def read_topics(told: Told) -> dict[str, int]:
    return {topic: number for topic, number in told["checked"].items() if number}


def open_checks() -> list[str]:
    found = Finding.objects.filter(ended_at=None).values_list("difference__check", flat=True)
    return [str(check) for check in found]
