"""Offsets that come a second time: what stood there at first is told apart from what comes.

Behind the end to which a log was cut off, Kafka gives the same offsets to other messages. All within the caller's
transaction of Django's connection, with the partition's offset locked.
"""

from django.db.models import Min

from ..models import Acceptance, DeadLetter, Halt, Reading, Repeat


def put_aside(stream: str, topic: str, partition: int, *, following: int) -> None:
    """Nothing of the log that is there is stored at its next offset or behind it: what stands there is of another one.

    Its dead letters stay, with everything that can be done with them, in a generation below 0 of their own. Its repeats
    are forgotten; the offsets that they account for are gone.
    """
    place = {"stream": stream, "topic": topic, "partition": partition}
    present = Reading.objects.filter(stream=stream, topic=topic).values_list("generation", flat=True).first() or 0
    lowest = DeadLetter.objects.filter(**place).aggregate(found=Min("generation"))["found"] or 0
    behind = DeadLetter.objects.filter(**place, generation=present, offset__gte=following)
    behind.update(generation=min(lowest, 0) - 1)
    Repeat.objects.filter(**place, offset__gte=following).delete()


def begin_again(stream: str, topic: str, partition: int, *, following: int) -> None:
    """What a person said of bad messages behind this offset was said of others than those that come there now."""
    place = {"stream": stream, "topic": topic, "partition": partition}
    Acceptance.objects.filter(**place, until__gt=following).update(until=following)
    Halt.objects.filter(**place, offset__gt=following, resumed_at__isnull=False).update(offset=following)
