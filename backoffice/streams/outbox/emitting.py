"""Messages that leave with the change that they tell of: written in its transaction, sent by the relay."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.codec import encode
from backoffice.contracts.definitions import released

from ..models import Outgoing


def emit(record: str, event: Mapping[str, Any], *, key: str, now: datetime) -> None:
    """Put an event into the outbox, within the caller's transaction.

    The event carries its own id, which stays the same however often the relay has to send it.
    """
    Outgoing.objects.create(**outgoing(record, event, key=key, now=now))


def outgoing(record: str, event: Mapping[str, Any], *, key: str, now: datetime) -> dict[str, Any]:
    """The columns of an outbox row for an event of one of the contracts."""
    return {
        "topic": topic_of(record),
        "key": key.encode(),
        "value": encode(record, event),
        "record": record,
        "schema_version": len(released(record)),
        "created_at": now,
    }
