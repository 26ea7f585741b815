"""Rows from before they carried their place in the log: an upgrade makes them older than anything that comes."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from backoffice.contracts.catalogue import topic_of
from backoffice.streams.database import connect
from tests.streams.arriving import event_of, message
from tests.streams.stored import Log, Logged, Store

BEFORE = {"players": "0006", "wallet": "0006", "trading": "0010", "compliance": "0003"}
# The record that makes a row of each table, and the name of its standing.
ROWS = {
    "players_player": ("PlayerStatusChanged", "status"), "players_session": ("SessionEnded", "ended"),
    "players_document": ("DocumentSubmitted", "status"), "players_bonus": ("BonusGranted", "granted"),
    "wallet_payment": ("DepositInitiated", "status"), "compliance_alert": ("ComplianceAlert", "status"),
    "trading_sportevent": ("MarketUpdate", "seen"), "trading_market": ("MarketUpdate", "version"),
    "trading_outcome": ("MarketUpdate", "version"), "trading_offer": ("MarketPrice", "version"),
    "trading_price": ("MarketPrice", "version"),
}  # fmt: skip
# What they had instead of a place.
EVENTS = json.dumps({f"{name}_event": str(UUID(int=1)) for name in {name for _, name in ROWS.values()}})


@pytest.fixture
def upgrading(database: str) -> Iterator[Store]:
    with connect() as connection:
        yield Store(connection)


def test_a_row_of_before_gives_way_to_whatever_comes(upgrading: Store) -> None:
    """Also where its producer's clock was ahead, and where the log does not keep the broker's times."""
    store = upgrading
    records = sorted({record for record, _ in ROWS.values()})
    tell(store, records)
    rows = {table: [text for (text,) in store.connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t".encode())]
            for table in ROWS}  # fmt: skip
    store.empty()
    for app, last in BEFORE.items():
        call_command("migrate", app, last, verbosity=0)
    for table, texts in rows.items():
        for text in texts:
            insert = f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s::jsonb || %s::jsonb)"
            store.connection.execute(insert.encode(), [text, EVENTS])

    call_command("migrate", verbosity=0)

    places = {table: place(store, table, name) for table, (_, name) in ROWS.items()}
    assert places == dict.fromkeys(ROWS, (datetime(1970, 1, 1, tzinfo=UTC), -1))
    tell(store, records)
    assert all(place(store, table, name)[1] >= 0 for table, (_, name) in ROWS.items())


def tell(store: Store, records: list[str]) -> None:
    """One event of each, without a time."""
    log: Log = defaultdict(list)
    for number, record in enumerate(records):
        of_topic = log[topic_of(record)]
        event = event_of(record, event_id=str(UUID(int=number)))
        of_topic.append(Logged(0, len(of_topic), message(record, event)))
    store.take(log)


def place(store: Store, table: str, name: str) -> tuple[Any, ...]:
    query = f"SELECT DISTINCT {name}_logged_at, {name}_offset FROM {table}"
    (found,) = store.connection.execute(query.encode()).fetchall()
    return found
