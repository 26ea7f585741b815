"""Messages over which a comparison comes to nothing: each is found out alone, and told of instead of compared."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from confluent_kafka import KafkaException
from django.db import InterfaceError, OperationalError, transaction

from backoffice.kernel.errors import Retryable

from ..messages.log import Chunk

log = logging.getLogger(__name__)

# What is the fault of no message: it is waited for.
AWAY = (Retryable, KafkaException, OperationalError, InterfaceError)
# Where more than these cannot be compared, that is a fault of ours and not of the messages.
MOST = 100

# Compares what a chunk has. Raises where that comes to nothing.
Attempt = Callable[[Chunk], object]


def culprits(chunk: Chunk, attempt: Attempt) -> dict[int, str]:
    """The offsets of those of its messages that fail even alone, each with the kind of error; at most ``MOST``.

    What the error says is logged and not told: it may repeat what a person's message says.
    """
    found: dict[int, str] = {}
    waiting = [sorted(chunk.messages)]
    while waiting and len(found) < MOST:
        offsets = waiting.pop()
        try:
            with _undone():
                attempt(replace(chunk, messages={offset: chunk.messages[offset] for offset in offsets}))
        except AWAY:
            raise
        except Exception as error:
            if len(offsets) > 1:
                middle = len(offsets) // 2
                waiting += [offsets[middle:], offsets[:middle]]
            elif offsets:
                place = chunk.place
                log.exception("reconcile: %s[%s] cannot compare offset %s", place.topic, place.partition, offsets[0])
                found[offsets[0]] = type(error).__name__
    return found


@contextmanager
def _undone() -> Iterator[None]:
    """What is done in the database within is taken back, within the transaction that is open."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
