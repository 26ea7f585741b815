"""The catalogue against the cluster: what differs, and what of it can be put right without losing anything."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from backoffice.contracts.catalogue import TOPICS, Topic, dead_letters
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable

from .clients import admin_client

TIMEOUT = 10.0
REPLICAS = 3
FOR_EVER = -1


class Kind(Enum):
    """What a difference asks for."""

    MISSING = "create the topic"
    FEWER_PARTITIONS = "add partitions"
    FEWER_OF_COMPACTED = (
        "compaction works within a partition: of a key that moves the former one would keep its last state for ever,"
        " and no tombstone would reach it; delete the topic, make it anew with `topics --apply`, have its producers"
        " tell all of it again, and `streams adopt` it"
    )
    SHORT = "raise the topic's settings"
    UNREGISTERED = "register schemas"
    MORE = "more than the catalogue asks for; nothing is shrunk"
    OTHER_CLEANUP = "another cleanup policy; changing it may delete messages"


@dataclass(frozen=True)
class Present:
    """A topic as it is on the cluster."""

    partitions: int
    configs: Mapping[str, str]


@dataclass(frozen=True)
class TopicState:
    """A topic of the catalogue beside what is there; ``name`` has the cluster's prefix."""

    name: str
    wanted: Topic
    present: Present | None
    unregistered: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    state: TopicState
    kind: Kind
    told: str
    configs: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.state.name} {self.told}"


@dataclass(frozen=True)
class Cluster:
    """The Kafka cluster and the registry that belongs to it."""

    admin: AdminClient
    registry: Registry
    prefix: str
    brokers: int
    tiered: bool
    partitions: Mapping[str, int]


def wanted_topics() -> list[Topic]:
    """Every topic of the catalogue, and the dead letters of each."""
    return [wanted for topic in TOPICS.values() for wanted in (topic, dead_letters(topic))]


def wanted_configs(topic: Topic, *, tiered: bool) -> dict[str, str]:
    """The topic's own settings on the cluster, whatever the brokers' defaults are.

    Times in the log are the broker's: they order what is told of one thing, and show whose clock is ahead.
    """
    common = {"message.timestamp.type": "LogAppendTime"}
    if topic.compacted:
        return common | {"cleanup.policy": "compact"}
    days = topic.retention_days
    kept = FOR_EVER if days is None else timedelta(days=days) // timedelta(milliseconds=1)
    configs = common | {"cleanup.policy": "delete", "retention.ms": str(kept), "retention.bytes": str(FOR_EVER)}
    return configs | {"remote.storage.enable": "true"} if tiered else configs


def reach(kafka: Mapping[str, Any], registry: Registry, prefix: str, *, timeout: float = TIMEOUT) -> Cluster:
    """Connect to the cluster.

    Raises:
        Retryable: Kafka does not answer.
    """
    admin = admin_client(kafka)
    try:
        metadata = admin.list_topics(timeout=timeout)
        broker = ConfigResource(ConfigResource.Type.BROKER, str(min(metadata.brokers)))
        configs = admin.describe_configs([broker], request_timeout=timeout)[broker].result()
    except KafkaException as error:
        raise Retryable(
            f"Kafka at {kafka['bootstrap.servers']} does not answer ({error.args[0].str()}); "
            "start it or correct KAFKA_BOOTSTRAP_SERVERS."
        ) from error
    tiered = configs.get("remote.log.storage.system.enable")
    there = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
    return Cluster(admin, registry, prefix, len(metadata.brokers), tiered is not None and tiered.value == "true", there)


def survey(cluster: Cluster) -> list[TopicState]:
    """Every topic of the catalogue beside what the cluster and the registry have.

    Raises:
        Retryable: one of them went away.
    """
    topics = {cluster.prefix + topic.name: topic for topic in wanted_topics()}
    configs = _configs(cluster, [name for name in topics if name in cluster.partitions])
    return [
        TopicState(
            name,
            topic,
            Present(cluster.partitions[name], configs[name]) if name in configs else None,
            tuple(record for record in topic.records if not cluster.registry.is_ensured(record)),
        )
        for name, topic in topics.items()
    ]


def differences(state: TopicState, *, tiered: bool) -> Iterator[Difference]:
    """What of a topic is not as the catalogue says."""
    wanted, present = state.wanted, state.present
    if present is None:
        yield Difference(state, Kind.MISSING, "is missing")
    else:
        yield from _partitions(state, present.partitions)
        yield from _settings(state, present.configs, wanted_configs(wanted, tiered=tiered))
    if state.unregistered:
        first = ", ".join(state.unregistered[:3])
        others = "" if len(state.unregistered) <= 3 else f" and {len(state.unregistered) - 3} more"
        told = f"has schemas that are not registered as FULL_TRANSITIVE: {first}{others}"
        yield Difference(state, Kind.UNREGISTERED, told)


def put_right(cluster: Cluster, difference: Difference) -> str:
    """Remove one difference that can be removed; says what was done.

    Raises:
        Rejected: Kafka or the registry refuses.
        Retryable: one of them went away.
    """
    state = difference.state
    wanted = state.wanted
    match difference.kind:
        case Kind.MISSING:
            if _create(cluster, state):
                return f"{state.name} created with {wanted.partitions} partitions"
            return f"{state.name} was made by another process meanwhile"
        case Kind.FEWER_PARTITIONS:
            _settle(cluster.admin.create_partitions([NewPartitions(state.name, wanted.partitions)]))
            return f"{state.name} has {wanted.partitions} partitions now"
        case Kind.SHORT:
            _settle(cluster.admin.incremental_alter_configs([_alteration(state.name, difference.configs)]))
            return f"{state.name} set to {_listed(difference.configs)}"
        case Kind.UNREGISTERED:
            cluster.registry.ensure(state.unregistered)
            return f"{state.name} schemas registered as FULL_TRANSITIVE: {len(state.unregistered)}"
        case _:
            raise Rejected(f"{difference}; {difference.kind.value}.")


def _partitions(state: TopicState, there: int) -> Iterator[Difference]:
    wanted = state.wanted.partitions
    if there < wanted:
        told = f"has {there} of {wanted} partitions; more of them send a key to another partition than before"
        yield Difference(state, Kind.FEWER_OF_COMPACTED if state.wanted.compacted else Kind.FEWER_PARTITIONS, told)
    elif there > wanted:
        yield Difference(state, Kind.MORE, f"has {there} partitions, the catalogue says {wanted}")


def _settings(state: TopicState, there: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Difference]:
    if there.get("cleanup.policy") != wanted["cleanup.policy"]:
        told = f"has cleanup.policy {there.get('cleanup.policy')}, the catalogue says {wanted['cleanup.policy']}"
        yield Difference(state, Kind.OTHER_CLEANUP, told)
        return
    short = {name: value for name, value in wanted.items() if _is_short(name, there.get(name), value)}
    if short:
        yield Difference(state, Kind.SHORT, f"needs {_listed(short)}", short)
    if "retention.ms" in wanted and _is_short("retention.ms", wanted["retention.ms"], there["retention.ms"]):
        told = f"has retention.ms {there['retention.ms']}, the catalogue says {wanted['retention.ms']}"
        yield Difference(state, Kind.MORE, told)


def _is_short(name: str, there: str | None, wanted: str) -> bool:
    if there is None or not name.startswith("retention."):
        return there != wanted
    return _bound(there) < _bound(wanted)


def _bound(limit: str) -> float:
    return float("inf") if int(limit) == FOR_EVER else int(limit)


def _configs(cluster: Cluster, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    answers = cluster.admin.describe_configs(resources, request_timeout=TIMEOUT)
    return {
        resource.name: {entry.name: entry.value for entry in _answer(future).values()}
        for resource, future in answers.items()
    }


def _create(cluster: Cluster, state: TopicState) -> bool:
    """False where somebody else was quicker; what they made may be something else."""
    replicas = min(REPLICAS, cluster.brokers)
    configs = wanted_configs(state.wanted, tiered=cluster.tiered) | _durability(replicas)
    topic = NewTopic(state.name, state.wanted.partitions, replicas, config=configs)
    try:
        _settle(cluster.admin.create_topics([topic], operation_timeout=TIMEOUT))
    except Rejected as refusal:
        if not _is_there_already(refusal):
            raise
        return False
    return True


def _durability(replicas: int) -> dict[str, str]:
    """With three copies an acknowledged message is on two of them at least."""
    return {"min.insync.replicas": "2"} if replicas >= REPLICAS else {}


def _alteration(name: str, configs: Mapping[str, str]) -> ConfigResource:
    entries = [
        ConfigEntry(option, value, incremental_operation=AlterConfigOpType.SET) for option, value in configs.items()
    ]
    return ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)


def _settle(futures: Mapping[Any, Future[Any]]) -> None:
    for future in futures.values():
        _answer(future)


def _answer(future: Future[Any]) -> Any:
    try:
        return future.result(timeout=2 * TIMEOUT)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        kind = Retryable if reason.retriable() or reason.code() < 0 else Rejected
        raise kind(f"Kafka refuses: {reason.str()}") from error


def _is_there_already(refusal: Rejected) -> bool:
    cause = refusal.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


def _listed(configs: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in configs.items())
