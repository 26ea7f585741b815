"""Offers that closed long ago leave Kafka and the tables, by tombstones that come back through the stream."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from backoffice.contracts.codec import Decoder
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import microseconds
from backoffice.simulator.events.envelope import Event
from backoffice.streams.models import Outgoing
from backoffice.streams.outbox.emitting import emit_tombstone
from tests.faults.checks import reconciled
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.streams.outbox.relaying import relaying
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
    until(lambda: not Outgoing.objects.filter(sent_at=None, discarded_at=None).exists(), "the outbox is sent")
    spine.wait_drained("trading")


def alerts(kind: str) -> list[str]:
    rows = Outgoing.objects.filter(record="ComplianceAlert").values_list("value", flat=True)
    told = [Decoder(schema("ComplianceAlert"))(bytes(value or b"")) for value in rows]
    return [str(alert["summary"]) for alert in told if alert["kind"] == kind]


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


def again(spine: Spine, market: str) -> None:
    """The market is offered anew."""
    body = event_of(
        "MarketPrice", event_id="00000000-0000-4000-8000-000000000099", occurred_at=microseconds(NOW),
        market_id=market, status="open", prices=PRICES, version=2,
    )  # fmt: skip
    spine.send([Event("MarketPrice", market, body)])


def stays_everywhere(spine: Spine, market: str) -> None:
    for table in ("trading_offer", "trading_price"):
        assert market in {row for (row,) in spine.rows(f"SELECT market_id FROM {table}")}
        call_command("rebuild", table)
        assert market in {row for (row,) in spine.rows(f"SELECT market_id FROM {table}")}
    reconciled()


def test_a_tombstone_of_a_market_that_is_offered_anew_meanwhile_is_not_sent(market: Spine) -> None:
    services.forget_closed_offers(NOW)
    again(market, "old")
    market.drain("trading")

    relay(market)

    assert offers() == {"old", "recent", "open", "suspended"}
    assert {key for key, value, _ in market.read("market-prices") if value is None} == {b"settled"}
    row = Outgoing.objects.get(topic="market-prices", key=b"old")
    assert (row.discarded_by, row.discard_reason) == (
        "outbox", "What its key names was told anew after it was written; that stays."
    )  # fmt: skip
    stays_everywhere(market, "old")


def test_a_tombstone_that_comes_behind_a_new_offer_deletes_nothing_of_it_and_is_told(market: Spine) -> None:
    """The stream lags: nobody could know of the offer when the tombstone was sent."""
    services.forget_closed_offers(NOW)
    again(market, "old")
    with relaying(market) as rounds:
        rounds.until_idle()

    market.drain("trading")

    assert offers() == {"old", "recent", "open", "suspended"}
    (summary,) = alerts("older_message_came_last")
    assert "behind newer messages of 1 of its keys, the first old." in summary
    stays_everywhere(market, "old")


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
        emit_tombstone("bet-events", key="k", seen=(0, 0), now=NOW)
    assert not Outgoing.objects.exists()
