"""Events of a feed into Kafka: none lost, none doubled, in order for each sport event."""

from collections.abc import Iterable

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode, frame
from backoffice.streams.kafka.sending import Sender

from .adapter import Update
from .stamping import Stamp

RECORD = "MarketUpdate"
TOPIC = topic_of(RECORD)


class Publisher:
    """Stamps updates and sends them. ``published`` counts them, ``undelivered`` those that Kafka never took.

    An update that is left out would be a market that nobody suspended: the sender waits while the cluster is away.
    """

    def __init__(self, sender: Sender, schema: int, stamp: Stamp) -> None:
        self._sender = sender
        self._schema = schema
        self._stamp = stamp
        self._unsent = 0
        self.published = 0

    @property
    def undelivered(self) -> int:
        return self._unsent + self._sender.undelivered

    def start(self, provider_time: int) -> None:
        """The provider's clock (milliseconds) at the moment from which on updates are sent."""
        self._stamp.start(provider_time)

    def publish(self, updates: Iterable[Update]) -> None:
        """Queue the updates; waits while the queue is full, unless told to stop.

        Raises:
            Rejected: Kafka takes nothing more from this producer.
        """
        for update in updates:
            event = self._stamp.event(update)
            if self._sender.send(TOPIC, event["sport_event_id"], frame(self._schema, encode(RECORD, event))):
                self.published += 1
            else:
                self._unsent += 1
        self.serve()

    def serve(self) -> None:
        """Let the client tell what became of what was sent."""
        self._sender.serve()
