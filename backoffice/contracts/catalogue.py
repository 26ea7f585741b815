"""Every topic: its key, its size on the cluster, how long it is kept, which records it carries, what bad ones mean.

Names are without the cluster's prefix; whoever speaks to Kafka or to the registry puts it in front.
"""

from dataclasses import dataclass
from enum import Enum

from backoffice.contracts.definitions import SCHEMAS

DEAD_LETTER_SUFFIX = ".dlq"
DEFAULT_RETENTION_DAYS = 400


class TooManyBad(Enum):
    """What it means for a partition of a topic when too many of its last messages are bad.

    HALT: nothing more is stored until a person has looked; for money and players a wrong row is worse than none.
    DIVERT: bad ones go to the dead letters while the rest goes on, and what their senders offer is suspended; for
    prices, where one sender's fault must not stop all others.
    """

    HALT = "halt"
    DIVERT = "divert"


@dataclass(frozen=True)
class Topic:
    """One topic of the platform; ``retention_days`` None is for ever."""

    name: str
    key: str
    partitions: int
    retention_days: int | None
    compacted: bool
    records: tuple[str, ...]
    too_many_bad: TooManyBad = TooManyBad.HALT


def topic_of(record: str) -> str:
    """The topic that carries a record.

    Raises:
        KeyError: no schema of that name exists.
    """
    return _TOPIC_OF[record]


def dead_letter_topic(topic: str) -> str:
    """Where the messages of a topic go that will never be right."""
    return topic + DEAD_LETTER_SUFFIX


def dead_letters(topic: Topic) -> Topic:
    """The dead-letter topic of a topic; it carries the messages as they were, whatever they are."""
    return Topic(dead_letter_topic(topic.name), topic.key, 2, DEFAULT_RETENTION_DAYS, False, ())


def _records(topic: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (SCHEMAS / topic).glob("*.avsc")))


def _topic(
    name: str,
    key: str,
    *,
    partitions: int = 8,
    retention_days: int | None = None,
    compacted: bool = False,
    too_many_bad: TooManyBad = TooManyBad.HALT,
) -> Topic:
    return Topic(name, key, partitions, retention_days, compacted, _records(name), too_many_bad)


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        _topic("player-events", "player_id"),
        _topic("bet-events", "player_id"),
        _topic("wallet-transactions", "player_id"),
        _topic("game-rounds", "player_id"),
        _topic("odds-feed", "sport_event_id", retention_days=30, too_many_bad=TooManyBad.DIVERT),
        _topic("market-prices", "market_id", compacted=True),
        _topic("compliance-alerts", "player_id", partitions=4),
        _topic("operator-actions", "subject_id", partitions=4),
    )
}

_TOPIC_OF = {record: topic.name for topic in TOPICS.values() for record in topic.records}
