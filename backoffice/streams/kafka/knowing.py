"""Whether a client still knows a broker that it could ask.

librdkafka forgets the brokers that a cluster names no more. One that is going down, or is just coming up, may name none
at all: then the client has nobody to ask, and with its bootstrap servers it does not begin again either, for ever
(confluentinc/librdkafka#5301; so it is in 2.16.0). Or it learns one just then and never connects to it: all that it
knows stay in their first state, while it looks for its group's coordinator or for the leader of what it reads. It
raises nothing, and its log says nothing; its statistics do.
"""

from typing import Any

import orjson

from backoffice.kernel.errors import Retryable

LOOK_SECONDS = 1.0
# A client that begins anew with its bootstrap servers may know none for a moment.
_LOOKS = 2
# What a client says of a broker to which it does not try to connect; for so long (microseconds) between two tries.
_UNTRIED, _BETWEEN_TRIES = "INIT", 5_000_000
_SETTLED = ("init", "up", "term")


def watched(*, asks: bool = False) -> dict[str, Any]:
    """Settings for one producer, or for a client that ``asks`` questions, that is polled all the time.

    Where it knows no broker, its poll and flush raise Retryable, again and again: make another one.
    """
    looks = Looks(asks=asks)

    def hear(statistics: str) -> None:
        looks.hear(statistics)
        looks.must_know_one()

    return {**looks.settings(), "stats_cb": hear}


class Looks:
    """What the statistics of one client have told of its brokers.

    One that ``asks`` wants a connection always, a consumer while it has no coordinator or reads something. A producer
    may have none: whoever has nothing to say is hung up on after a while.
    """

    def __init__(self, *, asks: bool = False) -> None:
        self._asks = asks
        self._in_vain = 0

    def settings(self) -> dict[str, Any]:
        """With these the client tells them, whenever it is polled."""
        return {"statistics.interval.ms": str(round(1_000 * LOOK_SECONDS)), "stats_cb": self.hear}

    def hear(self, statistics: str) -> None:
        told = orjson.loads(statistics)
        self._in_vain = 0 if _knows_one(told, self._asks or _reads(told)) else self._in_vain + 1

    def must_know_one(self) -> None:
        """Raises Retryable where the client has forgotten all of them."""
        if self._in_vain >= _LOOKS:
            raise Retryable("This client of Kafka has forgotten all brokers; another one is made.")


def _knows_one(told: dict[str, Any], is_in_need: bool) -> bool:
    """Logical ones stand for whoever has an office, as the coordinator of a group; they are none of their own."""
    brokers = [broker for broker in told["brokers"].values() if broker["source"] in ("configured", "learned")]
    if not is_in_need:
        return bool(brokers)
    return any(broker["state"] != _UNTRIED or broker["stateage"] < _BETWEEN_TRIES for broker in brokers)


def _reads(told: dict[str, Any]) -> bool:
    group = told.get("cgrp")
    if group is None:
        return False
    partitions = [each for topic in told["topics"].values() for each in topic["partitions"].values()]
    return group["state"] not in _SETTLED or any(each["fetch_state"] == "active" for each in partitions)
