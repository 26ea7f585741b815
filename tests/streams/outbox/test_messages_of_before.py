"""Messages that waited in the outbox while the order of commits came: they leave as they would have, and first."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import transaction

from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.emitting import emit_tombstone
from tests.spine import Spine
from tests.streams.outbox.relaying import relaying

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
TOPIC = "market-prices"
WAITED = [(b"a", b"a 1"), (b"b", b"b 1"), (b"a", b"a 2"), (None, b"without a key"), (b"b", None), (b"a", b"a 3")]
ENTRY = (
    "INSERT INTO streams_outbox (topic, key, value, headers, created_at, sent_at) VALUES (%s, %s, %s, '{}', %s, %s)"
    " RETURNING id"
)


@pytest.mark.parametrize("version", ["0008", "0009"])
def test_what_waited_is_sent_in_the_order_of_its_ids_and_before_all_that_comes(spine: Spine, version: str) -> None:
    call_command("migrate", "streams", version, verbosity=0)
    spine.rows(ENTRY, TOPIC, b"a", b"a 0", NOW, NOW)
    for key, value in WAITED:
        spine.rows(ENTRY, TOPIC, key, value, NOW, None)

    call_command("migrate", verbosity=0)

    with transaction.atomic():
        emit_tombstone(TOPIC, key="a", seen=(0, 0), now=NOW)
    with relaying(spine) as relay:
        relay.until_idle()
    sent = [(key, value) for key, value, _ in spine.read(TOPIC)]
    for wanted in (b"a", b"b", None):
        of_one = [value for key, value in sent if key == wanted]
        assert of_one == [value for key, value in WAITED if key == wanted] + [None] * (wanted == b"a")
    assert not Outgoing.objects.filter(sent_at=None).exists()
