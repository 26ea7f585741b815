"""The one Redis channel from workers to web processes. What is lost on it is noticed, and made good by a reading."""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from uuid import uuid4

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import telemetry
from .messages import Message, Said, encoded

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 0.25
PAUSE_SECONDS = 1.0
BEAT_SECONDS = 1.0
SILENCE_SECONDS = 3.0


def name() -> str:
    """Installations that share a Redis are told apart as on a shared Kafka."""
    return f"{settings.KAFKA_TOPIC_PREFIX}live"


def publish(said: Said) -> bool:
    """Tell the web processes; False where Redis is away and the message is dropped. Takes a quarter second at most."""
    return _speaker(settings.REDIS_URL, name(), os.getpid()).say(said)


def beat() -> None:
    """Say that this process is there, unless it said something a moment ago."""
    _speaker(settings.REDIS_URL, name(), os.getpid()).beat()


def miss() -> None:
    """Say that something was not said, whatever it was."""
    publish({"*": None})


class Speaker:
    """This process on the channel. What it could not say is a number that listeners miss in what it says next.

    After a failure it does not try again for a second: whoever publishes has something better to do.
    """

    def __init__(self, url: str, channel: str) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=PUBLISH_SECONDS, socket_connect_timeout=PUBLISH_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._channel = channel
        self._name = uuid4().hex
        self._number = 0
        self._saying = threading.Lock()
        self._said_at = self._again_at = 0.0
        self._failing = False

    def say(self, said: Said, *, leaves: bool = False) -> bool:
        with self._saying:
            self._number += 1
            self._said_at = time.monotonic()
            if self._said_at >= self._again_at:
                try:
                    self._client.publish(self._channel, encoded(Message(self._name, self._number, said, leaves)))
                except redis.RedisError as error:
                    self._failed(error)
                else:
                    self._failing = False
                    return True
        telemetry.UNPUBLISHED.inc()
        return False

    def beat(self) -> None:
        if time.monotonic() - self._said_at >= BEAT_SECONDS:
            self.say({})

    def leave(self) -> None:
        """The last word of a process; nobody reads its log any more where Redis is away."""
        self._failing = True
        self.say({}, leaves=True)

    def _failed(self, error: redis.RedisError) -> None:
        self._again_at = time.monotonic() + PAUSE_SECONDS
        if not self._failing:
            log.warning("live pages are told nothing until Redis is back: %s", error)
        self._failing = True


@cache
def _speaker(url: str, channel: str, _process: int) -> Speaker:
    speaker = Speaker(url, channel)
    atexit.register(speaker.leave)
    return speaker


async def listen(hear: Callable[[bytes], None], reached: Callable[[], None]) -> None:
    """Hand on every message for as long as the subscription stands. It does not heal itself in silence: then messages
    would be missing.

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
                # A flood of messages that are there already must not keep everything else waiting.
                await asyncio.sleep(0)
