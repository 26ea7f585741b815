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
    """Settings for one consumer or producer that is polled all the time.

    Where it knows no broker, its poll, consume and flush raise Retryable, again and again: make another one.
    """
    return {"statistics.interval.ms": str(round(1_000 * LOOK_SECONDS)), "stats_cb": _Looks().hear}


class _Looks:
    def __init__(self) -> None:
        self._in_vain = 0

    def hear(self, statistics: str) -> None:
        self._in_vain = 0 if _knows_one(statistics) else self._in_vain + 1
        if self._in_vain >= _LOOKS:
            raise Retryable("This client of Kafka has forgotten all brokers; another one is made.")


def _knows_one(statistics: str) -> bool:
    """Logical ones stand for whoever has an office, as the coordinator of a group; they are none of their own."""
    brokers = orjson.loads(statistics)["brokers"].values()
    return any(broker["source"] in ("configured", "learned") for broker in brokers)
