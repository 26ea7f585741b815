"""An outbox with a row that Kafka does not take: the others go on, what is behind it once a person has discarded it."""

from collections import Counter
from datetime import UTC, datetime

import psycopg
from django.core.management import call_command

from backoffice.contracts.codec import decode, unframe
from backoffice.contracts.definitions import schema
from backoffice.simulator.events.envelope import Event
from backoffice.streams.outbox.emitting import emit
from tests.faults.load import some_events
from tests.faults.oracle import Difference
from tests.spine import Spine, until

from .scene import Scene

RECORD, TOPIC = "OperatorAction", "operator-actions"
# More than a broker takes of one message.
TOO_LARGE = 2_000_000
_EVENTS = 4_000
_UNSENT = "SELECT count(*) FROM streams_outbox WHERE sent_at IS NULL AND discarded_at IS NULL AND topic = %s"


def unsendable_row(scene: Scene) -> str:
    """A row that cannot be sent before one of its key, and acts of others before and after both."""
    acts = _acts(scene)
    held = acts[len(acts) // 2]
    with psycopg.connect(scene.spine.database_url, autocommit=True) as connection:
        number = 0
        for act in acts:
            if act is held:
                number = _put_unsendable(connection, act.key)
            emit(act.record, act.body, key=act.key, now=datetime.now(UTC), over=connection)
    scene.emitted += acts
    behind = sum(act.key == held.key for act in acts[len(acts) // 2 :])
    until(lambda: _tried(scene.spine, number), "the row that cannot be sent was tried")
    until(lambda: scene.spine.value(_UNSENT, TOPIC) == 1 + behind, "all others are sent")
    call_command("outbox", "discard", str(number), "--reason", "too large for Kafka", stdout=scene.said)
    until(lambda: not scene.spine.value(_UNSENT, TOPIC), "what was behind it is sent")
    return "unsendable row"


def _acts(scene: Scene) -> list[Event]:
    seed = scene.rng.randrange(1 << 30, 1 << 31)
    return [event for event in some_events(seed, _EVENTS) if event.record == RECORD]


def _put_unsendable(connection: psycopg.Connection[tuple[object, ...]], key: str) -> int:
    row = connection.execute(
        "INSERT INTO streams_outbox (topic, key, value, record, headers, created_at)"
        " VALUES (%s, %s, %s, '', '{}', now()) RETURNING id",
        [TOPIC, key.encode(), bytes(TOO_LARGE)],
    ).fetchone()
    assert row is not None
    return int(str(row[0]))


def _tried(spine: Spine, number: int) -> bool:
    query = "SELECT attempts > 0 AND last_error <> '' AND sent_at IS NULL FROM streams_outbox WHERE id = %s"
    return bool(spine.value(query, number))


def differences(spine: Spine, emitted: list[Event], disturbances: int) -> list[Difference]:
    """Acts that did not arrive in Kafka, or more often than relays were disturbed while they sent."""
    arrived: Counter[str] = Counter()
    for _, value, _ in spine.read(TOPIC):
        arrived[decode(unframe(value or b"")[1], schema(RECORD))["event_id"]] += 1
    ids = [str(act.body["event_id"]) for act in emitted]
    return [
        Difference("lost" if not arrived[act] else "doubled", TOPIC, f"{act} arrived {arrived[act]} times")
        for act in ids
        if not 1 <= arrived[act] <= 1 + disturbances
    ]
