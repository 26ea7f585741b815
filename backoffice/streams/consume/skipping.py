"""Going on behind messages that are lost: by a person's decision, and written down."""

from datetime import datetime

from django.db import transaction

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from ..kafka.logs import Log
from ..models import Gap, Halt, Offset, Reading, Repeat
from .halts import end

BEGINNING, END = "beginning", "end"


def skip(
    *, stream: str, topic: str, partition: int, to: str, log: Log, actor: Actor, reason: str, now: datetime
) -> Gap:
    """Store the partition from another offset on; what lies before it is a gap that is known.

    ``to`` is an offset, or where the log begins or ends now. A worker that has the partition notices by its next batch,
    which is refused and read again from there. A halt of the partition is over.

    Raises:
        Rejected: it would store again what is stored, or go on where the log holds nothing yet.
    """
    with transaction.atomic():
        _must_be_known(stream, topic, log)
        # Locked: a transaction that is storing comes to its end first, and the next one finds the offset moved.
        offset = Offset.objects.select_for_update().filter(stream=stream, topic=topic, partition=partition).first()
        if offset is None or partition not in log.ends:
            raise Rejected(f"{stream} has begun no {topic}[{partition}]; `streams status` shows the partitions.")
        target = _target(to, partition, log)
        _must_lead_on(target, offset.next, log.ends[partition], f"{topic}[{partition}]")
        gap = Gap.objects.create(
            stream=stream, topic=topic, generation=_generation(stream, topic), partition=partition,
            start=min(offset.next, target), end=target, reason=reason, accepted_at=now, accepted_by=actor.id,
        )  # fmt: skip
        Offset.objects.filter(stream=stream, topic=topic, partition=partition).update(next=target, updated_at=now)
        end(Halt.objects.filter(stream=stream, topic=topic, partition=partition), actor=actor, now=now, offset=target)
    return gap


def adopt(*, stream: str, topic: str, log: Log, actor: Actor, reason: str, now: datetime) -> list[Gap]:
    """Go over to a topic that was made anew under its name: all its partitions are stored from their beginning.

    What the former topic held and was not stored is lost; that is written down as gaps without an end. Repeats of the
    former topic are forgotten, because the offsets that they account for are gone.

    Raises:
        Rejected: the offsets belong to the topic that is there.
    """
    with transaction.atomic():
        reading = Reading.objects.select_for_update().filter(stream=stream, topic=topic).first()
        if reading is None or reading.topic_id == log.topic_id:
            raise Rejected(f"The offsets of {stream} belong to the {topic} that is there; there is nothing to adopt.")
        former = list(Offset.objects.select_for_update().filter(stream=stream, topic=topic).order_by("partition"))
        told = {"stream": stream, "topic": topic, "reason": reason, "accepted_at": now, "accepted_by": actor.id}
        gaps = [
            Gap(generation=reading.generation, partition=offset.partition, start=offset.next, **told)
            for offset in former
        ]
        gaps += [
            Gap(generation=reading.generation + 1, partition=partition, start=0, end=begin, **told)
            for partition, begin in sorted(log.begins.items())
            if begin
        ]
        Gap.objects.bulk_create(gaps)
        _begin_anew(stream, topic, log, former, now)
        end(Halt.objects.filter(stream=stream, topic=topic), actor=actor, now=now, offset=0)
        Reading.objects.filter(stream=stream, topic=topic).update(
            topic_id=log.topic_id, generation=reading.generation + 1, begun_at=now
        )
    return gaps


def _must_be_known(stream: str, topic: str, log: Log) -> None:
    known = Reading.objects.filter(stream=stream, topic=topic).values_list("topic_id", flat=True).first()
    if known is not None and known != log.topic_id:
        raise Rejected(
            f"{topic} was made anew; its offsets mean nothing to {stream}. "
            f"`streams adopt {stream} {topic} --reason …` stores the new one from its beginning."
        )


def _target(to: str, partition: int, log: Log) -> int:
    if to == BEGINNING:
        return log.begins[partition]
    if to == END:
        return log.ends[partition]
    try:
        return int(to)
    except ValueError:
        raise Rejected(f"--to is an offset, {BEGINNING} or {END}, not {to!r}.") from None


def _must_lead_on(target: int, following: int, end: int, place: str) -> None:
    if target > end:
        raise Rejected(f"The log of {place} ends at {end}; skip to that at most.")
    if target <= following <= end:
        raise Rejected(
            f"{place} goes on at {following}; a skip leads forward only. What is stored already is made anew with "
            "`manage.py rebuild`."
        )


def _generation(stream: str, topic: str) -> int:
    return Reading.objects.filter(stream=stream, topic=topic).values_list("generation", flat=True).first() or 0


def _begin_anew(stream: str, topic: str, log: Log, former: list[Offset], now: datetime) -> None:
    of_the_stream = Offset.objects.filter(stream=stream, topic=topic)
    for offset in former:
        if offset.partition in log.begins:
            of_the_stream.filter(partition=offset.partition).update(next=log.begins[offset.partition], updated_at=now)
    of_the_stream.exclude(partition__in=list(log.begins)).delete()
    Repeat.objects.filter(stream=stream, topic=topic).delete()
