"""Every provider reads the messages of its fixture folder as the updates that stand beside them.

A folder holds invented messages, one a line (``messages.ndjson``), documents with names if there are any
(``documents.ndjson``), and what they come to (``updates.json``).
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.streams.arriving import arrived
from trading.feeds import providers
from trading.feeds.adapter import Update

FIXTURES = Path(__file__).parent / "fixtures"


def fixture(provider: str, name: str) -> list[bytes]:
    file = FIXTURES / provider / name
    return file.read_bytes().splitlines() if file.exists() else []


def played(provider: str) -> list[Update]:
    adapter = providers.provider(provider).adapter()
    for document in fixture(provider, "documents.ndjson"):
        adapter.learn(document)
    return [update for message in fixture(provider, "messages.ndjson") for update in adapter.take(message).updates]


@pytest.mark.parametrize("provider", providers.names())
def test_messages_become_updates(provider: str) -> None:
    expected: list[dict[str, Any]] = orjson.loads((FIXTURES / provider / "updates.json").read_bytes())

    assert expected
    assert played(provider) == expected


@pytest.mark.parametrize("provider", providers.names())
def test_updates_keep_the_contract_and_name_their_provider(provider: str) -> None:
    updates = played(provider)

    assert arrived("MarketUpdate", *({**update} for update in updates)).num_rows == len(updates)
    assert {update["provider"] for update in updates} == {provider}
    assert all(update["market_id"].startswith(f"{provider}:") for update in updates)


def test_betfair_is_one_of_them() -> None:
    assert "betfair" in providers.names()
