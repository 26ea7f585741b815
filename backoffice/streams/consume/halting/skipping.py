"""Going on behind messages that are lost: by a person's decision, and written down.

Where a stream stands is in ``streams_offset`` if its sink is the tables. Of any other sink it is known where it has
halted, for there it stays; a worker leads it on from there (`passing.py`).
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from ...kafka.logs import Log
from ...models import Gap, Halt, Offset, Reading, Repeat
from .. import reused
from ..growing import forget_partitions
from .halts import OF_THE_TOPIC, end

BEGINNING, END = "beginning", "end"


def skip(
    *, stream: str, topic: str, partition: int, to: str, log: Log, actor: Actor, reason: str, now: datetime
) -> Gap:
    """Store the partition from another offset on; what lies before it is a gap that is known.

    ``to`` is an offset, or where the log begins or ends now. Of a log that was cut off, what stood behind its end is
    put aside, because its offsets come again. A worker that has the partition notices by its next batch, which is
    refused and read again from there. A halt of the partition is over.

    Raises:
        Rejected: it is not known where the partition stands; it would store again what is stored, or go on where the
            log holds nothing yet.
    """
    place, one = f"{topic}[{partition}]", {"stream": stream, "topic": topic, "partition": partition}
    with transaction.atomic():
        reading = _reading(stream, topic)
        _must_be_known(stream, topic, reading, log)
        if partition not in log.ends:
            raise Rejected(f"Kafka has no partition {place}; nothing was changed.")
        stored, halted = _stored(**one), _halted(**one)
        if partition not in stored and partition not in halted:
            raise Rejected(
                f"{stream} keeps no offset of {place} here, and it is not halted: where it stands is not known, and "
                "nothing was changed. `streams status` shows what is."
            )
        following, target = stored.get(partition, halted.get(partition, 0)), _target(to, partition, log)
        _must_lead_on(target, following, log.ends[partition], place)
        gap = Gap.objects.create(
            **one, generation=reading.generation if reading else 0, start=min(following, target), end=target,
            stored_until=following if target < following else None, followed=partition in stored, reason=reason,
            accepted_at=now, accepted_by=actor.id,
        )  # fmt: skip
        if target < following or partition in stored:
            reused.put_aside(stream, topic, partition, following=target)
        if target < following:
            reused.begin_again(stream, topic, partition, following=target)
        Offset.objects.filter(**one).update(next=target, updated_at=now)
        end(Halt.objects.filter(**one), actor=actor, now=now, offset=target)
    return gap


def adopt(*, stream: str, topic: str, log: Log, actor: Actor, reason: str, now: datetime) -> list[Gap]:
    """Go over to a topic that was made anew under its name: all its partitions are stored from their beginning.

    What the former topic held and was not stored is lost; that is written down as gaps without an end. Repeats of the
    former topic are forgotten, because the offsets that they account for are gone.

    Raises:
        Rejected: the offsets belong to the topic that is there; it is not known yet where the stream stood, or where
            each partition of the new topic begins.
    """
    log.must_be_whole()
    with transaction.atomic():
        reading = _reading(stream, topic)
        if reading is None or reading.topic_id == log.topic_id:
            raise Rejected(f"The offsets of {stream} belong to the {topic} that is there; there is nothing to adopt.")
        stored, halted = _stored(stream=stream, topic=topic), _halted(stream=stream, topic=topic)
        if not stored:
            _must_be_halted(stream, topic, halted, log)
        told = {"stream": stream, "topic": topic, "reason": reason, "accepted_at": now, "accepted_by": actor.id}
        gaps = [
            Gap(generation=reading.generation, partition=partition, start=following, **told)
            for partition, following in sorted((halted | stored).items())
        ]
        gaps += [
            Gap(generation=reading.generation + 1, partition=partition, start=0, end=begin, **told)
            for partition, begin in sorted(log.begins.items())
            if begin
        ]
        Gap.objects.bulk_create(gaps)
        _begin_anew(stream, topic, log, stored, now)
        end(Halt.objects.filter(stream=stream, topic=topic), actor=actor, now=now, offset=0)
        forget_partitions(stream, topic, now)
        Reading.objects.filter(stream=stream, topic=topic).update(
            topic_id=log.topic_id, generation=reading.generation + 1, begun_at=now
        )
    return gaps


def _reading(stream: str, topic: str) -> Reading | None:
    """Locked: who halts or goes over to another topic comes before or after."""
    return Reading.objects.select_for_update().filter(stream=stream, topic=topic).first()


def _stored(**where: object) -> dict[int, int]:
    """Locked: a transaction that is storing comes to its end first, and the next one finds the offset moved."""
    rows = Offset.objects.select_for_update().filter(**where).order_by("partition")
    return dict(rows.values_list("partition", "next"))


def _halted(**where: object) -> dict[int, int]:
    rows = Halt.objects.select_for_update().filter(**where, resumed_at=None).order_by("partition")
    return dict(rows.values_list("partition", "offset"))


def _must_be_known(stream: str, topic: str, reading: Reading | None, log: Log) -> None:
    if reading is not None and reading.topic_id != log.topic_id:
        raise Rejected(
            f"{topic} was made anew; its offsets mean nothing to {stream}. "
            f"`streams adopt {stream} {topic} --reason …` stores the new one from its beginning."
        )


def _must_be_halted(stream: str, topic: str, halted: Collection[int], log: Log) -> None:
    """A worker that notices the new topic, or that the former one is gone, halts all partitions at once; before that,
    some may be missing here.
    """
    noticed = Halt.objects.filter(stream=stream, topic=topic, resumed_at=None, cause__in=OF_THE_TOPIC).exists()
    if not noticed and not log.begins.keys() <= set(halted):
        raise Rejected(
            f"Where {stream} stood in {topic} only its sink knows, until a worker has halted there. Start its workers, "
            "and adopt it then; nothing was changed."
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


def _begin_anew(stream: str, topic: str, log: Log, stored: Collection[int], now: datetime) -> None:
    of_the_stream = Offset.objects.filter(stream=stream, topic=topic)
    for partition in log.begins.keys() & stored:
        of_the_stream.filter(partition=partition).update(next=log.begins[partition], updated_at=now)
    of_the_stream.exclude(partition__in=list(log.begins)).delete()
    for partition, begin in log.begins.items():
        reused.begin_again(stream, topic, partition, following=begin)
    Repeat.objects.filter(stream=stream, topic=topic).delete()
