"""What each event adds to the rolling windows, said a second time: plain numbers, event by event.

Source: revenue is stakes less winnings on what is settled, real money only; a free bet costs the player no stake.
"""

from collections.abc import Callable
from typing import Any

from backoffice.contracts.catalogue import TOPICS

from .reading import Event, Events
from .wants import Want

MINUTE = 60_000_000
# Revenue is kept by the hour and by the day as well.
SPANS = {"ggr": (("ggr", MINUTE), ("ggr_hour", 60 * MINUTE), ("ggr_day", 1_440 * MINUTE))}
# Metric, key and amount; None where no money is summed.
Count = tuple[str, str, int | None]


def _bet(event: Event) -> list[Count]:
    placed: Count = ("bets", event["kind"], event["stake"])
    return [placed] if event["is_free_bet"] else [placed, ("stakes", "sports", event["stake"])]


def _settled(event: Event) -> list[Count]:
    return [("ggr", "sports", _real_stake(event) - event["payout"])]


def _voided(event: Event) -> list[Count]:
    return [("ggr", "sports", event["previous_payout"] - _real_stake(event) if event["was_settled"] else 0)]


def _real_stake(event: Event) -> int:
    return 0 if event["is_free_bet"] else int(event["stake"])


def _round(event: Event) -> list[Count]:
    vertical, stake = event["vertical"], event["stake"]
    return [("stakes", vertical, stake), ("ggr", vertical, stake - event["win"] - event["jackpot_win"])]


_COUNTS: dict[str, Callable[[Event], list[Count]]] = {
    "LoginSucceeded": lambda _: [("logins", "succeeded", None)],
    "LoginFailed": lambda _: [("logins", "failed", None)],
    "DepositCompleted": lambda event: [("deposits_completed", event["provider"], event["amount"])],
    "DepositDeclined": lambda event: [("deposits_declined", event["provider"], event["amount"])],
    "RoundCompleted": _round,
    "BetPlaced": _bet,
    "BetSettled": _settled,
    "BetCashedOut": _settled,
    "BetResettled": lambda event: [("ggr", "sports", event["previous_payout"] - event["payout"])],
    "BetVoided": _voided,
}


def windows() -> Want:
    key = ("metric", "minute", "key", "currency", "topic", "partition")
    return Want("window", "metrics_window", key, ("count", "amount"), adding=True)


def count(want: Want, topic: str, partition: int, record: str, events: Events) -> None:
    """Add the events of one record type out of one partition; none of a compacted topic, for that forgets."""
    if TOPICS[topic].compacted:
        return
    counted = _COUNTS.get(record)
    add: Callable[[Any, int, int], None] = want.add
    for event in events.bodies:
        at = event["occurred_at"]
        add(("events", at // MINUTE * MINUTE, record, "", topic, partition), 1, 0)
        if counted is None:
            continue
        for metric, key, amount in counted(event):
            currency = "" if amount is None else event["currency"]
            for name, span in SPANS.get(metric, ((metric, MINUTE),)):
                add((name, at // span * span, key, currency, topic, partition), 1, amount or 0)
