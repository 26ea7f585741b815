"""Letting halted partitions go on, where the cause of the halt is gone."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from ...database import connect, retryable
from ...kafka.logs import Log
from ...models import Acceptance, Diversion, Halt, Offset, Reading
from .. import reused
from . import diverting
from .halts import end


@dataclass
class Resumed:
    """The partitions that go on, and of those that do not the reason."""

    going_on: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def resume(
    *,
    stream: str,
    topic: str,
    partition: int | None,
    log: Log,
    unreadable: dict[int, str],
    actor: Actor,
    now: datetime,
    accepting: str = "",
) -> Resumed:
    """End the halt of a partition, or of all that can go on; the workers go on at the offsets where they stopped.

    ``log`` is what Kafka holds of the topic, ``unreadable`` what it says of places that cannot be read. With
    ``accepting`` (a reason) every bad message that is in the log by now is taken as a dead letter, however many there
    are. A partition that diverts its bad messages ends that too, and whom it suspended is believed again.

    Raises:
        Rejected: nothing waits for a person; the one partition that was asked for cannot go on.
    """
    asked = {} if partition is None else {"partition": partition}
    diverted = Diversion.objects.filter(stream=stream, topic=topic, ended_at=None, **asked)
    with transaction.atomic():
        halts = Halt.objects.select_for_update().filter(stream=stream, topic=topic, resumed_at=None, **asked)
        numbers = sorted(diverted.values_list("partition", flat=True))
        found = _judged(stream, topic, list(halts.order_by("partition")), log, unreadable)
        if not (found.going_on or found.refused or numbers or accepting):
            raise Rejected(f"{_named(stream, topic, partition)} is not halted; `streams status` shows what is.")
        if partition in found.refused:
            raise Rejected(found.refused[partition])
        _put_aside(stream, topic, found.going_on)
        if accepting:
            found.refused = _not_accepted(topic, log) | found.refused
            ends = log.ends if partition is None else {partition: log.ends[partition]}
            _accept(stream, topic, ends, actor, now, accepting)
        end(halts.filter(partition__in=found.going_on), actor=actor, now=now)
    if numbers:
        with retryable(), connect() as connection:
            diverting.end(connection, stream=stream, topic=topic, partitions=numbers, by=actor.id)
    return replace(found, going_on=sorted({*found.going_on, *numbers}))


def _not_accepted(topic: str, log: Log) -> dict[int, str]:
    """The partitions of which Kafka does not tell up to where what is bad would be taken, and why."""
    return {number: f"What is bad in {topic}[{number}] is not accepted: {why}." for number, why in log.untold.items()}


def _put_aside(stream: str, topic: str, partitions: list[int]) -> None:
    """Where offsets come again and the first messages stand in the way, it would only halt there anew."""
    offsets = Offset.objects.select_for_update().filter(stream=stream, topic=topic, partition__in=partitions)
    for partition, following in offsets.order_by("partition").values_list("partition", "next"):
        reused.put_aside(stream, topic, partition, following=following)


def _judged(stream: str, topic: str, halts: list[Halt], log: Log, unreadable: dict[int, str]) -> Resumed:
    found = Resumed()
    stored = dict(Offset.objects.filter(stream=stream, topic=topic).values_list("partition", "next"))
    known = Reading.objects.filter(stream=stream, topic=topic).values_list("topic_id", flat=True).first()
    for halt in halts:
        following = stored.get(halt.partition, halt.offset)
        why = f"{log.untold[halt.partition]}." if halt.partition in log.untold else ""
        if why := why or _still_there(halt, following, known or log.topic_id, log, unreadable):
            found.refused[halt.partition] = f"{topic}[{halt.partition}] stays halted: {why}"
        else:
            found.going_on.append(halt.partition)
    return found


def _still_there(halt: Halt, following: int, known: str, log: Log, unreadable: dict[int, str]) -> str:
    """Why the cause of a halt is not gone, and which command accepts what it costs; empty where it is."""
    lane, place = f"{halt.stream} {halt.topic}", f"{halt.stream} {halt.topic} {halt.partition}"
    if known != log.topic_id:
        return (
            f"the topic was made anew (its id is {log.topic_id}, the offsets belong to {known}). "
            f"`streams adopt {lane} --reason …` stores the new one from its beginning."
        )
    begin, end = log.begins.get(halt.partition), log.ends.get(halt.partition)
    if begin is None or end is None:
        return "Kafka has no such partition."
    if following < begin:
        return (
            f"its log begins at {begin}, {begin - following} offsets behind the next one to store ({following}). "
            f"`streams skip {place} --to beginning --reason …` accepts the gap."
        )
    if following > end:
        return (
            f"its log ends at {end}, before the next one to store ({following}): it was cut off. "
            f"`streams skip {place} --to end --reason …` goes on there."
        )
    if halt.partition in unreadable:
        return (
            f"it still cannot be read at {following} ({unreadable[halt.partition]}). "
            f"`streams skip {place} --to OFFSET --reason …` gives up what cannot be read."
        )
    return ""


def _accept(stream: str, topic: str, ends: dict[int, int], actor: Actor, now: datetime, reason: str) -> None:
    Acceptance.objects.bulk_create(
        Acceptance(
            stream=stream, topic=topic, partition=partition, until=end, accepted_at=now, accepted_by=actor.id,
            reason=reason,
        )
        for partition, end in sorted(ends.items())
    )  # fmt: skip


def _named(stream: str, topic: str, partition: int | None) -> str:
    return f"{stream}: {topic}" if partition is None else f"{stream}: {topic}[{partition}]"
