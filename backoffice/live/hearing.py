"""What a web process hears of workers, and whether it hears everything."""

import logging
import time
from collections.abc import Callable
from functools import partial

import redis

from . import bus, telemetry
from .conditions import Conditions
from .messages import BadMessageError, Said, Speakers, parsed
from .supervising import Well

log = logging.getLogger(__name__)

BAD_MESSAGE_SHOWN_SECONDS = 60.0


class Hearing:
    """``take`` gets what is said, ``doubt`` is called when something may have been said that was not heard."""

    def __init__(self, take: Callable[[Said], None], doubt: Callable[[], None], conditions: Conditions) -> None:
        self._take = take
        self._doubt = doubt
        self._conditions = conditions
        self._speakers = Speakers()
        self._bad = 0
        self._bad_at = 0.0
        self._was_everything = False

    def is_everything(self) -> bool:
        """Whether whatever is stored is heard of: Redis is there, and so are all who speak."""
        return self._conditions.state("redis") == "connected" and self._speakers.all_speak(time.monotonic())

    async def listen(self, well: Well) -> None:
        """For as long as Redis is there; that it is away is noted, and nothing to fail for."""
        try:
            await bus.listen(self.heard, partial(self._reached, well))
        except (redis.RedisError, OSError) as error:
            if self._conditions.note("redis", "away", str(error)):
                log.warning("live pages read every few seconds what nobody tells them, Redis is away: %s", error)
        finally:
            if self._conditions.state("redis") == "connected":
                self._conditions.note("redis", "away", "It is not listened to.")
            self.watch()

    def heard(self, data: bytes) -> None:
        """Whatever is wrong with a message, it costs no more than a reading."""
        now = time.monotonic()
        try:
            message = parsed(data)
            is_gap = self._speakers.hear(message, now)
            self._take(message.said)
        except Exception as error:  # noqa: BLE001 - it is counted and told, and all is read anew
            self._is_bad(error, now)
            is_gap = True
        if is_gap:
            telemetry.GAPS.inc()
            self._doubt()

    def watch(self) -> bool:
        """Note who is heard; to be called every second. Returns `is_everything`."""
        now, everything = time.monotonic(), self.is_everything()
        if self._speakers.any_speak(now):
            self._conditions.note("workers", "heard")
        else:
            self._conditions.note("workers", "silent", "No worker is heard; numbers are read every few seconds.")
        if self._was_everything and not everything:
            self._doubt()
        self._was_everything = everything
        if self._bad and now - self._bad_at > BAD_MESSAGE_SHOWN_SECONDS:
            self._conditions.clear("messages")
            self._bad = 0
        return everything

    def _reached(self, well: Well) -> None:
        well()
        self._conditions.note("redis", "connected")
        # Nobody knows what was said meanwhile.
        self._doubt()

    def _is_bad(self, error: Exception, now: float) -> None:
        telemetry.BAD_MESSAGES.inc()
        why = str(error) if isinstance(error, BadMessageError) else f"{type(error).__name__}: {error}"
        if not self._bad:
            log.warning("a message of a worker is passed over, all is read anew: %s", why, exc_info=True)
        self._bad += 1
        self._bad_at = now
        self._conditions.note("messages", "bad", why[:200], count=self._bad)
