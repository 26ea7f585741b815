"""A market of the exchange as our contract tells it. What is mapped to what stands in docs/feeds.md."""

from collections.abc import Iterable

from trading.feeds.adapter import Outcome, Update

from .book import Market, Runner
from .definition import Definition, Key, RunnerDefinition
from .names import Names
from .values import LONGEST_NAME

PROVIDER = "betfair"
# "Market subscriptions are always in underlying exchange currency - GBP" (Betfair, Exchange Stream API).
CURRENCY = "GBP"

_SPORTS = {
    "1": "football", "2": "tennis", "3": "golf", "4": "cricket", "5": "rugby_union", "6": "boxing", "7": "horse_racing",
    "1477": "rugby_league", "2378961": "politics", "3503": "darts", "4339": "greyhound_racing", "6422": "snooker",
    "6423": "american_football", "7511": "baseball", "7522": "basketball", "7524": "ice_hockey",
}  # fmt: skip
_STATUSES = {
    "ACTIVE": "active", "WINNER": "winner", "LOSER": "loser", "PLACED": "placed", "REMOVED": "removed",
    "REMOVED_VACANT": "removed",
}  # fmt: skip
_DECIDED = frozenset(("winner", "loser", "placed"))
# What the contract holds of a sport.
_LONGEST_SPORT = 64


def update(market: Market, definition: Definition, names: Names) -> Update:
    """The whole state of a market that has been described."""
    outcomes = [
        runner.outcome or _told(market, definition, key, runner, names) for key, runner in market.runners.items()
    ]
    event = definition.event_id
    return {
        "provider": PROVIDER,
        "sport_event_id": f"{PROVIDER}:{event}",
        "sport": _SPORTS.get(definition.event_type_id, f"{PROVIDER}:{definition.event_type_id}"[:_LONGEST_SPORT]),
        "competition": names.competitions.get(event) or definition.venue or "",
        "event_name": names.events.get(event) or definition.event_name or definition.venue or event,
        "starts_at": definition.starts_at,
        "market_id": f"{PROVIDER}:{market.id}",
        "market_type": definition.market_type.lower(),
        "market_name": _market_name(market.id, definition, names),
        "line": _line(market) if definition.is_line else None,
        "status": _status(definition, outcomes),
        "is_in_play": definition.in_play,
        "bet_delay": definition.bet_delay,
        "winners": definition.winners,
        "currency": CURRENCY,
        "traded_volume": None if market.total_matched is None else _pence(market.total_matched),
        "outcomes": outcomes,
    }


def _line(market: Market) -> str | None:
    """Where a line market was last matched: the prices of its runner are lines, all of them at even money."""
    last = next((last for runner in market.runners.values() if (last := runner.amounts.get("ltp"))), None)
    return exact(last) if last else None


def _status(definition: Definition, outcomes: Iterable[Outcome]) -> str:
    """Closed without a result is not settled, and with all runners removed it is void. What we do not know is shut."""
    if definition.status == "OPEN":
        return "open"
    if definition.status != "CLOSED":
        return "suspended"
    found = {outcome["status"] for outcome in outcomes}
    if found & _DECIDED:
        return "settled"
    return "cancelled" if found == {"removed"} else "closed"


def _told(market: Market, definition: Definition, key: Key, runner: Runner, names: Names) -> Outcome:
    """Made once for each change: of a field of twenty, two or three runners change at a time."""
    outcome = runner.outcome = _outcome(key, runner, names, is_in_odds=definition.is_in_odds)
    was_crossed, runner.is_crossed = runner.is_crossed, definition.status == "OPEN" and _is_crossed(outcome)
    market.crossings += runner.is_crossed and not was_crossed
    return outcome


def _outcome(key: Key, runner: Runner, names: Names, *, is_in_odds: bool) -> Outcome:
    """Prices that are no odds are not told as if they were."""
    described = runner.definition
    back_odds, back_size = _offer(runner.best_back() if is_in_odds else None)
    lay_odds, lay_size = _offer(runner.best_lay() if is_in_odds else None)
    return {
        "outcome_id": _outcome_id(key),
        "name": _runner_name(key, described, names),
        "status": _STATUSES.get(described.status, "inactive") if described else "inactive",
        "back_odds": back_odds,
        "back_size": back_size,
        "lay_odds": lay_odds,
        "lay_size": lay_size,
        "last_odds": _thousandths(runner.amounts.get("ltp")) if is_in_odds else None,
    }


def _is_crossed(outcome: Outcome) -> bool:
    back, lay = outcome["back_odds"], outcome["lay_odds"]
    return outcome["status"] == "active" and back is not None and lay is not None and back >= lay


def exact(number: float) -> str:
    """The whole number, without an end of .0: two runners may differ in its last digit only."""
    return str(int(number)) if number == int(number) else repr(number)


def _outcome_id(key: Key) -> str:
    selection, handicap = key
    return f"{selection}:{exact(handicap)}" if handicap else str(selection)


def _runner_name(key: Key, described: RunnerDefinition | None, names: Names) -> str:
    selection, handicap = key
    name = (described and described.name) or names.runners.get(selection) or str(selection)
    return _ending(name, f" {'+' if handicap > 0 else ''}{exact(handicap)}") if handicap else name


def _market_name(market_id: str, definition: Definition, names: Names) -> str:
    name = names.markets.get(market_id) or definition.name or definition.market_type.replace("_", " ").capitalize()
    if definition.each_way_divisor:
        places = f" (1/{exact(definition.each_way_divisor)} of the odds, {definition.winners} places)"
        name = _ending(name, places)
    return name


def _ending(name: str, end: str) -> str:
    """A long name is cut, and not what tells it from the others."""
    return name[: LONGEST_NAME - len(end)] + end


def _offer(best: tuple[float, float] | None) -> tuple[int | None, int | None]:
    """Odds and size; none of both where the price is no price."""
    odds = _thousandths(best[0]) if best else None
    return (odds, _pence(best[1])) if best and odds else (None, None)


def _thousandths(price: float | None) -> int | None:
    """Odds below 1 do not exist; the stream writes 0 where nothing was traded."""
    return round(price * 1_000) if price and price >= 1 else None


def _pence(pounds: float) -> int:
    return round(pounds * 100)
