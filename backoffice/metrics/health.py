"""Whether the web process lives, and whether all it needs answers. Nobody who asks waits for longer than a limit."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import Future
from functools import cache
from typing import Any

import redis
from confluent_kafka import KafkaException
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

from backoffice.contracts.registry import Registry
from backoffice.kernel.asking import Question, Unasked
from backoffice.kernel.errors import Retryable
from backoffice.live.conditions import HERE
from backoffice.streams.collation import Unfit, must_be_fit_here
from backoffice.streams.jobs import Job
from backoffice.streams.kafka.clients import admin_client

from . import machine
from .alerts import UnsentAlert
from .asking import Heard, heard, heard_here, late
from .facts import FACTS, UNREAD, Facts, brief_session
from .lag import Lag
from .outbox import Outbox
from .progress import STAND_STILL, TopicProgress

TIMEOUT = 2.0
_REFUSES = "takes no writes: "
_AWAY = (Error, redis.RedisError, KafkaException, Retryable)


async def live(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"alive": True})


async def ready(_: HttpRequest) -> JsonResponse:
    """200 when Postgres, Redis, Kafka, the registry and this process' live service answer; else 503 and why.

    It also tells of a Redis that takes no writes, so that no job is done, of streams that stand still although there is
    work, are halted or diverted, of an outbox that nobody empties, of jobs that are overdue, of alerts that for this or
    any other reason nobody was sent, and of metrics that nobody sees. Pages can be served all the same, and a balancer
    that took every web process away would hide from people what they have to mend.
    """
    told = await heard(PROBES | FACTS)
    said = _said_of_parts(told) | {"live": _joined(HERE.grave()) or "ok"}
    status = 200 if all(answer == "ok" or answer.startswith(_REFUSES) for answer in said.values()) else 503
    return JsonResponse(said | _standing(told), status=status)


async def facts(_: HttpRequest) -> JsonResponse:
    """What is fresh, dead, halted, silent, missing or held, how this process' live service is; 503 without Postgres.

    What could not be read in time is null, and named under ``unread``.
    """
    told = await heard(FACTS)
    away = _answer(told.get("facts"))
    if away != "ok":
        return JsonResponse({"postgres": away, "live": HERE.rows()}, status=503)
    return JsonResponse(_document(told["facts"].result(), told) | {"live": HERE.rows()})


def _document(found: Facts, told: Heard) -> dict[str, Any]:
    now, lag = found.at, lag_of(told)
    topics = found.topics_judged(lag)
    return {
        "at": now.isoformat(),
        "streams": _said(topics, told),
        "topics": _each(topics, lambda each: machine.topic(each, now, lag.waiting if lag else None)),
        "feeds": _each(found.sources, lambda each: machine.source(each, now)),
        "missing_partitions": found.missing_partitions,
        "outbox": None if found.outbox is None else machine.outbox(found.outbox, now),
        "unsent_alerts": _each(found.alerts, lambda each: machine.alert(each, now)),
        "jobs": _each(found.jobs, lambda each: machine.job(each, now)),
        "differences": _each(found.differences, lambda each: machine.differences(each, now)),
        "hidden_metrics": found.hidden_metrics,
        "unread": found.unread,
    }


def _each(found: Iterable[Any] | None, told: Any) -> list[dict[str, Any]] | None:
    return None if found is None else [told(each) for each in found]


def _joined(said: dict[str, str]) -> str:
    return "; ".join(f"{part} {what}" for part, what in said.items())


def answers() -> dict[str, str]:
    """For each part that Pitboss needs: "ok", that it is away, or that it takes no writes and why."""
    return _said_of_parts(heard_here(PROBES))


def _said_of_parts(told: Heard) -> dict[str, str]:
    return {name: _answer(told.get(name)) for name in PROBES}


def _answer(answer: Future[Any] | None) -> str:
    if answer is None:
        return late()
    try:
        answer.result()
    except (Unasked, Unfit) as error:
        return str(error)
    except redis.ResponseError as error:
        return f"{_REFUSES}{error}"
    except _AWAY as error:
        return f"away: {type(error).__name__}"
    return "ok"


def facts_of(told: Heard) -> Facts | None:
    """None while Postgres is away, does not answer in time, or cannot be asked."""
    try:
        return told["facts"].result() if "facts" in told else None
    except (Error, Unasked):
        return None


def lag_of(told: Heard) -> Lag | None:
    """None while it is not known."""
    try:
        return told["lag"].result() if "lag" in told else None
    except (Error, Unasked):
        return None


def _standing(told: Heard) -> dict[str, str]:
    """What stands although all parts answer."""
    found = facts_of(told)
    if found is None:
        why = "unknown without Postgres" if "facts" in told else f"unknown without Postgres: it {late()}"
        of_postgres = dict.fromkeys(("streams", "outbox", "alerts", "jobs"), why)
        return of_postgres | {"metrics": _said_of_metrics(told, [])}
    return {
        "streams": _said(found.topics_judged(lag_of(told)), told),
        "outbox": _UNREAD if found.outbox is None else _said_of_outbox(found.outbox, found),
        "alerts": _UNREAD if found.alerts is None else _said_of_alerts(found.alerts),
        "jobs": _UNREAD if found.jobs is None else _said_of_jobs(found.jobs, found),
        "metrics": _said_of_metrics(told, found.hidden_metrics),
    }


_UNREAD = f"unknown: {UNREAD}"


_NOBODY_SENDS = "no relay runs, or Kafka does not take them"


def _said_of_outbox(outbox: Outbox, found: Facts) -> str:
    said = []
    if outbox.oldest_at is not None and outbox.is_late(found.at):
        waits = f"{outbox.ready:,} messages wait, the oldest for {(found.at - outbox.oldest_at).total_seconds():.0f} s"
        said.append(f"{waits}.{outbox.blocked}" if outbox.blocked else f"{waits}: {_NOBODY_SENDS}")
    said += [f"{held.keys:,} keys of {held.topic} cannot be sent" for held in outbox.topics]
    return "; ".join(said) or "ok"


def _said_of_alerts(alerts: Iterable[UnsentAlert]) -> str:
    counted = Counter(alert.kind for alert in alerts)
    return ", ".join(f"{count:,} {kind} not sent yet" for kind, count in sorted(counted.items())) or "ok"


def _said_of_metrics(told: Heard, of_workers: list[str] | None) -> str:
    """What is not seen on `/metrics` that ought to be: of this process and its machine, and of workers anywhere."""
    try:
        here = told["here"].result() if "here" in told else f"the folder that processes share {late()}"
    except Unasked as error:
        here = f"the folder that processes share: {error}"
    return "; ".join([*filter(None, [here]), *([_UNREAD] if of_workers is None else of_workers)]) or "ok"


def _said_of_jobs(jobs: Iterable[Job], found: Facts) -> str:
    late = [_job_and_age(job, found) for job in jobs if job.is_overdue(found.at)]
    return f"overdue: {', '.join(late)}" if late else "ok"


def _job_and_age(job: Job, found: Facts) -> str:
    by_hand = f" (its work is done by hand in {job.by_hand})" if job.by_hand else ""
    if job.succeeded_at is None:
        return f"{job.name}, never done{by_hand}"
    return f"{job.name}, last done {(found.at - job.succeeded_at).total_seconds():.0f} s ago{by_hand}"


def _said(topics: Iterable[TopicProgress] | None, told: Heard) -> str:
    """Which streams do not go on as usual; without Kafka nobody can say that all do."""
    if topics is None:
        return _UNREAD
    found: dict[str, list[str]] = defaultdict(list)
    for progress in topics:
        place = f"{progress.stream}: {progress.topic}"
        for how in progress.stopped:
            found[how].append(progress.standing if how == STAND_STILL else place)
    if found:
        return "; ".join(f"{how}: {', '.join(places)}" for how, places in found.items())
    if "lag" not in told:
        return f"unknown without Kafka: it {late()}"
    return "unknown without Kafka" if lag_of(told) is None else "ok"


def _postgres() -> None:
    with brief_session(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        must_be_fit_here()


def _redis() -> None:
    """A write, as jobs need it: one that is read-only, full or without its replicas answers a ping all the same."""
    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT, retry=once) as client:
        client.set(f"{settings.CELERY_TASK_DEFAULT_QUEUE}.health", "", px=1)


def _kafka() -> None:
    admin_client(settings.KAFKA).list_topics(timeout=TIMEOUT)


def _registry() -> None:
    _registry_at(settings.SCHEMA_REGISTRY_URL).reach()


@cache
def _registry_at(url: str) -> Registry:
    return Registry(url, timeout=TIMEOUT)


PROBES: dict[str, Question[None]] = {
    "postgres": Question("postgres", _postgres),
    "redis": Question("redis", _redis),
    "kafka": Question("kafka", _kafka),
    "registry": Question("registry", _registry),
}
