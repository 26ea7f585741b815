"""Offers that closed long ago leave Kafka and the tables, by tombstones that come back through the stream."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from backoffice.simulator.events.envelope import Event, microseconds
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.emitting import emit_tombstone
from tests.faults.checks import reconciled
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from trading import services
from trading.models import Offer, OfferRetention, Price

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
PRICES = [{"outcome_id": outcome, "odds": 2_000, "probability_ppm": 500_000} for outcome in ("home", "away")]


def offered(spine: Spine, **markets: tuple[str, timedelta]) -> None:
    """Offers with a status, told so long ago."""
    events = []
    for number, (market, (status, ago)) in enumerate(markets.items(), 1):
        body = event_of(
            "MarketPrice", event_id=f"00000000-0000-4000-8000-{number:012}", occurred_at=microseconds(NOW - ago),
            market_id=market, status=status, prices=PRICES,
        )  # fmt: skip
        events.append(Event("MarketPrice", market, body))
    spine.send(events)
    spine.drain()


def relay(spine: Spine) -> None:
    """Let a worker send what the outbox holds and store what comes back."""
    spine.worker("outbox,trading")
    until(lambda: not Outgoing.objects.filter(sent_at=None).exists(), "the outbox is sent")
    spine.wait_drained("trading")


def offers() -> set[str]:
    return set(Offer.objects.values_list("market_id", flat=True))


@pytest.fixture
def market(spine: Spine) -> Spine:
    offered(spine, old=("closed", 40 * DAY), settled=("settled", 31 * DAY), recent=("closed", 29 * DAY),
            open=("open", 40 * DAY), suspended=("suspended", 40 * DAY))  # fmt: skip
    return spine


def test_offers_closed_long_ago_are_forgotten_everywhere(market: Spine) -> None:
    assert services.forget_closed_offers(NOW) == 2
    assert offers() == {"old", "settled", "recent", "open", "suspended"}

    relay(market)

    assert offers() == {"recent", "open", "suspended"}
    assert set(Price.with_gone.values_list("market_id", flat=True)) == {"recent", "open", "suspended"}
    assert services.forget_closed_offers(NOW) == 0
    assert not market.rows("SELECT reason FROM streams_deadletter")
    reconciled()


def test_a_rebuild_forgets_them_too(market: Spine) -> None:
    services.forget_closed_offers(NOW)
    relay(market)

    for table in ("trading_offer", "trading_price"):
        call_command("rebuild", table)

    assert offers() == {"recent", "open", "suspended"}
    reconciled()


def test_the_retention_of_the_day_counts(market: Spine) -> None:
    OfferRetention.objects.create(valid_from=NOW - DAY, closed_for=35 * DAY)
    OfferRetention.objects.create(valid_from=NOW + DAY, closed_for=DAY)

    assert services.forget_closed_offers(NOW) == 1
    assert [bytes(row.key or b"") for row in Outgoing.objects.filter(topic="market-prices")] == [b"old"]


def test_chunks_are_all_told(market: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "CHUNK", 1)

    assert services.forget_closed_offers(NOW) == 2


def test_nothing_is_deleted_from_a_topic_that_keeps_everything(database: str) -> None:
    with pytest.raises(ValueError, match="bet-events keeps every message"):
        emit_tombstone("bet-events", key="k", now=NOW)
    assert not Outgoing.objects.exists()
