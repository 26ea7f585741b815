"""What keeps jobs from going on: said each time that it is met, and tried again after pauses that grow."""

import logging
from queue import Empty

import redis
from celery.beat import SchedulingError
from kombu.exceptions import OperationalError

from backoffice.live.supervising import in_words

log = logging.getLogger(__name__)

# What is said of Redis, or on the way to it, and not of what it holds or of ourselves.
OF_REDIS = (Empty, redis.RedisError, OSError)
LONGEST_SECONDS = 10.0
# What these libraries make of any error; it says less than the one that it was made of.
_WRAPPERS = (SchedulingError, OperationalError)


class Standstill:
    """``what`` stands still, in words; from the first thing that is ``met`` until it is ``over``."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._met = 0

    def met(self, error: Exception) -> float:
        """The seconds after which it is tried again."""
        seconds = min(2.0**self._met, LONGEST_SECONDS)
        self._met = min(self._met + 1, 10)
        # A fault of our own is found by where it came from.
        trace = None if _is_of_redis(error) else error
        log.error("%s, tried again in %g s: %s", self._what, seconds, in_words(error), exc_info=trace)
        return seconds

    def over(self) -> bool:
        """Whether there was any."""
        was, self._met = self._met, 0
        return was > 0


def _is_of_redis(error: BaseException | None) -> bool:
    while isinstance(error, _WRAPPERS):
        error = error.__cause__ or error.__context__
    return isinstance(error, OF_REDIS)
