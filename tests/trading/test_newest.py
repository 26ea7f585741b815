"""What a newer update or offer leaves out is gone for every reader, whatever order things came in."""

from collections.abc import Iterator
from io import StringIO
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.contracts.catalogue import TOPICS, topic_of
from backoffice.kernel.clock import microseconds
from backoffice.kernel.ids import uuid7_floor
from backoffice.simulator.events.envelope import Event
from tests.spine import Spine
from tests.streams.arriving import event_of
from trading import journal, selectors
from trading.models import Offer, Outcome, Price

MARKET, MATCH = "1x2", "match-1"
HOME, DRAW, AWAY = "home", "draw", "away"


def event(record: str, **changes: Any) -> Event:
    body = event_of(record, event_id=str(uuid4()), market_id=MARKET, sport_event_id=MATCH, status="open") | changes
    times = {name: microseconds(body[name]) for name in ("occurred_at", "starts_at") if body.get(name) is not None}
    return Event(record, body[TOPICS[topic_of(record)].key], body | times)


def update(version: int, *outcomes: str, **changes: Any) -> Event:
    told = [
        {"outcome_id": name, "name": name.title(), "status": "active", "back_odds": 1_000 + version}
        for name in outcomes
    ]
    return event("MarketUpdate", version=version, outcomes=told, **changes)


def offer(version: int, *outcomes: str, **changes: Any) -> Event:
    prices = [{"outcome_id": name, "odds": 1_001 + version, "probability_ppm": 300_000} for name in outcomes]
    return event("MarketPrice", version=version, prices=prices, **changes)


def stored(spine: Spine, *events: Event) -> None:
    spine.send(events)
    spine.drain("trading")


def outcomes() -> list[tuple[str, int]]:
    return sorted(Outcome.objects.filter(market_id=MARKET).values_list("outcome_id", "version"))


def prices() -> list[tuple[str, int]]:
    return sorted(Price.objects.filter(market_id=MARKET).values_list("outcome_id", "version"))


def quoted() -> list[tuple[int, list[str]]]:
    """Version and outcomes of the match's markets, as the live page gets them."""
    return [(state.version, [quote.outcome_id for quote in state.quotes]) for state in selectors.markets_of(MATCH)]


def test_what_an_update_leaves_out_is_gone(spine: Spine) -> None:
    stored(spine, update(1, HOME, DRAW, AWAY), offer(1, HOME, DRAW, AWAY))
    assert (outcomes(), prices()) == ([(name, 1) for name in (AWAY, DRAW, HOME)],) * 2

    stored(spine, update(2, HOME, AWAY), offer(2, HOME))

    assert outcomes() == [(AWAY, 2), (HOME, 2)]
    assert prices() == [(HOME, 2)]
    assert quoted() == [(2, [AWAY, HOME])]
    assert Outcome.with_gone.count() == Price.with_gone.count() == 3


def test_an_offer_that_has_ended_has_no_price(spine: Spine) -> None:
    stored(spine, offer(1, HOME, AWAY), offer(2, status="settled"))

    assert (Offer.objects.get().status, prices()) == ("settled", [])


def test_what_comes_back_is_there_again(spine: Spine) -> None:
    stored(spine, update(1, HOME, AWAY), offer(1, HOME, AWAY), update(2, HOME), offer(2, HOME))
    stored(spine, update(3, HOME, AWAY), offer(3, AWAY))

    assert (outcomes(), prices()) == ([(AWAY, 3), (HOME, 3)], [(AWAY, 3)])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_updates_come(spine: Spine, order: tuple[int, ...]) -> None:
    updates = [update(1, HOME, DRAW), update(2, HOME), update(3, AWAY)]
    offers = [offer(1, HOME, DRAW), offer(2, HOME), offer(3, AWAY)]
    for place in order:
        stored(spine, updates[place], offers[place])

    assert (outcomes(), prices(), quoted()) == ([(AWAY, 3)], [(AWAY, 3)], [(3, [AWAY])])


def test_of_two_updates_with_one_version_only_one_is_read(spine: Spine) -> None:
    """A provider that counts badly: the outcomes are those of the update that the market is of."""
    stored(spine, update(1, HOME, DRAW, status="suspended"), update(1, AWAY, DRAW, status="open"))
    stored(spine, offer(1, HOME, DRAW, margin_ppm=5), offer(1, AWAY, DRAW, margin_ppm=6))

    (state,) = selectors.markets_of(MATCH)
    assert {quote.outcome_id for quote in state.quotes} == {HOME if state.status == "suspended" else AWAY, DRAW}
    assert {name for name, _ in prices()} == {HOME if Offer.objects.get().margin_ppm == 5 else AWAY, DRAW}


def test_one_event_id_for_two_versions_hides_nothing(spine: Spine) -> None:
    once = str(uuid4())
    stored(spine, update(1, HOME, AWAY, event_id=once))
    stored(spine, update(2, HOME, event_id=once))

    assert outcomes() == [(HOME, 2)]


def test_a_rebuild_gives_the_same(spine: Spine) -> None:
    stored(spine, update(1, HOME, DRAW), offer(1, HOME, DRAW), update(2, HOME), offer(2, HOME))
    before = (outcomes(), prices(), quoted())

    for table in ("trading_outcome", "trading_price", "trading_market", "trading_offer"):
        call_command("rebuild", table, stdout=StringIO())
        assert (outcomes(), prices(), quoted()) == before


def test_the_name_of_what_was_bet_on_is_still_known(spine: Spine) -> None:
    leg = {
        "leg_no": 1, "sport": "football", "sport_event_id": MATCH, "market_id": MARKET, "outcome_id": DRAW,
        "odds": 3_000, "is_in_play": False,
    }  # fmt: skip
    bet = event_of("BetPlaced", kind="single", legs=[leg])
    bet["bet_id"] = str(uuid7_floor(bet["occurred_at"]))
    placed = Event("BetPlaced", bet["player_id"], bet | {"occurred_at": microseconds(bet["occurred_at"])})
    stored(spine, update(1, HOME, DRAW), update(2, HOME), placed)

    (latest,) = journal.newest_bets(bet["occurred_at"], 5).bets

    assert latest.selection == "Draw"


@pytest.fixture
def statements(spine: Spine) -> Iterator[CaptureQueriesContext]:
    stored(spine, update(1, HOME, AWAY), update(1, HOME, market_id="totals"))
    with CaptureQueriesContext(connection) as queries:
        yield queries


def test_a_market_and_its_outcomes_are_read_at_one_moment(statements: CaptureQueriesContext) -> None:
    assert quoted() == [(1, [AWAY, HOME]), (1, [HOME])]
    reading = [each["sql"] for each in statements if "trading_market" in each["sql"]]
    # Who is doubted is read before that, in two.
    assert (len(reading), len(statements)) == (1, 3)
    assert "trading_outcome" in reading[0]


def test_of_an_event_without_markets_nothing_is_read(statements: CaptureQueriesContext) -> None:
    assert selectors.markets_of("another") == []
