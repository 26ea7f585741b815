"""Every message of every topic, read back, held against where the tables say that their rows came from."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition
from django.conf import settings

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import decode, unframe
from backoffice.kernel.errors import Poison
from backoffice.simulator.events.envelope import Event
from tests.faults.oracle import Difference
from tests.faults.tables import UNLOGGED
from tests.spine import Spine

# Where the one row of each event stands: table, and the record where the table does not tell.
FACTS = {
    "streams_event": "",
    "players_login": "",
    "players_limitchange": "LimitChanged",
    "players_exclusionchange": "SelfExclusionChanged",
    "players_contact": "PlayerContacted",
    "players_bonususe": "BonusUsed",
    "wallet_transaction": "",
    "wallet_round": "RoundCompleted",
    "trading_bet": "BetPlaced",
    "trading_settlement": "",
    "compliance_operatoract": "OperatorAction",
}
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Told:
    """What Kafka holds at one place; no event where it cannot be read."""

    place: Place
    event: Event | None


def messages(spine: Spine) -> Iterator[Told]:
    """All messages of the catalogue's topics, in order within each partition."""
    consumer = Consumer(settings.KAFKA | {"group.id": "positions", "auto.offset.reset": "earliest"})
    try:
        for (topic, partition), end in spine.ends().items():
            consumer.assign([TopicPartition(f"{spine.prefix}{topic}", partition, 0)])
            at = 0
            while at < end:
                for message in consumer.consume(min(1_000, end - at), 10):
                    assert message.error() is None, message.error()
                    at = (message.offset() or 0) + 1
                    yield Told((topic, partition, at - 1), _event(spine, message.key(), message.value()))
    finally:
        consumer.close()


def differences(spine: Spine) -> list[Difference]:
    """Places that are not accounted for by exactly one row, or by the row of another event."""
    told = list(messages(spine))
    rows, elsewhere = _rows(spine), _elsewhere(spine)
    found: list[Difference] = []
    for message in told:
        if message.event is None or message.event.record not in UNLOGGED:
            found += _of_place(message, rows.get(message.place, []), elsewhere[message.place])
    places = {message.place for message in told}
    found += [Difference("doubled", str(place), "a row of no message that is there") for place in rows.keys() - places]
    return found + _of_order(told, rows) + _of_offsets(spine)


def check(spine: Spine) -> None:
    found = differences(spine)
    assert not found, "\n".join([f"{len(found)} differences", *map(str, found[:12])])


def _event(spine: Spine, key: bytes | None, value: bytes | None) -> Event | None:
    try:
        schema_id, body = unframe(value or b"")
        writer = spine.registry.writer(schema_id)
        return Event(writer.record, (key or b"").decode(), decode(body, writer.schema))
    except Poison:
        return None


def _rows(spine: Spine) -> dict[Place, list[str]]:
    """The event ids of the rows that say they came from a place."""
    found: dict[Place, list[str]] = defaultdict(list)
    for table, record in FACTS.items():
        named = "record" if not record else f"'{record}'"
        query = f"SELECT {named}, source_partition, source_offset, event_id FROM {table}"
        for name, partition, offset, event_id in spine.rows(query):
            found[(topic_of(name), partition, offset)].append(str(event_id))
    return found


def _elsewhere(spine: Spine) -> Counter[Place]:
    """Places of messages that are accounted for as dead letters or repeats."""
    query = 'SELECT topic, partition, "offset" FROM {}'
    return Counter(spine.rows(query.format("streams_deadletter")) + spine.rows(query.format("streams_repeat")))


def _of_place(message: Told, rows: list[str], others: int) -> list[Difference]:
    where, count = str(message.place), len(rows) + others
    if count != 1:
        kind = "lost" if count == 0 else "doubled"
        return [Difference(kind, where, f"{len(rows)} rows and {others} dead letters or repeats")]
    if rows and (message.event is None or message.event.body["event_id"] != rows[0]):
        return [Difference("altered", where, f"the row is of the event {rows[0]}, not of {message.event}")]
    return []


def _of_order(told: list[Told], rows: dict[Place, list[str]]) -> list[Difference]:
    """Of equal messages in a partition the first has to be the one with the row."""
    found = []
    for (topic, partition), several in _by_partition(told).items():
        seen: set[object] = set()
        for message in several:
            event_id = message.event and message.event.body["event_id"]
            if event_id in seen and message.place in rows:
                found.append(Difference("reordered", f"{topic}[{partition}]", f"a repeat of {event_id} came first"))
            seen.add(event_id)
    return found


def _by_partition(told: list[Told]) -> dict[tuple[str, int], list[Told]]:
    several: dict[tuple[str, int], list[Told]] = defaultdict(list)
    for message in told:
        several[message.place[:2]].append(message)
    return several


def _of_offsets(spine: Spine) -> list[Difference]:
    found = []
    ends = spine.ends()
    for topic, partition, following in spine.rows("SELECT topic, partition, next FROM streams_offset"):
        end = ends[(topic, partition)]
        if end != following:
            kind = "lost" if following < end else "doubled"
            found.append(Difference(kind, f"{topic}[{partition}]", f"the stored offset is {following} of {end}"))
    return found
