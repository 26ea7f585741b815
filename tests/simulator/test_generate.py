"""``manage.py generate`` against real servers: what it says it sent is in Kafka, in order, whatever happens to them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.registry import Registry
from backoffice.localstack.stack import Stack
from backoffice.simulator.garbage import mixed
from backoffice.simulator.generator import generate
from backoffice.simulator.producing import message_of
from tests.simulator.cluster import PARTITIONS, count, held, murmur2, own_topics

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 1, tzinfo=UTC)
RATE = 2_000
RECORDS = [record for topic in TOPICS.values() for record in topic.records]
Messages = dict[tuple[str, str], list[bytes]]
Start = Callable[[str, Mapping[str, str]], "subprocess.Popen[str]"]


@pytest.fixture
def prefix() -> Iterator[str]:
    with own_topics(settings.KAFKA) as prefix, override_settings(KAFKA_TOPIC_PREFIX=prefix):
        yield prefix


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts endless generators in processes of their own; none outlives the test."""
    running: list[subprocess.Popen[str]] = []

    def started(prefix: str, environ: Mapping[str, str]) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "generate", "--seed", "1", "--rate", str(RATE)]
        own = {"DJANGO_SETTINGS_MODULE": "backoffice.settings.test", "KAFKA_TOPIC_PREFIX": prefix}
        pipe = subprocess.PIPE
        environment = os.environ | environ | own
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True))
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


def run(*flags: str, **options: object) -> dict[str, Any]:
    """Run the command here; what its last line says."""
    out = StringIO()
    words = [f"--{name}={value}" for name, value in {"seed": 1, "rate": RATE, **options}.items()]
    call_command("generate", *words, *flags, stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return told


def expected(prefix: str, registry_url: str, events: int, garbage: float = 0.0) -> Messages:
    """Values by topic and key, as the same seed makes them."""
    registry = Registry(registry_url, prefix)
    ids = {record: registry.register(record) for record in RECORDS}
    by_key: Messages = defaultdict(list)
    stream = generate(1, START, events, timedelta(seconds=1 / RATE))
    for message in mixed(stream, garbage, 1, ids):
        topic, key, value = message_of(message, ids)
        by_key[topic, key].append(value)
    return by_key


def found(kafka: Mapping[str, str], prefix: str) -> Messages:
    by_key: Messages = defaultdict(list)
    for topic, partitions in held(kafka, prefix).items():
        for partition, messages in enumerate(partitions):
            for key, value in messages:
                assert murmur2(key.encode()) % PARTITIONS == partition
                by_key[topic, key].append(value)
    return by_key


def test_what_the_seed_makes_is_in_kafka_in_the_order_of_each_key(prefix: str) -> None:
    told = run("--max", events=12_000, garbage=0.02)

    sent = found(settings.KAFKA, prefix)
    assert sent == expected(prefix, settings.SCHEMA_REGISTRY_URL, 12_000, 0.02)
    per_topic = {topic: sum(len(v) for (name, _), v in sent.items() if name == topic) for topic in TOPICS}
    assert told["per_topic"] == {topic: number for topic, number in per_topic.items() if number}
    assert told["events"] == 12_000
    assert told["events"] + told["garbage"] == sum(per_topic.values())
    assert told["garbage"] > 100


def test_the_rate_is_kept(prefix: str) -> None:
    told = run(events=1_000, rate=500)

    assert 1.9 <= told["seconds"] < 20  # A busy machine may be late, never early.
    assert count(settings.KAFKA, prefix) == 1_000


def test_started_now_events_happen_now(prefix: str) -> None:
    before = datetime.now(UTC)
    run("--max", events=300, start="now")

    registry = Registry(settings.SCHEMA_REGISTRY_URL, prefix)
    events = [decoded(registry, value) for values in found(settings.KAFKA, prefix).values() for value in values]
    assert len(events) == 300
    assert all(before <= event["occurred_at"] <= datetime.now(UTC) for event in events)


def decoded(registry: Registry, value: bytes) -> dict[str, Any]:
    schema_id, body = unframe(value)
    return decode(body, registry.writer(schema_id).schema)


def test_without_topics_it_says_how_to_make_them() -> None:
    with override_settings(KAFKA_TOPIC_PREFIX="never."), pytest.raises(CommandError, match=r"topics --apply"):
        run(events=10)


@pytest.mark.parametrize(
    "words",
    [("--rate", "0"), ("--rate", "2000000"), ("--garbage", "1"), ("--events", "0"), ("--start", "2026-01-01T00:00:00")],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        call_command("generate", "--seed=1", "--rate=1", "=".join(words))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(prefix: str, start: Start, number: signal.Signals) -> None:
    process = start(prefix, servers())
    until(lambda: count(settings.KAFKA, prefix) > 1_000)

    told = ended(process, number)

    assert sum(told["per_topic"].values()) == count(settings.KAFKA, prefix) == told["events"]
    assert found(settings.KAFKA, prefix) == expected(prefix, settings.SCHEMA_REGISTRY_URL, told["events"])


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(own_stack: Stack, start: Start) -> None:
    environ = own_stack.environ()
    kafka = {"bootstrap.servers": environ["KAFKA_BOOTSTRAP_SERVERS"]}
    with own_topics(kafka) as prefix:
        process = start(prefix, environ)
        for _ in range(2):
            before = count(kafka, prefix)
            until(lambda: count(kafka, prefix) > before + 2_000)  # noqa: B023 - called in this turn
            own_stack.part("kafka").kill()
            own_stack.part("kafka").start()
        until(lambda: count(kafka, prefix) > before + 4_000)

        told = ended(process, signal.SIGTERM)

        assert count(kafka, prefix) == told["events"]
        assert found(kafka, prefix) == expected(prefix, environ["SCHEMA_REGISTRY_URL"], told["events"])


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_servers_that_are_away_at_the_start_are_waited_for(own_stack: Stack, start: Start) -> None:
    environ = own_stack.environ()
    kafka = {"bootstrap.servers": environ["KAFKA_BOOTSTRAP_SERVERS"]}
    with own_topics(kafka) as prefix:
        own_stack.part("registry").kill()
        own_stack.part("kafka").kill()
        process = start(prefix, environ)
        told_away = process.stderr and process.stderr.readline()
        own_stack.part("registry").start()
        own_stack.part("kafka").start()
        until(lambda: count(kafka, prefix) > 1_000)

        assert "registry" in (told_away or "")
        assert ended(process, signal.SIGTERM)["events"] == count(kafka, prefix)


@pytest.mark.faults
@pytest.mark.xdist_group("own_stack")
def test_it_ends_soon_although_the_broker_is_away(own_stack: Stack, start: Start) -> None:
    environ = own_stack.environ()
    kafka = {"bootstrap.servers": environ["KAFKA_BOOTSTRAP_SERVERS"]}
    with own_topics(kafka) as prefix:
        process = start(prefix, environ)
        until(lambda: count(kafka, prefix) > 500)
        own_stack.part("kafka").kill()
        try:
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
            took = time.monotonic() - asked
        finally:
            own_stack.part("kafka").start()

        assert took < 20
        # What was queued is lost, and it says so; nothing queued is as good.
        assert process.returncode == 0 or "not in Kafka" in errors


def servers() -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.KAFKA["bootstrap.servers"],
        "SCHEMA_REGISTRY_URL": settings.SCHEMA_REGISTRY_URL,
    }


def ended(process: "subprocess.Popen[str]", number: signal.Signals) -> dict[str, Any]:
    """End the generator with a signal; what its last line says."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


def until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
