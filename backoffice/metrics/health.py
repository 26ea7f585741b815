"""Whether the web process lives, and whether all it needs answers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache

import redis
from confluent_kafka import KafkaException
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from backoffice.contracts.registry import Registry
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.errors import Retryable
from backoffice.live.conditions import HERE
from backoffice.streams.kafka.clients import admin_client
from backoffice.streams.tables.partitions import missing_partitions

from . import machine
from .alerts import UnsentAlert, read_alerts
from .differences import read_differences
from .jobs import read_jobs
from .lag import Lag, ask_lag, judged
from .outbox import Outbox, read_outbox
from .progress import TopicProgress, read_topics
from .silence import read_sources

TIMEOUT = 2.0


def live(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"alive": True})


def ready(_: HttpRequest) -> JsonResponse:
    """200 when Postgres, Redis, Kafka, the registry and this process' live service are well; else 503 and why.

    It also tells of streams that stand still although there is work, are halted or diverted, of an outbox that nobody
    empties, and of alerts that for this or any other reason nobody was sent. Pages can be served all the same, and a
    balancer that took every web process away would hide from people what they have to mend.
    """
    said = answers() | {"live": _joined(HERE.grave()) or "ok"}
    status = 200 if all(answer == "ok" for answer in said.values()) else 503
    return JsonResponse(said | _standing(SystemClock().now()), status=status)


def facts(_: HttpRequest) -> JsonResponse:
    """What is fresh, dead, halted, silent, missing or held, how this process' live service is; 503 without Postgres."""
    now = SystemClock().now()
    try:
        lag = ask_lag(now)
        topics = judged(read_topics(), lag)
        told = [machine.topic(each, now, lag.waiting if lag else None) for each in topics]
        feeds = [machine.source(found, now) for found in read_sources(now)]
        missing = missing_partitions(now)
        jobs = [machine.job(found, now) for found in read_jobs()]
        differences = [machine.differences(found, now) for found in read_differences()]
        outbox = machine.outbox(read_outbox(), now)
        alerts = [machine.alert(found, now) for found in read_alerts()]
    except Error as error:
        return JsonResponse({"postgres": f"away: {type(error).__name__}", "live": HERE.rows()}, status=503)
    return JsonResponse(
        {
            "at": now.isoformat(), "streams": _said(topics, lag), "topics": told,
            "feeds": feeds, "missing_partitions": missing, "outbox": outbox, "unsent_alerts": alerts,
            "jobs": jobs, "differences": differences,
            "live": HERE.rows(),
        }
    )  # fmt: skip


def _joined(said: dict[str, str]) -> str:
    return "; ".join(f"{part} {what}" for part, what in said.items())


def answers() -> dict[str, str]:
    """For each part that Pitboss needs: "ok", or that it is away."""
    return {name: _answer(probe) for name, probe in PROBES.items()}


def _answer(probe: Callable[[], object]) -> str:
    try:
        probe()
    except (Error, redis.RedisError, KafkaException, Retryable) as error:
        return f"away: {type(error).__name__}"
    return "ok"


def _standing(now: datetime) -> dict[str, str]:
    """What stands although all parts answer."""
    try:
        lag = ask_lag(now)
        streams = _said(judged(read_topics(), lag), lag)
        outbox, alerts = _said_of_outbox(read_outbox(), now), _said_of_alerts(read_alerts())
    except Error:
        streams = outbox = alerts = "unknown without Postgres"
    return {"streams": streams, "outbox": outbox, "alerts": alerts}


def _said_of_outbox(outbox: Outbox, now: datetime) -> str:
    said = []
    if outbox.oldest_at is not None and outbox.is_late(now):
        waits = f"{outbox.ready:,} messages wait, the oldest for {(now - outbox.oldest_at).total_seconds():.0f} s"
        said.append(f"{waits}: no relay runs, or Kafka does not take them")
    said += [f"{held.keys:,} keys of {held.topic} cannot be sent" for held in outbox.topics]
    return "; ".join(said) or "ok"


def _said_of_alerts(alerts: Iterable[UnsentAlert]) -> str:
    counted = Counter(alert.kind for alert in alerts)
    return ", ".join(f"{count:,} {kind} not sent yet" for kind, count in sorted(counted.items())) or "ok"


def _said(topics: Iterable[TopicProgress], lag: Lag | None) -> str:
    """Which streams do not go on as usual; without Kafka nobody can say that all do."""
    found: dict[str, list[str]] = defaultdict(list)
    for progress in topics:
        for how in progress.stopped:
            found[how].append(f"{progress.stream}: {progress.topic}")
    told = "; ".join(f"{how}: {', '.join(places)}" for how, places in found.items())
    return told or ("unknown without Kafka" if lag is None else "ok")


def _postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT) as client:
        client.ping()


def _kafka() -> None:
    admin_client(settings.KAFKA).list_topics(timeout=TIMEOUT)


def _registry() -> None:
    _registry_at(settings.SCHEMA_REGISTRY_URL).reach()


@cache
def _registry_at(url: str) -> Registry:
    return Registry(url, timeout=TIMEOUT)


PROBES: dict[str, Callable[[], None]] = {
    "postgres": _postgres, "redis": _redis, "kafka": _kafka, "registry": _registry,
}  # fmt: skip
