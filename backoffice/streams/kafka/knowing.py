"""Whether a client still knows a broker that it could ask.

librdkafka forgets the brokers that a cluster names no more. One that is going down, or is just coming up, may name none
at all: then the client has nobody to ask, and with its bootstrap servers it does not begin again either, for ever
(confluentinc/librdkafka#5301; so it is in 2.16.0). It raises nothing, and its log says nothing; its statistics do.
"""

from typing import Any

import orjson

from backoffice.kernel.errors import Retryable

LOOK_SECONDS = 1.0
# A client that begins anew with its bootstrap servers may know none for a moment.
_LOOKS = 2


def watched() -> dict[str, Any]:
    """Settings for one producer, or client for questions, that is polled all the time.

    Where it knows no broker, its poll and flush raise Retryable, again and again: make another one.
    """
    looks = Looks()

    def hear(statistics: str) -> None:
        looks.hear(statistics)
        looks.must_know_one()

    return {**looks.settings(), "stats_cb": hear}


class Looks:
    """What the statistics of one client have told of its brokers."""

    def __init__(self) -> None:
        self._in_vain = 0

    def settings(self) -> dict[str, Any]:
        """With these the client tells them, whenever it is polled."""
        return {"statistics.interval.ms": str(round(1_000 * LOOK_SECONDS)), "stats_cb": self.hear}

    def hear(self, statistics: str) -> None:
        self._in_vain = 0 if _knows_one(statistics) else self._in_vain + 1

    def must_know_one(self) -> None:
        """Raises Retryable where the client has forgotten all of them."""
        if self._in_vain >= _LOOKS:
            raise Retryable("This client of Kafka has forgotten all brokers; another one is made.")


def _knows_one(statistics: str) -> bool:
    """Logical ones stand for whoever has an office, as the coordinator of a group; they are none of their own."""
    brokers = orjson.loads(statistics)["brokers"].values()
    return any(broker["source"] in ("configured", "learned") for broker in brokers)
