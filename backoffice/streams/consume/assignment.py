"""The partitions that a consumer has been given, and which of them it holds back."""

from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition


class Assignment:
    """Tells a consumer of one topic what to fetch.

    A client remembers that a partition was paused even when it loses the partition and gets it again. So one that is
    gained is always resumed: else it would stand still for ever, owned, not halted, and nobody would know.
    """

    def __init__(self, consumer: Consumer, topic_name: str) -> None:
        self._consumer = consumer
        self._topic_name = topic_name
        self.owned: set[int] = set()
        self.paused: set[int] = set()

    def gain(self, starts: Mapping[int, int]) -> None:
        """Fetch these too, each from its offset. For the callback of a rebalance."""
        self._consumer.incremental_assign([self._place(number, at) for number, at in sorted(starts.items())])
        self._consumer.resume([self._place(number) for number in sorted(starts)])
        self.owned |= starts.keys()
        self.paused -= starts.keys()

    def lose(self, partitions: Collection[int]) -> None:
        """Fetch these no more. For the callback of a rebalance."""
        self._consumer.incremental_unassign([self._place(number) for number in sorted(partitions)])
        self.owned -= set(partitions)
        self.paused -= set(partitions)

    def pause(self, partitions: Collection[int]) -> None:
        if fresh := (set(partitions) & self.owned) - self.paused:
            self._consumer.pause([self._place(number) for number in sorted(fresh)])
            self.paused |= fresh

    def resume(self, partitions: Collection[int]) -> set[int]:
        """Resume what is paused of these and nothing else: the client drops what it has fetched of them."""
        again = self.paused & self.owned & set(partitions)
        if again:
            self._consumer.resume([self._place(number) for number in sorted(again)])
            self.paused -= again
        return again

    def move(self, partition: int, offset: int) -> None:
        """Fetch the partition from this offset on.

        Raises:
            KafkaException: not now.
        """
        place = self._place(partition, offset)
        try:
            self._consumer.seek(place)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:
                raise
            # It does not fetch this one: not yet, or no more since its log had no such offset. Only a new start helps.
            self._consumer.incremental_unassign([place])
            self._consumer.incremental_assign([place])

    def _place(self, partition: int, offset: int | None = None) -> TopicPartition:
        if offset is None:
            return TopicPartition(self._topic_name, partition)
        return TopicPartition(self._topic_name, partition, offset)
