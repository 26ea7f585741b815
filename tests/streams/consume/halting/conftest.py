import pytest

from backoffice.kernel.ids import derived_id
from tests.streams.arriving import event_of, message
from tests.streams.stored import Store, log_of_values

ODDS = "odds-feed"


@pytest.fixture
def feeds(store: Store) -> Store:
    """Two matches of two providers."""
    updates = [
        event_of("MarketUpdate", event_id=fresh(event), market_id=event, sport_event_id=event, provider=provider)
        for event, provider in (("m1", "ours"), ("m2", "theirs"))
    ]
    store.take(log_of_values((ODDS, 0, message("MarketUpdate", update)) for update in updates))
    store.connection.execute("DELETE FROM streams_outbox")
    return store


def fresh(name: str) -> str:
    return str(derived_id("test of the brake", name))
