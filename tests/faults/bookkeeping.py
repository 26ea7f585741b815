"""Sums that must come out: the ledger's balances and transfers, the windows, who was last seen when."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from backoffice.contracts.catalogue import topic_of
from backoffice.simulator.events.envelope import Event
from wallet.reconciled import bookings, owner

Account = tuple[str, str]
Key = tuple[Any, ...]

_OWNER = "coalesce({0}.player_id::text, {0}.subject)"
BALANCES = (
    f"SELECT a.kind, {_OWNER.format('a')}, a.currency, coalesce(sum(b.debits), 0)::bigint,"
    " coalesce(sum(b.credits), 0)::bigint"
    " FROM wallet_account a FULL JOIN wallet_balance b ON b.account_id = a.id GROUP BY 1, 2, 3"
)
TRANSFERS = (
    f"SELECT t.event_id, d.kind, {_OWNER.format('d')}, c.kind, {_OWNER.format('c')}, sum(t.amount)::bigint, t.currency,"
    " t.record, t.occurred_at FROM wallet_transfer t LEFT JOIN wallet_account d ON d.id = t.debit_account"
    " LEFT JOIN wallet_account c ON c.id = t.credit_account GROUP BY 1, 2, 3, 4, 5, 7, 8, 9"
)
WINDOWS = (
    "SELECT metric, minute, key, currency, sum(count)::bigint, sum(amount)::bigint"
    " FROM metrics_window GROUP BY 1, 2, 3, 4"
)
ACTIVITY = "SELECT player_id, topic, brand, jurisdiction, minute FROM metrics_activity"

_MINUTE = 60_000_000
_LONGER = (("ggr_hour", 60 * _MINUTE), ("ggr_day", 24 * 60 * _MINUTE))
_ACTIVE = {"DepositCompleted", "RoundCompleted", "BetPlaced", "LoginSucceeded", "SessionStarted"}


def balances(events: Iterable[Event]) -> dict[Key, Key]:
    """Debits and credits of each account, by kind, owner and currency."""
    sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for event in events:
        for debit, credit, amount in moved(event):
            sums[(*debit, event.body["currency"])][0] += amount
            sums[(*credit, event.body["currency"])][1] += amount
    return {key: tuple(pair) for key, pair in sums.items()}


def transfers(events: Iterable[Event]) -> dict[Key, Key]:
    sums: dict[Key, int] = defaultdict(int)
    rest: dict[Key, Key] = {}
    for event in events:
        for debit, credit, amount in moved(event):
            key = (event.body["event_id"], *debit, *credit)
            sums[key] += amount
            rest[key] = (event.body["currency"], event.record, event.body["occurred_at"])
    return {key: (amount, *rest[key]) for key, amount in sums.items()}


def moved(event: Event) -> Iterator[tuple[Account, Account, int]]:
    """Which account gives how much to which, by the second opinion that reconciliation has of the ledger."""
    for _, debit, credit, amount in bookings(event.record, event.body):
        yield (debit, owner(debit, event.body)), (credit, owner(credit, event.body)), amount


def windows(events: Iterable[Event]) -> dict[Key, Key]:
    """Count and sum of each metric, by minute, key and currency; what a compacted topic forgets is not counted."""
    sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for event in events:
        if event.record == "MarketPrice":
            continue
        at = event.body["occurred_at"]
        assert isinstance(at, int)
        for metric, key, amount in _measured(event):
            currency = "" if amount is None else event.body["currency"]
            for name, span in ((metric, _MINUTE), *(_LONGER if metric == "ggr" else ())):
                entry = sums[(name, at - at % span, key, currency)]
                entry[0] += 1
                entry[1] += amount or 0
    return {key: tuple(pair) for key, pair in sums.items()}


def _measured(event: Event) -> Iterator[tuple[str, Any, int | None]]:
    body: dict[str, Any] = event.body
    yield "events", event.record, None
    match event.record:
        case "LoginSucceeded":
            yield "logins", "succeeded", None
        case "LoginFailed":
            yield "logins", "failed", None
        case "DepositCompleted":
            yield "deposits_completed", body["provider"], body["amount"]
        case "DepositDeclined":
            yield "deposits_declined", body["provider"], body["amount"]
        case "RoundCompleted":
            yield "stakes", body["vertical"], body["stake"]
            yield "ggr", body["vertical"], body["stake"] - body["win"] - body["jackpot_win"]
        case "BetPlaced":
            yield "bets", body["kind"], body["stake"]
            if not body["is_free_bet"]:
                yield "stakes", "sports", body["stake"]
        case "BetSettled" | "BetCashedOut" | "BetResettled" | "BetVoided":
            yield "ggr", "sports", _won_by_the_house(event.record, body)


def _won_by_the_house(record: str, body: dict[str, Any]) -> int:
    """What this step adds to the gross gaming revenue of sports."""
    if record == "BetResettled":
        return int(body["previous_payout"] - body["payout"])
    stake = 0 if body["is_free_bet"] else body["stake"]
    if record == "BetVoided":
        return int(body["previous_payout"] - stake) if body["was_settled"] else 0
    return int(stake - body["payout"])


def activity(events: Iterable[Event]) -> dict[Key, Key]:
    """The minute in which each player was last seen in each topic."""
    seen: dict[Key, Any] = {}
    for event in events:
        if event.record in _ACTIVE:
            body: dict[str, Any] = event.body
            key = (body["player_id"], topic_of(event.record))
            seen[key] = max(
                seen.get(key, (0,)), (body["occurred_at"] // _MINUTE * _MINUTE, body["brand"], body["jurisdiction"])
            )
    return {key: (brand, jurisdiction, at) for key, (at, brand, jurisdiction) in seen.items()}
