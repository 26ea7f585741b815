"""Messages that leave with the change that they tell of: written in its transaction, sent by the relay."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.db import connection as default_connection
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.contracts.codec import encode
from backoffice.contracts.definitions import released

from ..standing import Standing, standing_headers

_COLUMNS = ("topic", "key", "value", "record", "schema_version", "headers", "created_at")
_INSERT = sql.SQL("INSERT INTO streams_outbox ({}) VALUES ({})").format(
    sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)), sql.SQL(", ").join(sql.Placeholder() * len(_COLUMNS))
)


class Executes(Protocol):
    """A connection of the streams, or a cursor of Django's; whoever has the open transaction."""

    def execute(self, query: sql.Composed, params: Sequence[Any], /) -> object: ...


def emit(record: str, event: Mapping[str, Any], *, key: str, now: datetime, over: Executes | None = None) -> None:
    """Put an event into the outbox, within the caller's transaction: that of ``over``, else Django's own.

    The event carries its own id, which stays the same however often the relay has to send it.
    """
    _put(outgoing(record, event, key=key, now=now), over)


def emit_tombstone(topic: str, *, key: str, seen: Standing, now: datetime, over: Executes | None = None) -> None:
    """Say on a compacted topic that what the key names is gone. Said again it does no harm.

    ``seen`` is where the state stands in the log that was seen when this was decided: what is newer stays.

    Raises:
        ValueError: the topic keeps every message.
    """
    if not TOPICS[topic].compacted:
        raise ValueError(f"{topic} keeps every message; nothing is deleted from it.")
    # Rows from before they had a place in the log are older than all that has one.
    headers = standing_headers(*max(seen, (0, 0)))
    emit_bytes(topic, key=key.encode(), value=None, headers=headers, now=now, over=over)


def emit_bytes(
    topic: str, *, key: bytes | None, value: bytes | None, headers: Mapping[str, str], now: datetime,
    over: Executes | None = None,
) -> None:  # fmt: skip
    """Put a message into the outbox as it is: nobody looks whether it keeps a contract."""
    row = {"topic": topic, "key": key, "value": value, "headers": headers, "created_at": now}
    _put(row | {"record": "", "schema_version": None}, over)


def _put(row: Mapping[str, Any], over: Executes | None) -> None:
    values = [json.dumps(row[name]) if name == "headers" else row[name] for name in _COLUMNS]
    if over is not None:
        over.execute(_INSERT, values)
        return
    with default_connection.cursor() as cursor:
        cursor.execute(_INSERT, values)


def outgoing(record: str, event: Mapping[str, Any], *, key: str, now: datetime) -> dict[str, Any]:
    """The columns of an outbox row for an event of one of the contracts."""
    return {
        "topic": topic_of(record),
        "key": key.encode(),
        "value": encode(record, event),
        "record": record,
        "schema_version": len(released(record)),
        "headers": {},
        "created_at": now,
    }
