"""What the providers' feeds and the operator's own price lists say of the markets."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from backoffice.contracts.columns import arrow_type
from backoffice.contracts.definitions import schema
from backoffice.simulator.brands import HOUSE
from backoffice.simulator.operator.arrays import Ints
from backoffice.simulator.operator.columns import Words
from backoffice.simulator.operator.faults import is_on
from backoffice.simulator.operator.people import none
from backoffice.simulator.operator.slices import Owners
from backoffice.simulator.operator.world import World
from backoffice.simulator.sport.feed import OutcomeUpdate, Update
from backoffice.simulator.sport.fixture import Fixture
from trading.domain.pricing import METHOD

PROVIDERS = ("pitchside", "scoreline")
# The provider that falls silent in the fault of that name.
SILENT = 1
# A featured match in play has so many updates a minute where the rate allows it; others less.
FEATURED_A_MINUTE = 2_000.0
_WEIGHTS = {(True, True): 40.0, (True, False): 4.0, (False, True): 2.0, (False, False): 0.1}
_MILLION = 1_000_000


class Told(NamedTuple):
    fixture: Fixture
    update: Update


def tell_markets(world: World) -> None:
    """The updates of this slice: what changes a market's status always, and price moves as the rate allows."""
    span = world.slice
    fixtures = world.sportsbook.calendar.fixtures(span.start, span.end)
    weights = [_weight(fixture, span.start) for fixture in fixtures]
    share = world.feed_rate * 60 / max(sum(weights), 1e-9)
    told = [
        Told(fixture, update)
        for fixture, weight in zip(fixtures, weights, strict=True)
        for update in fixture.updates(span.start, span.end, min(weight * share, FEATURED_A_MINUTE))
        if not (provider_of(fixture) == SILENT and is_on(world.faults, "silent_feed", update.at))
    ]
    told += _recovered(world)
    if told:
        _emit_updates(world, told)
        _emit_prices(world, told)


def _recovered(world: World) -> list[Told]:
    """What a provider that was silent says first: how the markets stand whose status changed meanwhile."""
    span = world.slice
    heard_again = [
        fault
        for fault in world.faults
        if fault.name == "silent_feed"
        and span.start <= fault.end < span.end
        and not is_on(world.faults, fault.name, fault.end)
    ]
    return [
        Told(fixture, update)
        for fault in heard_again
        for fixture in world.sportsbook.calendar.fixtures(fault.start, fault.end)
        if provider_of(fixture) == SILENT
        for update in fixture.missed(fault.start, fault.end)
    ]


def provider_of(fixture: Fixture) -> int:
    return fixture.seed % len(PROVIDERS)


def _weight(fixture: Fixture, at: int) -> float:
    return _WEIGHTS[fixture.is_featured, fixture.starts_at <= at < fixture.ends_at]


def _emit_updates(world: World, told: Sequence[Told]) -> None:
    updates = [each.update for each in told]
    fixtures = [each.fixture for each in told]
    outcomes = [update.outcomes for update in updates]
    odds = [outcome.odds for each in outcomes for outcome in each]
    world.slice.emit(
        "MarketUpdate", _house([update.market.id for update in updates]), _times(updates),
        provider=Words(np.array([provider_of(fixture) for fixture in fixtures]), PROVIDERS),
        sport_event_id=_texts([fixture.id for fixture in fixtures]), sport=_texts([each.sport for each in fixtures]),
        competition=_texts([fixture.competition for fixture in fixtures]),
        event_name=_texts([fixture.name for fixture in fixtures]),
        starts_at=pa.array([update.starts_at for update in updates], pa.timestamp("us")),
        market_name=_texts([update.market.name for update in updates]),
        line=pa.array([update.market.line for update in updates], pa.string()),
        bet_delay=np.array([update.bet_delay for update in updates]),
        winners=np.array([update.market.winners for update in updates]),
        traded_volume=np.array([update.traded_volume for update in updates]),
        market_type=_texts([update.market.type for update in updates]),
        outcomes=_outcomes(outcomes, odds), **_market(updates),
    )  # fmt: skip


def _emit_prices(world: World, told: Sequence[Told]) -> None:
    """The operator offers what the feed quotes; that its market is over is told as well, without a price."""
    updates = [each.update for each in told]
    priced = [[outcome for outcome in update.outcomes if outcome.odds] for update in updates]
    margins = [_margin(update, outcomes) for update, outcomes in zip(updates, priced, strict=True)]
    lists = [
        pa.array([outcome.id for outcomes in priced for outcome in outcomes], pa.string()),
        pa.array([outcome.odds for outcomes in priced for outcome in outcomes], pa.int64()),
        pa.array([min(max(each.chance, 0), _MILLION) for outcomes in priced for each in outcomes], pa.int64()),
    ]
    world.slice.emit(
        "MarketPrice", _house([update.market.id for update in updates]), _times(updates) + 1,
        sport_event_id=_texts([each.fixture.id for each in told]), margin_ppm=np.array(margins), method=METHOD,
        prices=_lists("MarketPrice", "prices", [len(outcomes) for outcomes in priced], lists), **_market(updates),
    )  # fmt: skip


def _margin(update: Update, priced: Sequence[OutcomeUpdate]) -> int:
    """The overround in millionths; 0 where there is no price."""
    if not priced:
        return 0
    return round(sum(_MILLION * 1_000 / (outcome.odds or 1) for outcome in priced)) - update.market.winners * _MILLION


def _market(updates: Sequence[Update]) -> dict[str, pa.Array]:
    """What both records say of a market."""
    return {
        "market_id": _texts([update.market.id for update in updates]),
        "status": _texts([update.status for update in updates]),
        "is_in_play": np.array([update.is_in_play for update in updates], bool),
        "version": np.array([update.version for update in updates], np.int64),
    }


def _outcomes(outcomes: Sequence[Sequence[OutcomeUpdate]], odds: list[int | None]) -> pa.Array:
    flat = [outcome for each in outcomes for outcome in each]
    back = pa.array(odds, pa.int64())
    sizes = pa.array([None if price is None else 50_000 + price * 37 % 400_000 for price in odds], pa.int64())
    lay = pa.array([None if price is None else price + max(price // 50, 10) for price in odds], pa.int64())
    columns = [
        _texts([outcome.id for outcome in flat]), _texts([outcome.name for outcome in flat]),
        _texts([outcome.status for outcome in flat]), back, sizes, lay, sizes,
        pa.array([outcome.last_odds for outcome in flat], pa.int64()),
    ]  # fmt: skip
    return _lists("MarketUpdate", "outcomes", [len(each) for each in outcomes], columns)


def _lists(record: str, name: str, counts: list[int], columns: Sequence[pa.Array]) -> pa.Array:
    wanted = arrow_type(next(field["type"] for field in schema(record)["fields"] if field["name"] == name))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
    values = pa.StructArray.from_arrays(list(columns), fields=list(wanted.value_type))
    return pa.ListArray.from_arrays(offsets, values)


def _house(market_ids: Sequence[str]) -> Owners:
    """Nobody's events; the market's id makes theirs different at one moment."""
    rows = len(market_ids)
    zero = np.zeros(rows, np.int64)
    keys = np.array([_key(market_id) for market_id in market_ids], np.uint64)
    return Owners(none(rows), keys, Words(zero, HOUSE[:1]), Words(zero, HOUSE[1:]), Words(zero, ("EUR",)))


@lru_cache(maxsize=50_000)
def _key(market_id: str) -> int:
    return int.from_bytes(hashlib.sha256(market_id.encode()).digest()[:8], "big")


def _times(updates: Sequence[Update]) -> Ints:
    return np.array([update.at for update in updates], np.int64)


def _texts(texts: Sequence[str]) -> pa.Array:
    return pa.array(texts, pa.string())
