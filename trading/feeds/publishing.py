"""Events of a feed into Kafka: none lost, none doubled, in order for each sport event."""

from collections.abc import Iterable, Mapping
from typing import Any

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.streams.kafka.sending import Sender

from .adapter import Update
from .stamping import Stamp

RECORD, BEGINNING = "MarketUpdate", "FeedBegan"
TOPIC = topic_of(RECORD)


class Publisher:
    """Stamps a provider's updates and sends them. ``published`` counts them, ``undelivered`` those that Kafka never
    took.

    ``schemas`` are the ids of both records. An update that is left out would be a market that nobody suspended: the
    sender waits while the cluster is away.
    """

    def __init__(self, sender: Sender, schemas: Mapping[str, int], stamp: Stamp, provider: str) -> None:
        self._sender = sender
        self._schemas = schemas
        self._stamp = stamp
        self._provider = provider
        self._has_begun = False
        self._unsent = 0
        self.published = 0

    @property
    def undelivered(self) -> int:
        return self._unsent + self._sender.undelivered

    def start(self, provider_time: int) -> None:
        """The provider's clock (milliseconds) at the moment from which on updates are sent.

        The first time this run of the feed begins, and nothing is sent before Kafka has that: an earlier run that was
        killed has left markets open, and of what is over by now nobody tells any more.

        Raises:
            Rejected: Kafka does not take it.
        """
        self._stamp.start(provider_time)
        if not self._has_begun:
            self._has_begun = True
            self._send(BEGINNING, self._provider, self._stamp.beginning(self._provider))
            self._sender.settle()

    def publish(self, updates: Iterable[Update]) -> None:
        """Queue the updates; waits while the queue is full, unless told to stop.

        Raises:
            Rejected: Kafka takes nothing more from this producer.
        """
        for update in updates:
            event = self._stamp.event(update)
            if self._send(RECORD, event["sport_event_id"], event):
                self.published += 1
            else:
                self._unsent += 1
        self.serve()

    def _send(self, record: str, key: str, event: Mapping[str, Any]) -> bool:
        return self._sender.send(TOPIC, key, frame(self._schemas[record], encode(record, event)))

    def serve(self) -> None:
        """Let the client tell what became of what was sent."""
        self._sender.serve()
