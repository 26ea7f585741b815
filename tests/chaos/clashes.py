"""Events under the ids of others: each is a dead letter of its own that says so, and an alert has told of it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from backoffice.simulator.events.envelope import Event
from tests.faults.load import Load
from tests.faults.oracle import Difference
from tests.spine import Spine

from . import second

KIND = "event_id_clash"
TABLE = "streams_deadletter"
_LETTERS = 'SELECT stream, topic, partition, "offset", value FROM streams_deadletter WHERE reason LIKE %s'
_CLASH = "% belongs to %event%"

Place = tuple[str, str]


def differences(spine: Spine, load: Load, alerts: Sequence[Event]) -> Iterator[Difference]:
    letters = spine.rows(_LETTERS, _CLASH)
    sent = Counter(load.framed(other) for _, other in load.clashes)
    kept = Counter(bytes(value) for stream, *_, value in letters if stream != second.NAME)
    for value in sent | kept:
        if kept[value] != sent[value]:
            kind = "lost" if kept[value] < sent[value] else "doubled"
            yield Difference(
                kind, TABLE, f"{sent[value]} clashes were sent, {kept[value]} are there: {value.hex()[:60]}…"
            )
    places = Counter((f"{stream} {topic}", f"{partition}@{offset}") for stream, topic, partition, offset, _ in letters)
    told = Counter(_told(alerts))
    for place in places | told:
        if places[place] != told[place]:
            kind = "lost" if told[place] < places[place] else "doubled"
            yield Difference(kind, KIND, f"{place} was told {told[place]} times, and is there {places[place]} times")


def _told(alerts: Sequence[Event]) -> Iterator[Place]:
    """The places of which alerts have told, with stream and topic."""
    seen = {event.body["event_id"]: event.body for event in alerts if event.body["kind"] == KIND}
    for body in seen.values():
        stream, _, said = body["summary"].partition(": ")
        topic = said.partition(" messages of ")[2].partition(" ")[0]
        for place in json.loads(body["evidence"])["places"]:
            yield f"{stream} {topic}", place
