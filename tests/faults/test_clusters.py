"""Kafka as operators run it: with TLS and passwords, with three brokers of which one dies, with classic groups."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client, override_settings

from backoffice.kernel.errors import Retryable
from backoffice.localstack.supervise import Part
from backoffice.metrics.lag import ask_lag
from backoffice.settings import servers
from backoffice.streams.kafka import topicids
from backoffice.streams.kafka.clients import admin_client, group_consumer, speaks_kip_848
from backoffice.streams.kafka.logs import read_ends
from backoffice.streams.kafka.writing import refusals
from backoffice.streams.models import Outgoing
from tests.faults.checks import nothing_lost_or_doubled
from tests.faults.clusters import REPLICATED, cluster
from tests.faults.groups import assignments
from tests.faults.load import some_events, under_load
from tests.faults.progress import gone_on
from tests.spine import Spine, kill, until
from tests.streams.outbox.relaying import relaying
from tests.streams.outbox.test_relay import DEAD, OTHER, arrived, states, write
from tests.tls import Authority

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("clusters")]
LOGIN = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="{}" password="{}";'
USER, PASSWORD, GUEST = "pitboss", "se cret/1", "guest"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a broker that speaks SASL_SSL only, with SCRAM, and asks its clients for a certificate."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    broker, client = authority.issue("broker"), authority.issue("client")
    login = LOGIN.format(USER, PASSWORD)
    properties = {
        "listeners": "SASL_SSL://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": "SASL_SSL://127.0.0.1:{broker}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(broker.both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        # Without the listener in its name it would not hold beside SASL.
        "listener.name.sasl_ssl.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }
    words = [
        word for name in (USER, GUEST) for word in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={PASSWORD}]")
    ]
    with cluster(folder / "cluster", properties, words=tuple(words)) as (_, addresses):
        yield {
            "KAFKA_BOOTSTRAP_SERVERS": addresses,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CA_LOCATION": str(authority.certificate),
            "KAFKA_SSL_CERTIFICATE_LOCATION": str(client.certificate),
            "KAFKA_SSL_KEY_LOCATION": str(client.key),
        }


def test_everything_works_over_tls_with_a_password(secured: dict[str, str], database: str) -> None:
    sent = list(some_events(seed=91, count=2_000))
    with override_settings(KAFKA=servers.kafka(secured)), Spine.on_servers(database) as spine:
        spine.send(sent)
        worker = spine.worker("all", None, **secured)
        spine.wait_drained()
        assert worker.poll() is None

        nothing_lost_or_doubled(spine, sent)
        assert spine.read("wallet-transactions")
        assert speaks_kip_848(settings.KAFKA)
        _topics_are_made(spine, secured)


def _topics_are_made(spine: Spine, variables: dict[str, str]) -> None:
    environ = spine.environ | variables | {"KAFKA_TOPIC_PREFIX": f"made-{uuid4().hex[:8]}."}
    for words in (["--apply"], []):
        done = subprocess.run(
            [sys.executable, "manage.py", "topics", *words],
            env=environ, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "without",
    [
        {"KAFKA_SASL_PASSWORD": "wrong"},
        {"KAFKA_SSL_CA_LOCATION": ""},
        {"KAFKA_SSL_CERTIFICATE_LOCATION": "", "KAFKA_SSL_KEY_LOCATION": ""},
    ],
)
def test_without_the_right_secrets_the_broker_says_nothing(secured: dict[str, str], without: dict[str, str]) -> None:
    admin = AdminClient({**servers.kafka(secured | without), "log_level": 0})

    with pytest.raises(KafkaException):
        admin.list_topics(timeout=3)


def test_who_may_not_look_at_the_brokers_settings_speaks_the_classic_protocol(secured: dict[str, str]) -> None:
    admin, guest = AdminClient({**servers.kafka(secured)}), servers.kafka(secured | {"KAFKA_SASL_USERNAME": GUEST})
    assert speaks_kip_848(guest)
    denied = AclBinding(
        ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL, f"User:{GUEST}", "*",
        AclOperation.DESCRIBE_CONFIGS, AclPermissionType.DENY,
    )  # fmt: skip
    admin.create_acls([denied])[denied].result(10)

    until(lambda: not speaks_kip_848(guest), "the broker holds to it")
    consumer = group_consumer(guest, "guests")
    consumer.close()


def test_a_topic_that_the_relay_may_not_write_to_is_held_whole(secured: dict[str, str], database: str) -> None:
    ours, guest = servers.kafka(secured), servers.kafka(secured | {"KAFKA_SASL_USERNAME": GUEST})
    admin = AdminClient({**ours})
    with override_settings(KAFKA=ours), Spine.on_servers(database) as spine:
        denied = AclBinding(
            ResourceType.TOPIC, f"{spine.prefix}{DEAD}", ResourcePatternType.LITERAL, f"User:{GUEST}", "*",
            AclOperation.WRITE, AclPermissionType.DENY,
        )  # fmt: skip
        admin.create_acls([denied])[denied].result(10)
        numbers = [write(key, key=key)[0] for key in "abc"]
        others = write("other", topic=OTHER)
        until(lambda: refusals(guest, [f"{spine.prefix}{DEAD}"]), "the broker holds to it")
        with override_settings(KAFKA=guest), relaying(spine) as rounds:
            rounds.until_idle()
            assert states(numbers + others) == ["first", "behind", "behind", "sent"]
            assert "does not let our user write to topic" in Outgoing.objects.get(pk=numbers[0]).last_error

        # As where a broker does not say what one may do.
        with override_settings(KAFKA=guest), relaying(spine, asked=lambda _: {}) as rounds:
            rounds.clock.advance(timedelta(minutes=2))
            rounds.until_idle()
            assert states(numbers + others) == ["first", "behind", "behind", "sent"]
            assert "Topic authorization failed" in Outgoing.objects.get(pk=numbers[0]).last_error

            allowed = AclBindingFilter(
                denied.restype, denied.name, denied.resource_pattern_type, denied.principal, denied.host,
                denied.operation, denied.permission_type,
            )  # fmt: skip
            admin.delete_acls([allowed])[allowed].result(10)
            until(lambda: not refusals(guest, [f"{spine.prefix}{DEAD}"]), "the broker holds to it")
            rounds.clock.advance(timedelta(minutes=2))
            rounds.until_idle()

        assert states(numbers) == ["sent"] * 3
        assert sorted(arrived(spine)) == ["a", "b", "c"]


def test_a_topic_that_may_not_be_described_stands_still_with_the_reason_and_is_not_missing(
    secured: dict[str, str], database: str
) -> None:
    ours, guest = servers.kafka(secured), servers.kafka(secured | {"KAFKA_SASL_USERNAME": GUEST})
    admin = AdminClient({**ours})
    with override_settings(KAFKA=ours), Spine.on_servers(database) as spine:
        name = f"{spine.prefix}game-rounds"
        denied = AclBinding(
            ResourceType.TOPIC, name, ResourcePatternType.LITERAL, f"User:{GUEST}", "*", AclOperation.DESCRIBE,
            AclPermissionType.DENY,
        )  # fmt: skip
        admin.create_acls([denied])[denied].result(10)
        spine.send_bytes("player-events", [b"junk"] * 3, partition=0)
        why = f"{name} may not be described by our user: allow it Describe on the topic"
        with override_settings(KAFKA=guest, STREAMS=settings.STREAMS | {"stall": 1.0}):
            until(lambda: name in read_ends(guest, [name]).refused, "the broker holds to it")
            until(lambda: _standing() >= {("wallet", "game-rounds"), ("players", "player-events")}, "both are told")
            lag, ready = ask_lag(datetime.now(UTC)), Client().get("/health/ready").json()
            assert lag is not None
            assert lag.untold == {("wallet", "game-rounds"): (why,)}
            assert ("wallet", "game-rounds") not in lag.waiting
            assert f"wallet: game-rounds ({why})" in ready["streams"]
            with pytest.raises(CommandError, match=r"Nothing was changed: .* allow it Describe on the topic"):
                call_command("streams", "resume", "wallet", "game-rounds", "0", "--by", "ops")


def _standing() -> set[tuple[str, str]]:
    lag = ask_lag(datetime.now(UTC))
    return set(lag.standing) if lag else set()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[int, Part], str]]:
    with cluster(tmp_path_factory.mktemp("three"), REPLICATED, brokers=3) as found:
        yield found


def test_of_three_brokers_one_may_die_under_load(three: tuple[dict[int, Part], str], database: str) -> None:
    parts, addresses = three
    kafka = {"bootstrap.servers": addresses}
    with override_settings(KAFKA=kafka), Spine.on_servers(database, replication=3) as spine:
        with under_load(spine, seed=92, rate=300) as load:
            worker = spine.worker("trading,wallet")
            gone_on(spine, "wallet")
            parts[_leader(kafka, f"{spine.prefix}wallet-transactions")].kill()
            for stream in ("wallet", "trading"):
                gone_on(spine, stream)
            assert worker.poll() is None
        assert sum(part.running for part in parts.values()) == 2
        spine.drain()
        nothing_lost_or_doubled(spine, load.sent)
        for part in parts.values():
            part.start()


def test_it_is_told_which_topic_a_name_stands_for_though_the_controller_that_was_known_has_died(
    three: tuple[dict[int, Part], str], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, addresses = three
    # By itself this client never looks who the controller is.
    kafka = {"bootstrap.servers": addresses, "topic.metadata.refresh.interval.ms": "-1"}
    monkeypatch.setattr(topicids, "ANSWER_SECONDS", 20.0)
    with override_settings(KAFKA=kafka), Spine.on_servers(database, replication=3) as spine:
        name = f"{spine.prefix}wallet-transactions"
        before = topicids.answer(topicids.ask(kafka, name))
        controller = parts[admin_client(kafka).list_topics(name, timeout=10).controller_id]
        controller.kill()

        # The first question may be on its way to it.
        with suppress(Retryable):
            topicids.answer(topicids.ask(kafka, name))
        assert topicids.answer(topicids.ask(kafka, name)) == before
        controller.start()


def _leader(kafka: dict[str, str], topic: str) -> int:
    partitions = AdminClient({**kafka}).list_topics(topic, timeout=10).topics[topic].partitions
    assert all(len(partition.replicas) == 3 for partition in partitions.values())
    return int(partitions[0].leader)


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    old = {"group.coordinator.rebalance.protocols": "classic"}
    with cluster(tmp_path_factory.mktemp("classic"), old) as (_, addresses):
        yield addresses


def test_workers_of_a_classic_group_share_and_take_over(classic: str, database: str, tmp_path: Path) -> None:
    with override_settings(KAFKA={"bootstrap.servers": classic}), Spine.on_servers(database) as spine:
        assert not speaks_kip_848(settings.KAFKA)
        with under_load(spine, seed=93, rate=200) as load:
            first = spine.worker("wallet")
            gone_on(spine, "wallet")
            second = spine.worker("wallet")
            until(lambda: _shares(spine) == [1, 1], "both workers have a share")
            gone_on(spine, "wallet")
            kill(first)
            until(lambda: _shares(spine) == [2], "the second has all")
            gone_on(spine, "wallet")
            assert second.poll() is None
        spine.drain()
        nothing_lost_or_doubled(spine, load.sent)


def _shares(spine: Spine) -> list[int]:
    return sorted(len(share) for share in assignments(spine, "wallet", "wallet-transactions").values() if share)
