"""Every message of every topic, read back, held against where the tables say that their rows came from."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import decode, unframe
from backoffice.kernel.errors import Poison
from backoffice.simulator.events.envelope import Event
from backoffice.streams.store.projection import EVENT_LOG, STREAMS, Stream
from tests.faults.oracle import Difference
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
    # Of the second stream of `make chaos`.
    "second_row": "",
}
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Told:
    """What Kafka holds at one place; no event where it cannot be read, no record where nobody knows its writer."""

    place: Place
    event: Event | None
    record: str = ""


def messages(spine: Spine) -> Iterator[Told]:
    """All messages of the catalogue's topics, in order within each partition."""
    for topic in TOPICS:
        for message in spine.messages(topic):
            record, event = _read(spine, message.key(), message.value())
            yield Told((topic, message.partition() or 0, message.offset() or 0), event, record)


def differences(spine: Spine) -> list[Difference]:
    """Places that are not accounted for by exactly one row, or by the row of another event, in each stream.

    A dead letter accounts for its message; whether that is bad is asked by those who know what was sent.
    """
    told = list(messages(spine))
    found = _of_offsets(spine)
    for name, stream in STREAMS.items():
        topics = set(stream.topics())
        mine = [message for message in told if message.place[0] in topics and _is_taken(stream, message)]
        rows, repeats = _rows(spine, stream), _places(spine, "streams_repeat", name)
        elsewhere = repeats + _places(spine, "streams_deadletter", name)
        for message in mine:
            if message.event is None or message.event.record not in stream.unlogged:
                found += _of_place(message, rows.get(message.place, []), elsewhere[message.place])
        places = {message.place for message in mine}
        found += [Difference("doubled", str(at), "a row of no message that is there") for at in rows.keys() - places]
        found += _of_order(mine, rows)
        found += _of_repeats([message for message in mine if message.place in repeats], rows)
    return found


def _is_taken(stream: Stream, message: Told) -> bool:
    """Whether a stream has to account for the message: for what it takes, and for what is not of the topic."""
    if not message.record or topic_of(message.record) != message.place[0]:
        return True
    return message.record in stream.records()


def check(spine: Spine) -> None:
    found = differences(spine)
    assert not found, "\n".join([f"{len(found)} differences", *map(str, found[:12])])


def _read(spine: Spine, key: bytes | None, value: bytes | None) -> tuple[str, Event | None]:
    record = ""
    try:
        schema_id, body = unframe(value or b"")
        writer = spine.registry.writer(schema_id)
        record = writer.record
        return record, Event(record, (key or b"").decode(), decode(body, writer.schema))
    except Poison:
        return record, None


def _rows(spine: Spine, stream: Stream) -> dict[Place, list[str]]:
    """The event ids of the stream's rows that say they came from a place."""
    found: dict[Place, list[str]] = defaultdict(list)
    for table, record in FACTS.items():
        if table not in stream.tables():
            continue
        named = "record" if not record else f"'{record}'"
        mine = f" WHERE stream = '{stream.name}'" if table == EVENT_LOG else ""
        query = f"SELECT {named}, source_partition, source_offset, event_id FROM {table}{mine}"
        for name, partition, offset, event_id in spine.rows(query):
            found[(topic_of(name), partition, offset)].append(str(event_id))
    return found


def _places(spine: Spine, table: str, stream: str) -> Counter[Place]:
    """Places of messages that the stream accounts for by rows of its dead letters or repeats."""
    return Counter(spine.rows(f'SELECT topic, partition, "offset" FROM {table} WHERE stream = %s', stream))


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


def _of_repeats(repeats: list[Told], rows: dict[Place, list[str]]) -> list[Difference]:
    """What a repeat repeats has a row somewhere: else it was the event itself, and is lost."""
    stored = {event_id for ids in rows.values() for event_id in ids}
    return [
        Difference("lost", str(message.place), f"a repeat of {message.event}, which has no row")
        for message in repeats
        if message.event is None or message.event.body["event_id"] not in stored
    ]


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
