"""What of trading can be watched live: the prices of a sport event, the market to show first, the last bets."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.access.roles import COMPLIANCE, OPERATIONS, TRADER, grant
from backoffice.kernel.clock import SystemClock
from backoffice.live.board import Rows
from backoffice.live.bus import Message, publish
from backoffice.live.frames import milliseconds
from backoffice.live.publications import Publication, register
from backoffice.streams.store.announcing import Events, after_commit

from . import selectors
from .selectors import MarketState, Quote

SEE_MARKETS, SEE_BETS = "trading.view_market", "trading.view_bet"
BETS_SHOWN = 30
# A batch with more market updates than this is a backlog that is caught up with; whoever watches reads Postgres.
MOST_UPDATES = 300
_ORDER = ("market_id", "version")


def prices(sport_event_id: str) -> Rows:
    """The markets of an event and their outcomes, each a row."""
    return {key: row for market in selectors.markets_of(sport_event_id) for key, row in market_rows(market).items()}


def market_rows(market: MarketState) -> Rows:
    """A market under its id and its outcomes under ``market/outcome``."""
    rows: Rows = {
        market.id: {
            "name": market.name, "type": market.type, "line": market.line, "status": market.status,
            "in_play": market.is_in_play, "bet_delay": market.bet_delay, "currency": market.currency,
            "traded": market.traded_volume, "version": market.version, "at": milliseconds(market.version_at),
        }
    }  # fmt: skip
    for quote in market.quotes:
        rows[f"{market.id}/{quote.outcome_id}"] = {
            "market": market.id, "name": quote.name, "status": quote.status, "back": quote.back_odds,
            "back_size": quote.back_size, "lay": quote.lay_odds, "lay_size": quote.lay_size, "last": quote.last_odds,
        }  # fmt: skip
    return rows


def featured(_: str) -> Rows:
    """One row with the market to show, or none."""
    market = selectors.featured_market(SystemClock().now())
    if market is None:
        return {}
    return {
        "market": {
            "event": market.sport_event_id, "market": market.market_id, "name": market.event_name,
            "competition": market.competition, "sport": market.sport, "provider": market.provider,
            "starts_at": milliseconds(market.starts_at) if market.starts_at else None, "real": market.is_real,
        }
    }  # fmt: skip


def ticker(_: str) -> Rows:
    """The last bets, each a row under its id; who placed it is not among them."""
    return {
        bet.id: {
            "at": milliseconds(bet.occurred_at), "brand": bet.brand, "jurisdiction": bet.jurisdiction,
            "kind": bet.kind, "currency": bet.currency, "stake": bet.stake, "payout": bet.potential_payout,
            "in_play": bet.is_in_play, "free": bet.is_free_bet, "legs": bet.legs, "odds": bet.odds,
            "event": bet.event, "market": bet.market, "selection": bet.selection,
        }
        for bet in selectors.latest_bets(SystemClock().now(), BETS_SHOWN)
    }  # fmt: skip


def announcement(events: Events) -> Message:
    """What the live pages are to be told of a batch: changed markets whole, of bets only that there are new ones."""
    message: dict[str, Any] = {}
    if "BetPlaced" in events:
        message["ticker"] = None
    updates = events.get("MarketUpdate")
    if updates is not None and updates.num_rows > MOST_UPDATES:
        message["prices:*"] = None
    elif updates is not None:
        for event, market in _told(updates):
            message.setdefault(f"prices:{event}", []).append((market.id, market_rows(market)))
    return message


def _told(updates: pa.Table) -> Iterator[tuple[str, MarketState]]:
    """The newest update of each market, and before it the last one of each status that the market left meanwhile."""
    if not updates.num_rows:
        return
    ordered = updates.take(pc.sort_indices(updates, [(name, "ascending") for name in _ORDER])).combine_chunks()
    market, status = ordered["market_id"].combine_chunks(), ordered["status"].combine_chunks()
    changes = pc.or_(pc.not_equal(market[:-1], market[1:]), pc.not_equal(status[:-1], status[1:]))
    last_of_its_status = pa.concat_arrays([changes, pa.array([True])])
    for update in ordered.filter(last_of_its_status).to_pylist():
        yield update["sport_event_id"], _state(update)


def _state(update: Mapping[str, Any]) -> MarketState:
    return MarketState(
        update["market_id"], update["market_name"], update["market_type"], update["line"], update["status"],
        update["is_in_play"], update["bet_delay"], update["currency"], update["traded_volume"], update["version"],
        update["occurred_at"], tuple(Quote(**outcome) for outcome in update["outcomes"]),
    )  # fmt: skip


def tell(events: Events) -> None:
    if message := announcement(events):
        publish(message)


def register_publications() -> None:
    register(Publication("prices:", SEE_MARKETS, prices, each=("status",)))
    register(Publication("featured", SEE_MARKETS, featured, every=5.0))
    register(Publication("ticker", SEE_BETS, ticker, least=0.25))
    grant(SEE_MARKETS, TRADER, OPERATIONS)
    grant(SEE_BETS, TRADER, COMPLIANCE)
    after_commit(tell)
