"""What trading's tables must hold, by `bet-events`, `odds-feed` and `market-prices`; apart from the projections."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS
from backoffice.reconcile.declared import (
    Agreement,
    Book,
    Count,
    Description,
    Entry,
    Invariant,
    Link,
    Look,
    State,
    Trace,
    Unique,
    describe,
    same,
    standing,
)
from backoffice.reconcile.differences import Found
from backoffice.reconcile.messages.reading import Event
from wallet.reconciled import OF_MONEY, player_account

from . import chains, open_bets, payouts
from .invariants import broken_sequences, without_source
from .letters import OF_BETS

BETS, ODDS = "bet-events", "odds-feed"
_OF_ODDS = ("trading", ODDS)
OPEN_BETS = "open bets"
_VERSION = ("version", *standing("version"))
_AT = {"version_at": "at"}
_RESULTS = {
    "legs": "legs.leg_no",
    "results": "legs.result",
    "void_factors": "legs.void_factor",
    "dead_heat_factors": "legs.dead_heat_factor",
    "dead_heat_places": "legs.dead_heat_places",
    "dead_heat_tied": "legs.dead_heat_tied",
}
_LEG = ("leg_no", "sport", "sport_event_id", "market_id", "outcome_id", "odds", "is_in_play")

_STATES = (
    State("sport_event", ("MarketUpdate",), "trading_sportevent", {"id": "sport_event_id"}, standing("seen"),
          same("provider sport competition starts_at") | {"name": "event_name", "seen_at": "at"}),
    State("market", ("MarketUpdate",), "trading_market", {"id": "market_id"}, _VERSION,
          same("sport_event_id provider line status is_in_play bet_delay winners currency traded_volume")
          | same("subscription run") | {"type": "market_type", "name": "market_name"}
          | {"version_appended_at": "appended_at"} | _AT),
    State("outcome", ("MarketUpdate",), "trading_outcome", same("market_id outcome_id"), _VERSION,
          same("name status back_odds back_size lay_odds lay_size last_odds") | _AT, each="outcomes"),
    State("feed_run", ("FeedBegan",), "trading_feedrun", same("provider subscription"), standing("began"),
          {"run": "event_id", "began_at": "at", "began_appended_at": "appended_at"},
          kept=lambda: settings.FEED_RUNS_KEPT),
    State("offer", ("MarketPrice",), "trading_offer", same("market_id"), _VERSION,
          same("sport_event_id status is_in_play margin_ppm method") | _AT, forgets=True),
    State("price", ("MarketPrice",), "trading_price", same("market_id outcome_id"), _VERSION,
          same("odds probability_ppm") | _AT, each="prices", forgets=True),
)  # fmt: skip


def _legs(_record: str, event: Event, _partition: int) -> list[tuple[Any, ...]]:
    bet_id = event["bet_id"].lower()
    return [(bet_id, *[leg[field] for field in _LEG]) for leg in event["legs"]]


def _placed(event: Event) -> list[Count]:
    placed: Count = ("bets", event["kind"], event["stake"])
    return [placed] if event["is_free_bet"] else [placed, ("stakes", "sports", event["stake"])]


def _settled(event: Event) -> list[Count]:
    """Revenue is stakes less winnings on what is settled; a free bet costs the player no stake."""
    return [("ggr", "sports", _real_stake(event) - event["payout"])]


def _voided(event: Event) -> list[Count]:
    return [("ggr", "sports", event["previous_payout"] - _real_stake(event) if event["was_settled"] else 0)]


def _real_stake(event: Event) -> int:
    return 0 if event["is_free_bet"] else int(event["stake"])


def _open_bets(record: str, event: Event) -> Iterator[Entry]:
    """A bet's stake is the player's open bets' from its placement to the first step that ends it."""
    account = player_account("open_bets", event["player_id"], event["currency"])
    if record == "BetPlaced":
        yield account, None, 0, event["stake"]
    elif record in ("BetSettled", "BetCashedOut") or (record == "BetVoided" and not event["was_settled"]):
        yield account, None, event["stake"], 0


def _held_open(look: Look) -> Iterator[Found]:
    """The ledger's accounts of open bets hold the stakes of the open bets, as far as both topics have told of them."""
    look.cursor.execute(
        sql.SQL(
            "SELECT account_id::text, coalesce(w.balance, 0) FROM"
            " (SELECT account_id, sum(credits) - sum(debits) AS balance FROM wallet_balance"
            "  JOIN wallet_account a ON a.id = account_id AND a.kind = 'open_bets' WHERE {stretch} GROUP BY 1) w"
            " FULL JOIN (SELECT account_id, sum(credits) - sum(debits) AS balance FROM {balances}"
            "  WHERE book = %s AND {stretch} GROUP BY 1) t USING (account_id)"
            " WHERE coalesce(w.balance, 0) <> coalesce(t.balance, 0)"
        ).format(stretch=look.condition, balances=look.balances),
        [*look.bounds, OPEN_BETS, *look.bounds],
    )
    for account, held in look.cursor.fetchall():
        yield from open_bets.explained(look, account, int(held))


TRADING = Description(
    "trading",
    fields={("BetPlaced", "id"): "bet_id", ("BetVoided", "payout"): "refund"}
    | {(record, column): field for record in ("BetSettled", "BetResettled") for column, field in _RESULTS.items()},
    constants={("BetSettled", "previous_payout"): 0, ("BetCashedOut", "previous_payout"): 0},
    states=_STATES,
    links=(Link("legs", BETS, ("BetPlaced",), "trading_bet", "id", "trading_leg", "bet_id", ("bet_id", *_LEG), _legs),),
    traces=(
        Trace("statuses", ODDS, ("MarketUpdate",), "trading_statuschange", "market_id",
              same("market_id sport_event_id version status") | _AT
              | {"version_logged_at": "logged_at", "version_offset": "logged_offset"}),
    ),
    unique=(
        Unique(
            "settlements",
            "trading_settlement",
            ("bet_id", "settlement_no"),
            "There is more than one settlement of a bet with one number.",
        ),
    ),
    counts={
        "BetPlaced": _placed,
        "BetSettled": _settled,
        "BetCashedOut": _settled,
        "BetResettled": lambda event: [("ggr", "sports", event["previous_payout"] - event["payout"])],
        "BetVoided": _voided,
    },
    by_hour_and_day=frozenset({"ggr"}),
    # Not those of a compacted topic: its log forgets, and nobody could count them again.
    counted=frozenset(TOPICS[BETS].records + TOPICS[ODDS].records),
    seen=("BetPlaced",),
    books=(Book(OPEN_BETS, BETS, _open_bets),),
    invariants=(
        Invariant(
            OPEN_BETS, "wallet_balance", ("account_id",), (OF_BETS, OF_MONEY), _held_open, needs_all=True
        ),
        Invariant("payouts", "trading_bet", ("id",), (OF_BETS, OF_MONEY), payouts.paid_otherwise, needs_all=True),
        Invariant(
            "bets of money", "wallet_transaction", ("event_id",), (OF_BETS, OF_MONEY), payouts.moved_for_none,
            needs_all=True,
        ),
        Invariant("statuses", "trading_statuschange", ("market_id",), (_OF_ODDS,), broken_sequences),
        Invariant("sources", "trading_statuschange", ("market_id",), (_OF_ODDS,), without_source),
    ),
    agreements=(Agreement(BETS, chains.STEPS, chains.at_odds),),
)  # fmt: skip


def register() -> None:
    describe(TRADING)
