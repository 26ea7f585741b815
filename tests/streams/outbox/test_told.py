"""What waits in the outbox, and what cannot leave it, is told to people and to machines."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from backoffice.metrics.outbox import read_outbox
from backoffice.streams.database import connect
from backoffice.streams.outbox import waiting
from tests.streams.outbox.test_relay import write

SECOND = timedelta(seconds=1)


@pytest.fixture
def held(house: str) -> None:
    """Two keys of a topic held for a minute, three messages behind the first; one that is ready."""
    now = datetime.now(UTC)
    first, *behind = write("1", "2", "3", "4", topic="a-topic")
    (other,) = write("1", key="o", topic="a-topic")
    write("ready")
    with connect() as connection:
        waiting.note_failed(connection, first, "nobody knows why", now + SECOND, now - 60 * SECOND)
        waiting.note_failed(connection, other, "of another reason", now + SECOND, now - 50 * SECOND)
        waiting.hold(connection, behind, now)


@pytest.mark.usefixtures("held")
def test_it_is_told_everywhere() -> None:
    found = read_outbox()
    assert (found.ready, found.held) == (1, 5)
    (topic,) = found.topics
    assert (topic.topic, topic.keys, topic.reason, topic.whole) == ("a-topic", 2, "nobody knows why", False)

    shown = Client().get("/health/facts").json()["outbox"]
    assert (shown["ready"], shown["held"]) == (1, 5)
    assert shown["held_topics"][0].keys() == {"topic", "keys", "whole", "held_seconds"}
    assert 60 <= shown["held_topics"][0]["held_seconds"] < 600

    samples = Client().get("/metrics").content.decode().splitlines()
    assert "pitboss_outbox_ready_messages 1.0" in samples
    assert "pitboss_outbox_held_messages 5.0" in samples
    assert 'pitboss_outbox_held_keys{topic="a-topic"} 2.0' in samples

    out = StringIO()
    call_command("status", "--json", stdout=out)
    assert json.loads(out.getvalue())["outbox"]["held_topics"][0]["topic"] == "a-topic"
    out = StringIO()
    call_command("status", stdout=out)
    assert "a-topic, 2 keys: nobody knows why" in out.getvalue()
