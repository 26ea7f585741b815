"""What Prometheus is told: what the processes count of themselves, and the facts that stand in Postgres.

The facts are read when they are asked for: they are right when no worker lives too, which is when they matter most.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from backoffice.ended_metrics import forget_ended, looking_at
from backoffice.kernel.asking import Question
from backoffice.metric_files import SharedNumbers
from backoffice.streams.jobs import Job

from .alerts import UnsentAlert
from .asking import Heard, heard
from .differences import Differences
from .facts import FACTS, Facts
from .health import facts_of, lag_of
from .lag import Lag
from .outbox import Outbox
from .progress import TopicProgress
from .silence import Source

log = logging.getLogger(__name__)


async def metrics(_: HttpRequest) -> HttpResponse:
    """`/metrics`. While Postgres is away the facts are left out, and ``pitboss_facts_readable`` is 0.

    Those that it does not tell in time are left out by themselves, and named by ``pitboss_fact_unread``.
    """
    told = await heard(FACTS | {"numbers": _NUMBERS})
    numbers = _numbers_of(told)
    standing = CollectorRegistry()
    standing.register(StandingNumbers(facts_of(told), lag_of(told), has_numbers=numbers is not None))
    return HttpResponse((numbers or b"") + generate_latest(standing), content_type=CONTENT_TYPE_LATEST)


def _own_numbers() -> bytes:
    """Read out of files that all processes write; a disk can hang as well."""
    folder = settings.METRICS_FOLDER
    if folder is None:
        return generate_latest(REGISTRY)
    forget_ended(folder)
    shared = CollectorRegistry()
    shared.register(SharedNumbers(folder))
    with looking_at(folder):
        return generate_latest(shared)


_NUMBERS = Question("numbers", _own_numbers)


def _numbers_of(told: Heard) -> bytes | None:
    """None where they are not told in time, or a file is torn (whatever its bytes are taken for) or cannot be read."""
    if "numbers" not in told:
        return None
    answer: Future[bytes] = told["numbers"]
    if (error := answer.exception()) is not None:
        folder = settings.METRICS_FOLDER
        log.error(
            "what the processes count cannot be read out of %s; remove what is torn there", folder, exc_info=error
        )
        return None
    return answer.result()


class StandingNumbers(Collector):
    """Newest event, open dead letters and halted partitions of each topic; feeds; months that tables lack; jobs."""

    def __init__(self, facts: Facts | None, lag: Lag | None, *, has_numbers: bool) -> None:
        self._facts, self._lag, self._has_numbers = facts, lag, has_numbers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = "1 where Postgres answers; else there are no facts."
        yield GaugeMetricFamily("pitboss_facts_readable", told, value=float(self._facts is not None))
        told = "1 where what the processes count of themselves could be read in time; else it is left out."
        yield GaugeMetricFamily("pitboss_numbers_readable", told, value=float(self._has_numbers))
        if self._facts is not None:
            yield _of_unread(self._facts)
            yield from _of_lag(self._lag)
            yield from self._of_facts(self._facts)

    def _of_facts(self, facts: Facts) -> Iterator[GaugeMetricFamily]:
        """Of those that were read."""
        topics = facts.topics_judged(self._lag)
        if topics is not None:
            yield from _of_topics(topics)
        if facts.sources is not None:
            yield from _of_sources(facts.sources)
        if facts.missing_partitions is not None:
            yield _of_partitions(facts.missing_partitions)
        if facts.outbox is not None:
            yield from _of_outbox(facts.outbox, facts.at)
        if facts.alerts is not None:
            yield _of_alerts(facts.alerts)
        if facts.jobs is not None:
            yield from _of_jobs(facts.jobs, facts.at)
        if facts.differences is not None:
            yield from _of_differences(facts.differences)
        if facts.hidden_metrics is not None:
            told = "Workers whose metrics others do not see, by their own word."
            yield GaugeMetricFamily("pitboss_hidden_metrics", told, value=len(facts.hidden_metrics))


def _of_unread(facts: Facts) -> GaugeMetricFamily:
    told = "1 for each of the facts that Postgres did not tell in time: a table may be locked, or wait for `migrate`."
    unread = GaugeMetricFamily("pitboss_fact_unread", told, labels=("fact",))
    for name in facts.unread:
        unread.add_metric((name,), 1.0)
    return unread


def _of_partitions(missing: list[str]) -> GaugeMetricFamily:
    told = "Months of partitioned tables that are due and not made."
    return GaugeMetricFamily("pitboss_missing_partitions", told, value=len(missing))


def _of_outbox(found: Outbox, now: datetime) -> Iterator[GaugeMetricFamily]:
    oldest = (now - found.oldest_at).total_seconds() if found.oldest_at else 0.0
    for name, told, value in (
        ("ready_messages", "Messages that go with the next rounds of the relay; of the oldest 10,000.", found.ready),
        ("oldest_ready_seconds", "How long the oldest of these waits; much is: no relay runs.", oldest),
        ("held_messages", "Messages that cannot be sent, and those behind them; of 10,000.", found.held),
    ):
        yield GaugeMetricFamily(f"pitboss_outbox_{name}", told, value=value)
    told = "Keys whose next message cannot be sent; 1 for a topic that is held whole."
    keys = GaugeMetricFamily("pitboss_outbox_held_keys", told, labels=("topic",))
    for held in found.topics:
        keys.add_metric((held.topic,), held.keys)
    yield keys


def _of_alerts(alerts: Iterable[UnsentAlert]) -> GaugeMetricFamily:
    told = "Open alerts of the platform that have not left for Kafka: whoever waits for them there does not know."
    unsent = GaugeMetricFamily("pitboss_unsent_alerts", told, labels=("kind",))
    for kind, count in Counter(alert.kind for alert in alerts).items():
        unsent.add_metric((kind,), count)
    return unsent


def _of_topics(topics: Iterable[TopicProgress]) -> Iterator[GaugeMetricFamily]:
    newest, dead, halted, diverted, stalled, ahead, skipped = (
        GaugeMetricFamily(f"pitboss_stream_{name}", told, labels=("stream", "topic"))
        for name, told in (
            ("newest_event_timestamp_seconds", "When the newest stored event happened."),
            ("open_dead_letters", "Dead letters that wait for a person; of the oldest 10,000."),
            ("halted_partitions", "Partitions that wait for a person."),
            ("diverted_partitions", "Partitions whose bad messages are diverted."),
            (
                "stalled_partitions",
                "Partitions that stand still although there is work, by a worker's word or by Kafka's.",
            ),
            ("events_ahead", "Events that happened after the log took them, by a producer's clock that is ahead."),
            ("skipped_messages", "Offsets that a person had the stream leave out: all that is made of it lacks them."),
        )
    )
    for progress in topics:
        labels = (progress.stream, progress.topic)
        if progress.newest_at is not None:
            newest.add_metric(labels, progress.newest_at.timestamp())
        dead.add_metric(labels, progress.dead_letters)
        for family, partitions in (
            (halted, progress.halted), (diverted, progress.diverted), (stalled, progress.stalled),
        ):  # fmt: skip
            family.add_metric(labels, len(partitions))
        ahead.add_metric(labels, progress.lead.events)
        skipped.add_metric(labels, progress.skipped.messages)
    yield from (newest, dead, halted, diverted, stalled, ahead, skipped)


def _of_jobs(jobs: Iterable[Job], now: datetime) -> Iterator[GaugeMetricFamily]:
    succeeded = GaugeMetricFamily(
        "pitboss_job_succeeded_timestamp_seconds", "When the job last did its work.", labels=("job",)
    )
    overdue = GaugeMetricFamily("pitboss_job_overdue", "1 where the job ought to have been done.", labels=("job",))
    for job in jobs:
        if job.succeeded_at is not None:
            succeeded.add_metric((job.name,), job.succeeded_at.timestamp())
        overdue.add_metric((job.name,), float(job.is_overdue(now)))
    yield from (succeeded, overdue)


def _of_differences(differences: Iterable[Differences]) -> Iterator[GaugeMetricFamily]:
    told = "Differences that were found and neither mended nor explained since."
    open_ones = GaugeMetricFamily("pitboss_open_differences", told, labels=("kind",))
    told = "Findings that are no differences, of which somebody ought to know, and that stand open."
    warnings = GaugeMetricFamily("pitboss_open_warnings", told, labels=("kind",))
    for found in differences:
        open_ones.add_metric((found.kind,), found.differences.count)
        warnings.add_metric((found.kind,), found.warnings.count)
    yield from (open_ones, warnings)


def _of_lag(lag: Lag | None) -> Iterator[GaugeMetricFamily]:
    """Beside the workers' own gauge, for it is gone with them."""
    told = "1 where Kafka says how long its logs are; else no stream can be seen to stand still."
    yield GaugeMetricFamily("pitboss_lag_readable", told, value=float(lag is not None))
    told = "Messages of the topic that the stream has not stored, whether a worker lives or not."
    waiting = GaugeMetricFamily("pitboss_stream_waiting_messages", told, labels=("stream", "topic"))
    for labels, messages in (lag.waiting if lag else {}).items():
        waiting.add_metric(labels, messages)
    yield waiting


def _of_sources(sources: list[Source]) -> Iterator[GaugeMetricFamily]:
    heard, watched, silent = (
        GaugeMetricFamily(f"pitboss_feed_{name}", told, labels=("provider",))
        for name, told in (
            ("heard_timestamp_seconds", "When the provider last said anything of a market that lives."),
            ("watched_markets", "Open markets in play or starting soon."),
            ("silent_markets", "Of these, those that said nothing for longer than their limit."),
        )
    )
    for source in sources:
        heard.add_metric((source.name,), source.heard_at.timestamp())
        watched.add_metric((source.name,), source.watched)
        silent.add_metric((source.name,), source.silent)
    yield from (heard, watched, silent)
