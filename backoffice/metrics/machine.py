"""The status for machines: moments in ISO 8601, ages in seconds, amounts in minor units, null for what is not known."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backoffice.streams.jobs import Job

from .alerts import UnsentAlert
from .differences import Differences
from .figures import FIGURES
from .outbox import Outbox
from .progress import StreamTopic, TopicProgress
from .silence import Source
from .status import OF_TOPICS, Status


def as_document(status: Status) -> dict[str, Any]:
    """All of it."""
    lag = status.lag_by_topic
    found = {
        "at": status.at.isoformat(),
        "events_per_second": status.events_per_second,
        "unread": list(status.unread),
        "topics": [topic(progress, status.at, lag) for progress in status.topics],
        "lag": None if lag is None else status.lag,
        "dead_letters": status.dead_letters,
        "halted": status.halted,
        "diverted": status.diverted,
        "stalled": status.stalled,
        "skipped": status.skipped,
        "missing_partitions": list(status.missing_partitions),
        "outbox": None if status.outbox is None else outbox(status.outbox, status.at),
        "unsent_alerts": [alert(each, status.at) | {"summary": each.summary} for each in status.unsent_alerts],
        "jobs": [job(each, status.at) for each in status.jobs],
        "differences": [differences(each, status.at) for each in status.differences],
        "hidden_metrics": list(status.hidden_metrics),
        "feeds": [source(each, status.at) for each in status.sources],
        **{name: figure.document(status.figures[name]) for name, figure in FIGURES.items() if name in status.figures},
        "age_seconds": {
            name: _seconds(at, status.at) for name, at in status.as_of.items() if name not in status.unread
        },
    }
    unread = [{"sources": "feeds"}.get(name, name) for name in status.unread]
    return found | dict.fromkeys([*unread, *(OF_TOPICS if "topics" in unread else ())])


def topic(progress: TopicProgress, now: datetime, lag: Mapping[StreamTopic, int] | None) -> dict[str, Any]:
    return {
        "stream": progress.stream,
        "topic": progress.topic,
        "newest_at": None if progress.newest_at is None else progress.newest_at.isoformat(),
        "freshness_seconds": _seconds(progress.newest_at, now),
        "stored_seconds_ago": _seconds(progress.stored_at, now),
        "dead_letters": progress.dead_letters,
        "halted": list(progress.halted),
        "diverted": list(progress.diverted),
        "stalled": list(progress.stalled),
        "untold": list(progress.untold),
        "skipped_messages": progress.skipped.messages,
        "skipped_seconds_ago": _seconds(progress.skipped.last_at, now),
        "lag": None if lag is None else lag.get((progress.stream, progress.topic)),
        "events_ahead": progress.lead.events,
        "ahead_most_seconds": progress.lead.most.total_seconds(),
        "ahead_seconds_ago": _seconds(progress.lead.last_at, now),
        "clock_behind_seconds": progress.behind.total_seconds(),
    }


def outbox(found: Outbox, now: datetime) -> dict[str, Any]:
    held = [
        {"topic": each.topic, "keys": each.keys, "whole": each.whole, "held_seconds": _seconds(each.since, now)}
        for each in found.topics
    ]
    return {
        "ready": found.ready,
        "oldest_seconds": _seconds(found.oldest_at, now),
        "is_late": found.is_late(now),
        "blocked": found.blocked,
        "held": found.held,
        "held_topics": held,
    }


def alert(found: UnsentAlert, now: datetime) -> dict[str, Any]:
    """Without its summary, which may name who is concerned."""
    return {
        "kind": found.kind,
        "alert_id": found.alert_id,
        "severity": found.severity,
        "raised_seconds_ago": _seconds(found.raised_at, now),
    }


def job(found: Job, now: datetime) -> dict[str, Any]:
    return {
        "name": found.name,
        "succeeded_seconds_ago": _seconds(found.succeeded_at, now),
        "due_at": found.due_at.isoformat(),
        "is_overdue": found.is_overdue(now),
        "by_hand": found.by_hand or None,
    }


def differences(found: Differences, now: datetime) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "open": found.differences.count,
        "oldest_seconds": _seconds(found.differences.since, now),
        "warnings": found.warnings.count,
        "oldest_warning_seconds": _seconds(found.warnings.since, now),
    }


def source(found: Source, now: datetime) -> dict[str, Any]:
    longest = [
        {"market": market.name, "silent_seconds": _seconds(market.heard_at, now), "limit": market.limit.total_seconds()}
        for market in found.longest
    ]
    return {
        "provider": found.name,
        "heard_seconds_ago": _seconds(found.heard_at, now),
        "limit": found.limit.total_seconds(),
        "is_silent": found.is_silent(now),
        "markets_watched": found.watched,
        "markets_silent": found.silent,
        "longest_silent": longest,
    }


def _seconds(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()
