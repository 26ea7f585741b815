"""Letting a halted partition go on."""

from datetime import datetime

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import Rejected

from ..models import Halt


def resume(*, stream: str, topic: str, partition: int, actor: Actor, now: datetime) -> None:
    """End the halt of a partition; the worker that owns it goes on at the offset where it stopped.

    Raises:
        Rejected: it is not halted.
    """
    ended = Halt.objects.filter(stream=stream, topic=topic, partition=partition, resumed_at=None).update(
        resumed_at=now, resumed_by=actor.id
    )
    if not ended:
        raise Rejected(f"{stream} has not halted {topic}[{partition}]; `streams status` shows what is halted.")
