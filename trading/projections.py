"""`bet-events`, `odds-feed` and `market-prices` into the trading tables."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.columns import exploded
from backoffice.metrics.windows import (
    WINDOW,
    WINDOW_KEY,
    WINDOW_SUMS,
    bucketed,
    count_events,
    track_activity,
    with_longer_spans,
)
from backoffice.streams.store.folding import last_of_run
from backoffice.streams.store.projection import Stream, constant, renamed, stamped, standing, where

BETS, ODDS, PRICES = "bet-events", "odds-feed", "market-prices"
WHOSE = ("bet_id", "player_id", "brand", "jurisdiction", "currency")
VERSION = ("version", *standing("version"))
# What tells when an event happened and where it stands in the log.
_WHEN = ("occurred_at", "logged_at", "logged_offset")
SOURCE = ("source_generation", "source_partition", "source_offset")
# In which updates of a market follow one another, as events tell of it.
UPDATE_ORDER = ("market_id", "version", "logged_at", "logged_offset")

trading = Stream("trading")
# A market's versions are told apart by number, so that a repeat changes no market; a row for each of thousands of
# updates a second would be kept for nobody.
trading.without_log("MarketUpdate", "MarketPrice")


@trading.project("BetPlaced", into="trading_bet", key="id", fact=True)
def bets(events: pa.Table) -> pa.Table:
    known = (
        "player_id", "brand", "jurisdiction", "currency", "stake", "potential_payout", "kind", "system_size", "channel",
        "is_in_play", "is_free_bet", "bonus_id",
    )  # fmt: skip
    return renamed(events, id="bet_id", **{name: name for name in known})


@trading.project("BetPlaced", into="trading_leg", key=("bet_id", "leg_no"))
def legs(events: pa.Table) -> pa.Table:
    return exploded(events, "legs", keep=("bet_id",))


@trading.project("BetSettled", into="trading_settlement", key="event_id", fact=True)
def settlements(events: pa.Table) -> pa.Table:
    rows = events.select([*WHOSE, "settlement_no", "stake", "payout"])
    return _with_results(rows, events).append_column("previous_payout", constant(events, 0))


@trading.project("BetResettled", into="trading_settlement", key="event_id", fact=True)
def resettlements(events: pa.Table) -> pa.Table:
    rows = events.select([*WHOSE, "settlement_no", "stake", "payout", "previous_payout", "reason"])
    return _with_results(rows, events)


@trading.project("BetVoided", into="trading_settlement", key="event_id", fact=True)
def voids(events: pa.Table) -> pa.Table:
    rows = events.select([*WHOSE, "settlement_no", "stake", "previous_payout", "reason"])
    return rows.append_column("payout", events["refund"])


@trading.project("BetCashedOut", into="trading_settlement", key="event_id", fact=True)
def cash_outs(events: pa.Table) -> pa.Table:
    rows = events.select([*WHOSE, "settlement_no", "stake", "payout"])
    return rows.append_column("previous_payout", constant(events, 0))


def _with_results(rows: pa.Table, events: pa.Table) -> pa.Table:
    """The results of the legs as one array for each of their fields. Those of dead heats are null where no leg ended in
    one: nearly all, and all of which the producer does not tell."""
    # Combined anew, and so from the first element on, whatever slice the events are.
    lists = events["legs"].combine_chunks()
    offsets = lists.offsets
    elements = pc.list_flatten(lists)
    for column, field in (
        ("legs", "leg_no"), ("results", "result"), ("void_factors", "void_factor"),
        ("dead_heat_factors", "dead_heat_factor"),
    ):  # fmt: skip
        rows = rows.append_column(column, pa.ListArray.from_arrays(offsets, pc.struct_field(elements, field)))
    for column in ("dead_heat_places", "dead_heat_tied"):
        rows = rows.append_column(column, _where_any(lists, offsets, pc.struct_field(elements, column)))
    return rows


def _where_any(lists: pa.ListArray, offsets: pa.Array, values: pa.Array) -> pa.ListArray:
    """The values as arrays; null for a list in which all of them are."""
    told = np.zeros(len(lists), bool)
    told[pc.list_parent_indices(lists).filter(pc.is_valid(values)).to_numpy()] = True
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(~told))


@trading.project("BetPlaced", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def bet_stakes(events: pa.Table) -> pa.Table:
    """Real-money stakes on sports; free bets cost no player anything."""
    return _staked(events, "stakes")


@trading.project("BetPlaced", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS)
def bet_window(events: pa.Table) -> pa.Table:
    return bucketed(events, "bets", BETS, key=events["kind"], amount=events["stake"])


def _staked(events: pa.Table, metric: str) -> pa.Table:
    counted = events.select(["occurred_at", "currency", "stake", "source_partition"])
    paid = where(counted, pc.invert(events["is_free_bet"]))
    return bucketed(paid, metric, BETS, key="sports", amount=paid["stake"])


@trading.project(
    "BetSettled", "BetCashedOut", "BetResettled", "BetVoided", into=WINDOW, key=WINDOW_KEY, adding=WINDOW_SUMS
)
def bet_revenue(events: pa.Table) -> pa.Table:
    """GGR of sports, at settlement: stakes less payouts; a later step adds what it changes.

    Source: domain.md §1 (fixed odds: stakes − winnings on settled bets; open bets are a liability).
    """
    return with_longer_spans(bucketed(events, "ggr", BETS, key="sports", amount=_revenue_change(events)))


def _revenue_change(events: pa.Table) -> pa.ChunkedArray:
    columns = events.column_names
    if "is_free_bet" not in columns:
        return pc.subtract(events["previous_payout"], events["payout"])
    staked = pc.if_else(events["is_free_bet"], 0, events["stake"])
    if "was_settled" in columns:
        return pc.if_else(events["was_settled"], pc.subtract(events["previous_payout"], staked), 0)
    return pc.subtract(staked, events["payout"])


@trading.project("MarketUpdate", into="trading_sportevent", key="id", newest_by=standing("seen"))
def sport_events(events: pa.Table) -> pa.Table:
    rows = renamed(
        events, id="sport_event_id", provider="provider", sport="sport", competition="competition", name="event_name",
        starts_at="starts_at",
    )  # fmt: skip
    return stamped(rows, events, "seen")


@trading.project("MarketUpdate", into="trading_statuschange", key=("market_id", *VERSION), once=True)
def status_changes(events: pa.Table) -> pa.Table:
    """The first and the last update of each run of one status: a run that began before what the market was told last
    has to be seen to go on behind it. Before the markets are stored: what is no change is left out by what they were.
    After the sport events: whoever stores another update of one waits there, and finds what was stored here.
    """
    ordered = events.take(pc.sort_indices(events, [(name, "ascending") for name in UPDATE_ORDER])).combine_chunks()
    # Of several at one place that which the market takes.
    told = ordered.filter(pa.array(last_of_run(ordered, UPDATE_ORDER)))
    is_last = last_of_run(told, ("market_id", "status"))
    is_first = np.roll(is_last, 1)
    runs = told.filter(pa.array(is_first | is_last))
    return _versioned(runs.select(["market_id", "sport_event_id", "version", "status", *SOURCE, *_WHEN]))


@trading.project("MarketUpdate", into="trading_market", key="id", newest_by=VERSION)
def markets(events: pa.Table) -> pa.Table:
    known = (
        "sport_event_id", "provider", "line", "status", "is_in_play", "bet_delay", "winners", "currency",
        "traded_volume", "version", "subscription", "run",
    )  # fmt: skip
    named = {"id": "market_id", "type": "market_type", "name": "market_name"} | {name: name for name in known}
    return _told(stamped(renamed(events, **named), events, "version"), events, "version")


@trading.project("MarketUpdate", into="trading_outcome", key=("market_id", "outcome_id"), newest_by=VERSION)
def outcomes(events: pa.Table) -> pa.Table:
    return _versioned(exploded(events, "outcomes", keep=("market_id", "version", *_WHEN)))


@trading.project("FeedBegan", into="trading_feedrun", key=("provider", "subscription"), newest_by=standing("began"))
def feed_runs(events: pa.Table) -> pa.Table:
    rows = renamed(events, provider="provider", subscription="subscription", run="event_id")
    return _told(stamped(rows, events, "began"), events, "began")


@trading.project("MarketPrice", into="trading_offer", key="market_id", newest_by=VERSION)
def offers(events: pa.Table) -> pa.Table:
    known = ("market_id", "sport_event_id", "status", "is_in_play", "margin_ppm", "method", "version")
    return _versioned(events.select([*known, *_WHEN]))


@trading.project("MarketPrice", into="trading_price", key=("market_id", "outcome_id"), newest_by=VERSION)
def prices(events: pa.Table) -> pa.Table:
    return _versioned(exploded(events, "prices", keep=("market_id", "version", *_WHEN)))


def _told(rows: pa.Table, events: pa.Table, name: str) -> pa.Table:
    """The rows with when the broker took their messages and when we read them, which is judged and orders nothing."""
    for column in ("appended_at", "taken_at"):
        rows = rows.append_column(f"{name}_{column}", events[column])
    return rows


def _versioned(rows: pa.Table) -> pa.Table:
    return stamped(rows.drop_columns(list(_WHEN)), rows, "version")


trading.deletes(PRICES, by="market_id", tables=("trading_offer", "trading_price"), standing=standing("version"))
track_activity(trading, ["BetPlaced"])
# Not those of a compacted topic: its log forgets, and nobody could count them again.
count_events(trading, [*TOPICS[BETS].records, *TOPICS[ODDS].records])
