"""What the feed of a fixture says: an update of a market for what changes its status, and for moves of its price."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backoffice.simulator.durations import MINUTE
from backoffice.simulator.sport.board import MarketSpec
from backoffice.simulator.sport.quotes import CLOSED, NOTHING, OPEN, STATUSES, SUSPENDED, VOID, WON, Quotes
from trading.domain.ladder import LADDER

if TYPE_CHECKING:
    from backoffice.simulator.sport.fixture import Fixture

MILLION = 1_000_000
# A start that is later than this is announced anew.
_PUNCTUAL = 2 * MINUTE
# Minor units that are matched on the first market of a fixture over its life.
_TURNOVER = 40_000_00
_LADDER: list[int] = LADDER.tolist()


class OutcomeUpdate(NamedTuple):
    """Odds in thousandths, None where there is no price. ``chance`` in millionths: over the active outcomes of a market
    that can be bet on or is suspended they sum to as many millions as there are winners."""

    id: str
    name: str
    status: str
    odds: int | None = None
    last_odds: int | None = None
    chance: int = 0


class Update(NamedTuple):
    """The whole state of one market. ``version`` counts the microseconds since betting on the fixture opened."""

    at: int
    market: MarketSpec
    status: str
    is_in_play: bool
    bet_delay: int
    version: int
    starts_at: int
    traded_volume: int
    outcomes: tuple[OutcomeUpdate, ...]


def updates(fixture: "Fixture", start: int, end: int, per_minute: float) -> Iterator[Update]:
    """Those due in [start, end), in order of time; see ``Fixture.updates``."""
    due = {*_status_changes(fixture, start, end), *_price_moves(fixture, start, end, per_minute)}
    sheet = _Sheet(fixture, NOTHING)
    for at, together in groupby(sorted(due), key=itemgetter(0)):
        quotes = fixture.quotes(at)
        if quotes is not sheet.quotes:
            sheet = _Sheet(fixture, quotes)
        for _, market in together:
            yield _update(sheet, at, market)


def missed(fixture: "Fixture", start: int, end: int) -> Iterator[Update]:
    """See ``Fixture.missed``."""
    sheet = _Sheet(fixture, fixture.quotes(end))
    for market in sorted({market for _, market in _status_changes(fixture, start, end)}):
        yield _update(sheet, end, market)


def _status_changes(fixture: "Fixture", start: int, end: int) -> Iterator[tuple[int, int]]:
    """Moments at which a market's status or the announced start is different from before."""
    timeline = fixture.course.timeline
    closed_at = np.minimum(fixture.course.decided, timeline.closes_at)
    edges = {timeline.opens_at, timeline.kick_off, *(edge for halt in timeline.halts for edge in halt)}
    if timeline.kick_off - timeline.starts_at > _PUNCTUAL:
        edges.add(timeline.starts_at)
    for at in edges:
        if start <= at < end:
            yield from ((at, market) for market in np.flatnonzero(closed_at > at).tolist())
    for moments in (closed_at, fixture.results().known_at):
        for market in np.flatnonzero((moments >= start) & (moments < end)).tolist():
            yield int(moments[market]), market


def _price_moves(fixture: "Fixture", start: int, end: int, per_minute: float) -> Iterator[tuple[int, int]]:
    """Moments spread at random, each of some market on which bets are taken; drawn minute by minute."""
    timeline = fixture.course.timeline
    first, last = max(start, timeline.opens_at), min(end, timeline.closes_at)
    if per_minute <= 0 or first >= last:
        return
    for minute in range(first // MINUTE, (last - 1) // MINUTE + 1):
        rng = np.random.default_rng([fixture.seed, minute])
        count = int(per_minute + rng.random())
        moments = np.sort(rng.integers(0, MINUTE, count)) + minute * MINUTE
        for at, draw in zip(moments.tolist(), rng.random(count).tolist(), strict=True):
            if first <= at < last and not timeline.is_halted(at):
                offered = fixture.quotes(at).market
                yield at, int(offered[int(draw * offered.size)])


class _Sheet:
    """The quotes as lists, market by market."""

    def __init__(self, fixture: "Fixture", quotes: Quotes) -> None:
        self.fixture, self.quotes = fixture, quotes
        self._spans = _spans(quotes)
        self._columns = (quotes.outcome.tolist(), quotes.odds.tolist(), quotes.chance.tolist(), quotes.status.tolist())

    def status(self, number: int) -> int | None:
        """None where the market is not offered."""
        span = self._spans.get(number)
        return self._columns[3][span.start] if span else None

    def prices(self, at: int, number: int) -> dict[int, tuple[int, int, int]]:
        """Odds, last odds and chance of the outcomes that have a price, by their place in the market."""
        span = self._spans.get(number)
        if span is None:
            return {}
        places, odds, chances, _ = (column[span] for column in self._columns)
        shares = millionths(chances, self.fixture.markets[number].winners)
        return {
            place: (price, _last(price, at), share) for place, price, share in zip(places, odds, shares, strict=True)
        }


def _spans(quotes: Quotes) -> dict[int, slice]:
    counts = np.bincount(quotes.market)
    ends = np.cumsum(counts)
    return {
        number: slice(int(ends[number] - counts[number]), int(ends[number]))
        for number in np.flatnonzero(counts).tolist()
    }


def _update(sheet: _Sheet, at: int, number: int) -> Update:
    fixture = sheet.fixture
    timeline, is_in_play = fixture.course.timeline, fixture.is_in_play(at)
    status = sheet.status(number)
    if status is None:
        status = fixture.status(number, at)
    return Update(
        at,
        fixture.markets[number],
        STATUSES[status],
        is_in_play,
        fixture.play.bet_delay if is_in_play else 0,
        at - timeline.opens_at,
        timeline.starts_at if at < timeline.starts_at else timeline.kick_off,
        _traded(fixture, at, number),
        tuple(_outcomes(sheet, at, number, status)),
    )


def _outcomes(sheet: _Sheet, at: int, number: int, status: int) -> Iterator[OutcomeUpdate]:
    fixture = sheet.fixture
    market, first_row = fixture.markets[number], int(fixture.course.board.offsets[number])
    prices = sheet.prices(at, number)
    for place, outcome in enumerate(market.outcomes):
        price = prices.get(place)
        if price is not None:
            yield OutcomeUpdate(outcome.id, outcome.name, "active", *price)
        else:
            yield OutcomeUpdate(outcome.id, outcome.name, _fate(fixture, number, first_row + place, status))


def _fate(fixture: "Fixture", number: int, row: int, status: int) -> str:
    """The status of an outcome without a price."""
    if status == CLOSED:
        return "inactive"
    results = fixture.results()
    result = results.result[row]
    if status in (OPEN, SUSPENDED):
        is_out = result == VOID and not results.is_cancelled[number]
        return "removed" if is_out else "loser"
    if result != WON:
        return "removed" if result == VOID else "loser"
    return "placed" if fixture.markets[number].type == "place" else "winner"


def _last(odds: int, at: int) -> int:
    """The last bet was matched at this price or at one beside it."""
    place = bisect_left(_LADDER, odds) + at % 3 - 1
    return _LADDER[min(max(place, 0), len(_LADDER) - 1)]


def millionths(chances: Sequence[float], winners: int) -> list[int]:
    """Chances in whole millionths that sum to the number of winners; the greatest takes up what rounding left."""
    rounded = [round(chance * MILLION) for chance in chances]
    rounded[rounded.index(max(rounded))] += winners * MILLION - sum(rounded)
    return rounded


def _traded(fixture: "Fixture", at: int, number: int) -> int:
    """Rises faster and faster up to the end; the first markets of a fixture have most of it."""
    life = fixture.ends_at - fixture.opens_at
    passed = min(at - fixture.opens_at, life) / life
    return int(_TURNOVER * passed**4 / (1 + number))
