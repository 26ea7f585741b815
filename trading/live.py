"""What of trading can be watched live: prices and statuses of an event, the market to show first, the last bets."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import Error, connection

from backoffice.access.roles import COMPLIANCE, OPERATIONS, TRADER, grant
from backoffice.kernel.clock import SystemClock
from backoffice.live import panels
from backoffice.live.board import Row, Rows
from backoffice.live.bus import publish
from backoffice.live.frames import milliseconds
from backoffice.live.messages import Said
from backoffice.live.panels import Panel, Piece
from backoffice.live.publications import Journal, Publication, register
from backoffice.live.tail import Page
from backoffice.streams.store.announcing import Events, after_commit

from . import journal, selectors
from .journal import PlacedBet, Positions, Status
from .projections import UPDATE_ORDER, status_changes
from .selectors import MarketState, Quote

log = logging.getLogger(__name__)

SEE_MARKETS, SEE_BETS = "trading.view_market", "trading.view_bet"
BETS_SHOWN = 30
STATUSES_SHOWN = 100
# Seconds between two changes of a price that are told.
PRICES_PACE = 0.02
# A batch with more market updates than this is a backlog that is caught up with; whoever watches reads Postgres.
MOST_UPDATES = 300
# For so long (seconds) it is not read again which providers are doubted; pages that are open learn of it at once.
KNOWN_FOR = 1.0


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


def ticker(_: str, since: Positions | None) -> Page[Positions]:
    """Bets as they are placed, each a row under its id; who placed it is not among them."""
    placed = journal.newest_bets(SystemClock().now(), BETS_SHOWN) if since is None else journal.bets_since(since)
    return Page(placed.positions, [(bet.id, _bet_row(bet)) for bet in placed.bets], placed.skipped)


def _bet_row(bet: PlacedBet) -> Row:
    return {
        "at": milliseconds(bet.occurred_at), "brand": bet.brand, "jurisdiction": bet.jurisdiction,
        "kind": bet.kind, "currency": bet.currency, "stake": bet.stake, "payout": bet.potential_payout,
        "in_play": bet.is_in_play, "free": bet.is_free_bet, "legs": bet.legs, "odds": bet.odds,
        "event": bet.event, "market": bet.market, "selection": bet.selection,
    }  # fmt: skip


def statuses(sport_event_id: str, after: int | None) -> Page[int]:
    """Statuses as the event's markets take them, each a row under its number."""
    if after is None:
        found = journal.newest_statuses(sport_event_id, STATUSES_SHOWN)
    else:
        found = journal.statuses_since(sport_event_id, after)
    return Page(found[-1].id if found else after or 0, [(str(status.id), _status_row(status)) for status in found])


def _status_row(status: Status) -> Row:
    return {
        "market": status.market_id, "status": status.status, "at": milliseconds(status.changed_at),
        "version": status.version,
    }  # fmt: skip


def announcement(events: Events, doubted: Mapping[str, datetime] | None = None) -> Said:
    """What the live pages are to be told of a batch: the newest state of each market, the statuses that markets took
    or had, and of bets only that there are new ones. Open markets that are ``doubted`` are told as suspended.
    """
    said: dict[str, Any] = {}
    if "BetPlaced" in events:
        said["ticker"] = None
    updates = events.get("MarketUpdate")
    if updates is not None and updates.num_rows > MOST_UPDATES:
        for event in pc.unique(updates["sport_event_id"]).to_pylist():
            said |= {f"prices:{event}": None, f"statuses:{event}": None}
    elif updates is not None:
        newest = _newest(updates).to_pylist()
        held = {
            update["market_id"]
            for update in newest
            if selectors.is_doubted(doubted or {}, update["provider"], _told_at(update))
        }
        for update in newest:
            rows = market_rows(_state(update, update["market_id"] in held))
            said.setdefault(f"prices:{update['sport_event_id']}", []).append((update["market_id"], rows))
        for run in status_changes(updates).to_pylist():
            hint = {run["market_id"]: {"status": selectors.shown_status(run["status"], run["market_id"] in held)}}
            said.setdefault(f"statuses:{run['sport_event_id']}", []).append((run["market_id"], hint))
    return said


def _newest(updates: pa.Table) -> pa.Table:
    """The newest update of each market."""
    ordered = updates.take(pc.sort_indices(updates, [(name, "ascending") for name in UPDATE_ORDER])).combine_chunks()
    market = ordered["market_id"].combine_chunks()
    last = pa.array([True] * min(1, ordered.num_rows), pa.bool_())
    return ordered.filter(pa.concat_arrays([pc.not_equal(market[:-1], market[1:]), last]))


def _told_at(update: Mapping[str, Any]) -> datetime:
    """As `selectors.TOLD_AT`. Times in a table of events are in UTC without saying so."""
    told_at: datetime = update["taken_at"] or update["logged_at"]
    return told_at.replace(tzinfo=UTC)


def _state(update: Mapping[str, Any], is_doubted: bool) -> MarketState:
    return MarketState(
        update["market_id"], update["market_name"], update["market_type"], update["line"],
        selectors.shown_status(update["status"], is_doubted), update["is_in_play"], update["bet_delay"],
        update["currency"], update["traded_volume"], update["version"], update["occurred_at"],
        tuple(Quote(**outcome) for outcome in update["outcomes"]),
    )  # fmt: skip


@dataclass
class _Known:
    """Until when providers are doubted, as it was read last (monotonic seconds)."""

    doubted: dict[str, datetime] = field(default_factory=dict)
    read_at: float = -KNOWN_FOR


_known = _Known()


def _doubted() -> dict[str, datetime]:
    """Read now and then; what was known stays while Postgres is away."""
    if time.monotonic() >= _known.read_at + KNOWN_FOR:
        _known.read_at = time.monotonic()
        try:
            _known.doubted = selectors.doubted_until()
        except Error as error:
            log.warning("which providers are doubted cannot be read now: %s", error)
        finally:
            # This thread has no requests that would end a connection which broke.
            connection.close()
    return _known.doubted


def tell(events: Events) -> None:
    if said := announcement(events, _doubted() if "MarketUpdate" in events else None):
        publish(said)


def register_publications() -> None:
    register(Publication("prices:", SEE_MARKETS, prices, leader="market", is_told=True, pace=PRICES_PACE))
    register(Journal("statuses:", SEE_MARKETS, statuses, keep=STATUSES_SHOWN, is_told=True))
    register(Publication("featured", SEE_MARKETS, featured, every=5.0))
    register(Journal("ticker", SEE_BETS, ticker, keep=BETS_SHOWN, is_told=True, least=0.25))
    grant(SEE_MARKETS, TRADER, OPERATIONS)
    grant(SEE_BETS, TRADER, COMPLIANCE)
    after_commit(tell)


def register_panels() -> None:
    market, ticker = Piece("main", 10, "trading/market.html"), Piece("main", 20, "trading/ticker.html")
    panels.register(Panel("market", "featured", "trading/market.js", (market,), style="trading/live.css"))
    panels.register(Panel("ticker", "ticker", "trading/ticker.js", (ticker,), style="trading/live.css"))
    panels.register(Panel("feeds", "health", "trading/feeds.js", (Piece("side", 60, "trading/feeds.html"),)))
