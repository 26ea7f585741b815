"""``manage.py topics``: what differs is judged by pure functions; what is done about it is seen on a real cluster."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, SchemaRegistryClient, ServerConfig
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from backoffice.contracts.catalogue import TOPICS, Topic, dead_letters
from backoffice.contracts.registry import Registry
from backoffice.streams.kafka.topics import (
    Kind,
    Present,
    TopicState,
    differences,
    reach,
    survey,
    wanted_configs,
)
from backoffice.streams.management.commands import topics as command
from tests.spine import LOGGED, until

Run = Callable[..., tuple[int, str]]
DAY = 86_400_000
ODDS = TOPICS["odds-feed"]
BETS = TOPICS["bet-events"]
PRICES = TOPICS["market-prices"]


def state(topic: Topic, *, partitions: int | None = None, tiered: bool = False, **configs: str) -> TopicState:
    """A topic exactly as wanted, but for what is given; dots in names are written as underscores."""
    there = wanted_configs(topic, tiered=tiered) | {name.replace("_", "."): value for name, value in configs.items()}
    return TopicState(topic.name, topic, Present(partitions or topic.partitions, there), ())


def kinds(of: TopicState, *, tiered: bool = False) -> list[Kind]:
    return [difference.kind for difference in differences(of, tiered=tiered)]


def raised(of: TopicState, *, tiered: bool = False) -> dict[str, str]:
    (difference,) = differences(of, tiered=tiered)
    assert difference.kind is Kind.SHORT
    return dict(difference.configs)


@pytest.mark.parametrize("topic", [ODDS, BETS, PRICES, dead_letters(BETS)], ids=lambda topic: topic.name)
@pytest.mark.parametrize("tiered", [False, True])
def test_a_topic_as_wanted_has_no_differences(topic: Topic, tiered: bool) -> None:
    assert kinds(state(topic, tiered=tiered), tiered=tiered) == []


def test_a_topic_that_is_not_there_is_missing() -> None:
    assert kinds(replace(state(ODDS), present=None, unregistered=("MarketUpdate",))) == [
        Kind.MISSING,
        Kind.UNREGISTERED,
    ]


def test_partitions_are_told_either_way() -> None:
    assert kinds(state(ODDS, partitions=7)) == [Kind.FEWER_PARTITIONS]
    assert kinds(state(ODDS, partitions=9)) == [Kind.MORE]


def test_to_a_compacted_topic_none_are_added() -> None:
    assert kinds(state(PRICES, partitions=PRICES.partitions - 1)) == [Kind.FEWER_OF_COMPACTED]


def test_retention_is_raised_and_never_lowered() -> None:
    assert raised(state(ODDS, retention_ms=str(7 * DAY))) == {"retention.ms": str(30 * DAY)}
    assert raised(state(BETS, retention_ms=str(900 * DAY))) == {"retention.ms": "-1"}
    assert raised(state(BETS, retention_bytes="1000000")) == {"retention.bytes": "-1"}
    assert kinds(state(ODDS, retention_ms=str(31 * DAY))) == [Kind.MORE]
    assert kinds(state(ODDS, retention_ms="-1")) == [Kind.MORE]


def test_another_cleanup_policy_is_for_a_person_to_decide() -> None:
    assert kinds(state(BETS, cleanup_policy="compact")) == [Kind.OTHER_CLEANUP]
    assert kinds(state(PRICES, cleanup_policy="compact,delete")) == [Kind.OTHER_CLEANUP]


def test_tiered_storage_is_used_where_the_cluster_offers_it() -> None:
    untiered = state(BETS)

    assert kinds(untiered) == []
    assert raised(untiered, tiered=True) == {"remote.storage.enable": "true"}
    assert "remote.storage.enable" not in wanted_configs(PRICES, tiered=True)


@pytest.fixture
def admin(kafka: dict[str, str]) -> AdminClient:
    return AdminClient({**kafka})


@pytest.fixture
def topics(admin: AdminClient, kafka: dict[str, str], registry_url: str, prefix: str, database: str) -> Iterator[Run]:
    """Run the command: its exit code and what it says. What it made is gone after the test."""

    def run(*arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("topics", *arguments, stdout=out, stderr=out)
        except CommandError as error:
            return error.returncode, f"{out.getvalue()}{error}"
        return 0, out.getvalue()

    with override_settings(KAFKA=kafka, SCHEMA_REGISTRY_URL=registry_url, KAFKA_TOPIC_PREFIX=prefix):
        yield run
    made = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    for future in admin.delete_topics(made).values() if made else ():
        future.result()


def test_an_empty_cluster_differs_and_stays_empty_until_told(topics: Run, admin: AdminClient, prefix: str) -> None:
    code, told = topics()

    assert code == 1, told
    assert f"differs: {prefix}bet-events is missing (run `manage.py topics --apply`)" in told
    assert "24 differences between the catalogue and the cluster." in told
    assert not any(name.startswith(prefix) for name in admin.list_topics(timeout=10).topics)


def test_applying_makes_all_topics_and_schemas_once(topics: Run, registry: Registry, prefix: str) -> None:
    assert topics("--apply")[0] == 0
    assert topics()[0] == 0
    code, told = topics("--apply")

    assert code == 0
    assert "done:" not in told
    cluster = reach(settings.KAFKA, registry, prefix)
    there = {of.name: of for of in survey(cluster)}
    assert len(there) == 16
    assert all(of.present and of.present.partitions == of.wanted.partitions for of in there.values())
    assert _configs(there[f"{prefix}odds-feed"])["retention.ms"] == str(30 * DAY)
    assert _configs(there[f"{prefix}odds-feed.dlq"])["retention.ms"] == str(400 * DAY)
    assert _configs(there[f"{prefix}bet-events"])["retention.ms"] == "-1"
    assert _configs(there[f"{prefix}market-prices"])["cleanup.policy"] == "compact"


def test_what_is_short_is_raised_and_what_is_more_is_left(topics: Run, admin: AdminClient, prefix: str) -> None:
    topics("--apply")
    _make_again(admin, NewTopic(f"{prefix}odds-feed", 8, 1, config=LOGGED | {"retention.ms": str(DAY)}))
    _make_again(admin, NewTopic(f"{prefix}bet-events", 10, 1, config=LOGGED | {"retention.ms": "-1"}))
    code, told = topics()
    assert code == 1, told
    assert f"{prefix}odds-feed needs retention.ms={30 * DAY}" in told

    code, told = topics("--apply")

    assert code == 0
    assert f"done: {prefix}odds-feed set to retention.ms={30 * DAY}" in told
    assert f"left alone: {prefix}bet-events has 10 partitions, the catalogue says 8" in told
    assert _partitions(admin, f"{prefix}bet-events") == 10


def test_more_partitions_need_a_word(topics: Run, admin: AdminClient, prefix: str) -> None:
    topics("--apply")
    _make_again(admin, NewTopic(f"{prefix}game-rounds", 3, 1, config=LOGGED | {"retention.ms": "-1"}))

    code, told = topics("--apply")

    assert code == 1, told
    assert f"left alone: {prefix}game-rounds has 3 of 8 partitions" in told
    assert "run `manage.py topics --apply --allow-more-partitions`" in told
    assert _partitions(admin, f"{prefix}game-rounds") == 3

    code, told = topics("--apply", "--allow-more-partitions")

    assert code == 0
    assert "warning:" in told
    assert _partitions(admin, f"{prefix}game-rounds") == 8


def test_a_compacted_topic_gets_no_more_partitions_whatever_is_said(
    topics: Run, admin: AdminClient, prefix: str
) -> None:
    topics("--apply")
    _make_again(admin, NewTopic(f"{prefix}market-prices", 3, 1, config=LOGGED | {"cleanup.policy": "compact"}))

    code, told = topics("--apply", "--allow-more-partitions")

    assert code == 1, told
    assert f"left alone: {prefix}market-prices has 3 of 8 partitions" in told
    assert "compaction works within a partition" in told
    assert "`streams adopt` it" in told
    assert _partitions(admin, f"{prefix}market-prices") == 3


def test_a_cleanup_policy_is_not_changed_by_itself(topics: Run, admin: AdminClient, prefix: str) -> None:
    topics("--apply")
    _make_again(admin, NewTopic(f"{prefix}bet-events", 8, 1, config={"cleanup.policy": "compact"}))

    code, told = topics("--apply")

    assert code == 1, told
    assert f"left alone: {prefix}bet-events has cleanup.policy compact, the catalogue says delete" in told
    assert topics()[0] == 1


def test_a_subject_that_was_opened_is_guarded_again(topics: Run, registry_url: str, prefix: str) -> None:
    topics("--apply")
    subject = Registry(registry_url, prefix).subject("BetPlaced")
    client = SchemaRegistryClient({"url": registry_url})
    client.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
    code, told = topics()
    assert code == 1, told
    assert "schemas that are not registered as FULL_TRANSITIVE: BetPlaced" in told

    assert topics("--apply")[0] == 0

    assert client.get_config(subject).compatibility_level == ConfigCompatibilityLevel.FULL_TRANSITIVE


def test_two_that_apply_at_once_do_not_disturb_each_other(
    topics: Run, registry: Registry, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = survey(reach(settings.KAFKA, registry, prefix))
    assert topics("--apply")[0] == 0

    _see_first(monkeypatch, before)
    code, told = topics("--apply")

    assert code == 0, told
    assert told.count("was made by another process meanwhile") == 16


def test_what_somebody_else_made_meanwhile_is_looked_at(
    topics: Run,
    admin: AdminClient,
    kafka: dict[str, str],
    registry_url: str,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = survey(reach(kafka, Registry(registry_url, prefix), prefix))
    _make(admin, NewTopic(f"{prefix}bet-events", 8, 1, config={"cleanup.policy": "compact"}))

    _see_first(monkeypatch, before)
    monkeypatch.setattr(command, "SECONDS_TO_SETTLE", 0.0)
    code, told = topics("--apply")

    assert code == 1, told
    assert f"differs: {prefix}bet-events has cleanup.policy compact" in told


def test_kafka_away_is_one_line(
    topics: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "reach", partial(reach, timeout=1.0))

    with override_settings(KAFKA={"bootstrap.servers": "127.0.0.1:1"}):
        code, told = topics("--apply")

    assert code == 1, told
    assert told.count("\n") == 0
    assert told.startswith("Kafka at 127.0.0.1:1 does not answer")
    assert told.endswith("start it or correct KAFKA_BOOTSTRAP_SERVERS.")
    assert capfd.readouterr() == ("", "")


def test_a_registry_that_is_away_is_one_line_and_nothing_is_made(topics: Run, admin: AdminClient, prefix: str) -> None:
    with override_settings(SCHEMA_REGISTRY_URL="http://127.0.0.1:1"):
        code, told = topics("--apply")

    assert code == 1, told
    assert told.count("\n") == 0
    assert told.endswith("start it or correct SCHEMA_REGISTRY_URL.")
    assert not any(name.startswith(prefix) for name in admin.list_topics(timeout=10).topics)


def _see_first(monkeypatch: pytest.MonkeyPatch, stale: list[TopicState]) -> None:
    """Let the command's first look show what was there some time ago."""
    looks = iter([stale])
    monkeypatch.setattr(command, "survey", lambda cluster: next(looks, None) or survey(cluster))


def _configs(of: TopicState) -> dict[str, str]:
    assert of.present
    return dict(of.present.configs)


def _partitions(admin: AdminClient, name: str) -> int:
    topic = admin.list_topics(timeout=10).topics.get(name)
    return len(topic.partitions) if topic else 0


def _make_again(admin: AdminClient, topic: NewTopic) -> None:
    """Replace a topic by one as somebody else might have made it."""
    admin.delete_topics([topic.topic], operation_timeout=20)[topic.topic].result()
    until(lambda: topic.topic not in admin.list_topics(timeout=10).topics, "the topic is gone")
    _make(admin, topic)


def _make(admin: AdminClient, topic: NewTopic) -> None:
    admin.create_topics([topic], operation_timeout=20)[topic.topic].result()
    until(lambda: _partitions(admin, topic.topic) == topic.num_partitions, "the topic is there")
