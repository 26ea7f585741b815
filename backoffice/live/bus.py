"""The one Redis channel between workers and web processes. What is lost on it is made good by the next snapshot.

A message is a JSON object from the names of publications to what changed in them: a list of ``[leader, {key: row}]``
(see `Board.fold`), or null: "read it anew". ``prices:*`` means all publications that begin so.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import orjson
import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import telemetry
from .board import Rows

log = logging.getLogger(__name__)

Updates = Sequence[tuple[str, Rows]]
Message = Mapping[str, Updates | None]

PUBLISH_SECONDS = 0.25
PAUSE_SECONDS = 1.0
SILENCE_SECONDS = 3.0
BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


def name() -> str:
    """Installations that share a Redis are told apart as on a shared Kafka."""
    return f"{settings.KAFKA_TOPIC_PREFIX}live"


def publish(message: Message) -> bool:
    """Tell the web processes; False where Redis is away and the message is dropped. Takes a quarter second at most."""
    return _publisher(settings.REDIS_URL).publish(name(), orjson.dumps(message))


class Publisher:
    """After a failure it does not try again for a second: whoever publishes has something better to do."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=PUBLISH_SECONDS, socket_connect_timeout=PUBLISH_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._again_at = 0.0
        self._failing = False

    def publish(self, channel: str, message: bytes) -> bool:
        if time.monotonic() >= self._again_at:
            try:
                self._client.publish(channel, message)
            except redis.RedisError as error:
                self._failed(error)
            else:
                self._failing = False
                return True
        telemetry.UNPUBLISHED.inc()
        return False

    def _failed(self, error: redis.RedisError) -> None:
        self._again_at = time.monotonic() + PAUSE_SECONDS
        if not self._failing:
            log.warning("live pages are told nothing until Redis is back: %s", error)
        self._failing = True


@cache
def _publisher(url: str) -> Publisher:
    return Publisher(url)


async def listen(hear: Callable[[bytes], None], reached: Callable[[], None], lost: Callable[[str], None]) -> None:
    """Hand on every message, for ever; ``reached`` and ``lost`` say when the subscription stands and when it fell."""
    attempt = 0

    def stands() -> None:
        nonlocal attempt
        attempt = 0
        reached()

    while True:
        try:
            await _subscribed(hear, stands)
        except (redis.RedisError, OSError) as error:
            lost(f"Redis is away: {error}")
        longest = BACK_OFF_SECONDS[min(attempt, len(BACK_OFF_SECONDS) - 1)]
        await asyncio.sleep(random.uniform(longest / 2, longest))
        attempt += 1


async def _subscribed(hear: Callable[[bytes], None], reached: Callable[[], None]) -> None:
    """One subscription for as long as it stands. It does not heal itself in silence: then messages would be missing.

    Raises RedisError or OSError when it falls, also when Redis says nothing for some seconds although it is asked.
    """
    client = redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=SILENCE_SECONDS, retry=AsyncRetry(NoBackoff(), 0)
    )
    async with client, client.pubsub() as subscription:
        await subscription.subscribe(name())
        heard_at = time.monotonic()
        while True:
            message = await subscription.get_message(timeout=1.0)
            if message is None:
                if time.monotonic() - heard_at > SILENCE_SECONDS:
                    raise redis.ConnectionError(f"it said nothing for {SILENCE_SECONDS:.0f} s")
                await subscription.ping()
                continue
            heard_at = time.monotonic()
            if message["type"] == "subscribe":
                reached()
            elif message["type"] == "message":
                hear(message["data"])
