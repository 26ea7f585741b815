"""What of trading can be watched live: prices and statuses of an event, the market to show first, the last bets."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from backoffice.access.roles import COMPLIANCE, OPERATIONS, TRADER, grant
from backoffice.kernel.clock import SystemClock, at_microseconds, microseconds, milliseconds
from backoffice.live import panels
from backoffice.live.board import Reading, Row, Rows
from backoffice.live.bus import publish
from backoffice.live.keys import key_of
from backoffice.live.messages import Said
from backoffice.live.panels import Panel, Piece
from backoffice.live.publications import Journal, Publication, register
from backoffice.live.tail import Page
from backoffice.streams.store.announcing import Events, after_commit

from . import journal, selectors
from .doubts import Doubts, Telling, doubts, told_at
from .journal import PlacedBet, Positions, Status
from .projections import UPDATE_ORDER, markets, status_changes
from .selectors import MarketState, Quote

SEE_MARKETS, SEE_BETS = "trading.view_market", "trading.view_bet"
BETS_SHOWN = 30
STATUSES_SHOWN = 100
# Seconds between two changes of a price that are told.
PRICES_PACE = 0.02
# A batch with more market updates than this is a backlog that is caught up with; whoever watches reads Postgres.
MOST_UPDATES = 300
# What workers tell of a market beside what is shown of it: of whom it is, and when it was told (microseconds).
JUDGED_BY = ("provider", "subscription", "run", "told", "dated")


def prices(sport_event_id: str) -> Reading:
    """The markets of an event and their outcomes, each a row; what is told of them is judged as these were."""
    doubted = doubts()
    found = selectors.markets_of(sport_event_id, doubted)
    rows = {key: row for market in found for key, row in market_rows(market).items()}
    return Reading(rows, partial(as_shown, doubted))


def market_rows(market: MarketState) -> Rows:
    """A market under its id and its outcomes under ``market/outcome`` (see `key_of`)."""
    rows: Rows = {
        key_of(market.id): {
            "name": market.name, "type": market.type, "line": market.line, "status": market.status,
            "in_play": market.is_in_play, "bet_delay": market.bet_delay, "currency": market.currency,
            "traded": market.traded_volume, "at": milliseconds(market.version_at), "version": market.version,
            "logged": milliseconds(market.version_logged_at), "offset": market.version_offset,
        }
    }  # fmt: skip
    for quote in market.quotes:
        rows[key_of(market.id, quote.outcome_id)] = {
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
        "version": status.version, "late": status.is_late,
    }  # fmt: skip


def announcement(events: Events) -> Said:
    """What the live pages are to be told of a batch: the newest state of each market, the statuses that markets took
    or had, and of bets only that there are new ones. As it was stored: see `as_shown`.
    """
    said: dict[str, Any] = {}
    if "BetPlaced" in events:
        said["ticker"] = None
    if "FeedBegan" in events:
        said["prices:*"] = None
    updates = events.get("MarketUpdate")
    if updates is not None and updates.num_rows > MOST_UPDATES:
        for event in pc.unique(updates["sport_event_id"]).to_pylist():
            said |= {f"prices:{event}": None, f"statuses:{event}": None}
    elif updates is not None:
        said |= _told_prices(updates)
        for run in status_changes(updates).to_pylist():
            said.setdefault(f"statuses:{run['sport_event_id']}", []).append((run["market_id"], _hint(run)))
    return said


def _hint(run: Mapping[str, Any]) -> Rows:
    """That a market had a status, and by which update."""
    logged = milliseconds(_utc(run["version_logged_at"]))
    row: Row = {"status": run["status"], "version": run["version"], "logged": logged, "offset": run["version_offset"]}
    return {run["market_id"]: row}


def _told_prices(updates: pa.Table) -> Said:
    """The newest state of each market of each event; None for an event with a market of which the tables may hold parts
    of two updates.
    """
    newest, is_tied = _newest(updates)
    said: dict[str, Any] = {}
    rows = zip(markets(newest).to_pylist(), newest["outcomes"].to_pylist(), is_tied.to_pylist(), strict=True)
    for market, outcomes, tied in rows:
        name = f"prices:{market['sport_event_id']}"
        if tied or said.get(name, []) is None:
            said[name] = None
        else:
            said.setdefault(name, []).append((key_of(market["id"]), _told_rows(market, outcomes)))
    return said


def _newest(updates: pa.Table) -> tuple[pa.Table, pa.BooleanArray]:
    """The newest update of each market, and whether another stands at the same place."""
    ordered = updates.take(pc.sort_indices(updates, [(name, "ascending") for name in UPDATE_ORDER])).combine_chunks()
    same = [pc.equal(column[:-1], column[1:]) for column in (ordered[name].combine_chunks() for name in UPDATE_ORDER)]
    edge = pa.array([False] * min(1, ordered.num_rows), pa.bool_())
    is_last = pc.invert(pa.concat_arrays([same[0], edge]))
    is_tied = pa.concat_arrays([edge, reduce(pc.and_, same)])
    return ordered.filter(is_last), is_tied.filter(is_last)


def _told_rows(market: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]) -> Rows:
    """A row that is stored in the table of markets, as it is told: with what decides whether it is believed."""
    state = MarketState(
        market["id"], market["name"], market["type"], market["line"], market["status"], market["is_in_play"],
        market["bet_delay"], market["currency"], market["traded_volume"], market["version"],
        _utc(market["version_at"]), _utc(market["version_logged_at"]), market["version_offset"],
        tuple(Quote(**outcome) for outcome in outcomes),
    )  # fmt: skip
    times = (market[name] and _utc(market[name]) for name in ("version_appended_at", "version_taken_at"))
    rows = market_rows(state)
    judged_by = (
        market["provider"], market["subscription"], market["run"] and str(UUID(bytes=market["run"])),
        *map(microseconds, told_at(*times)),
    )  # fmt: skip
    rows[key_of(state.id)] |= dict(zip(JUDGED_BY, judged_by, strict=True))
    return rows


def _utc(at: datetime) -> datetime:
    """Times in a table of events are in UTC without saying so."""
    return at.replace(tzinfo=UTC)


def as_shown(doubted: Doubts, rows: Rows) -> Rows:
    """A market as it was told (`_told_rows`) as the selectors show it: by who is ``doubted`` in the same reading as all
    else that is shown, for a worker may not know yet who was suspended a moment ago.
    """
    return {key: row if "market" in row else _judged(doubted, row) for key, row in rows.items()}


def _judged(doubted: Doubts, row: Row) -> Row:
    shown = {name: value for name, value in row.items() if name not in JUDGED_BY}
    provider, subscription, run, told, dated = (row.get(name) for name in JUDGED_BY)
    # What does not say by whom and when it was told is not believed.
    if isinstance(provider, str) and isinstance(told, int) and isinstance(dated, int):
        of, by = str(subscription or ""), UUID(str(run)) if run else None
        times = (at_microseconds(at) for at in (told, dated))
        is_doubted = doubted.cover(Telling(provider, of, by, *times))
    else:
        is_doubted = True
    return shown | {"status": selectors.shown_status(str(row["status"]), is_doubted)}


def tell(events: Events) -> None:
    if said := announcement(events):
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
