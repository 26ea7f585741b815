"""The odds feed, and the operator's prices that follow from it."""

from backoffice.simulator.bets import BILLION, Result
from backoffice.simulator.book import LADDER_STEP, LOWEST_ODDS, Fixture, Market, Outcome, drift, overround, remove
from backoffice.simulator.brands import HOUSE, STAFF
from backoffice.simulator.durations import MINUTE
from backoffice.simulator.events import markets, operations
from backoffice.simulator.fixtures import new_fixture
from backoffice.simulator.results import cancelled_results, draw_results
from backoffice.simulator.world import World

_FIXTURES = 40
_EXCHANGE = "exchange-one"
_SUSPEND_CHANCE = 0.05
_REOPEN_CHANCE = 0.6
_REMOVAL_CHANCE = 0.03
_CANCEL_CHANCE = 0.04
_FEWEST_RUNNERS = 6


def advance(world: World) -> None:
    """The next thing that happens in some sport event, or a new one when there are too few."""
    book = world.book
    fixture = book.fixtures.draw(world.rng)
    if fixture is None:
        _open_book(world)
        return
    if len(book.fixtures) < _FIXTURES:
        _open_fixture(world, new_fixture(world.rng, world.now))
        return
    fixture.updates += 1
    if fixture.updates >= fixture.end:
        _finish(world, fixture)
    elif not fixture.is_in_play and fixture.updates >= fixture.kick_off:
        _kick_off(world, fixture)
    else:
        _update(world, fixture)


def suspend_by_hand(world: World) -> None:
    """A trader stops a market."""
    market = world.book.open_markets.draw(world.rng)
    if market is None:
        return
    _publish(world, market, "suspended")
    world.emit(
        operations.operator_action(
            world.head(*HOUSE),
            action_id=world.new_id(),
            actor=world.rng.choice(STAFF),
            role="trader",
            action="market.suspend",
            subject_kind="market",
            subject_id=market.id,
            reason="unusual bets",
            details='{"status":"suspended"}',
        )
    )


def _open_book(world: World) -> None:
    """At the start the events are at all stages of their lives, so that bets end soon after the first is placed."""
    for _ in range(_FIXTURES):
        fixture = new_fixture(world.rng, world.now)
        fixture.updates = world.rng.randrange(fixture.end)
        _open_fixture(world, fixture)


def _open_fixture(world: World, fixture: Fixture) -> None:
    world.book.take_in(fixture)
    for market in fixture.markets:
        _publish(world, market, "open")


def _kick_off(world: World, fixture: Fixture) -> None:
    """Markets are closed to bets while the event turns in-play."""
    for market in fixture.markets:
        if market.status == "open":
            _publish(world, market, "suspended")
    fixture.is_in_play = True
    if fixture.starts_at is not None:
        fixture.starts_at = world.now
    for market in fixture.markets:
        market.bet_delay = world.rng.randrange(1, 6)
        _publish(world, market, "open")


def _update(world: World, fixture: Fixture) -> None:
    rng = world.rng
    market = rng.choice(fixture.markets)
    if fixture.sport == "horse_racing" and not fixture.is_in_play and world.chance(_REMOVAL_CHANCE):
        _withdraw_runner(world, fixture)
    elif market.status == "suspended":
        _publish(world, market, "open" if world.chance(_REOPEN_CHANCE) else "suspended")
    elif world.chance(_SUSPEND_CHANCE):
        _publish(world, market, "suspended")
    else:
        drift(market, rng)
        _publish(world, market, "open")


def _withdraw_runner(world: World, fixture: Fixture) -> None:
    """A runner leaves all markets of the race; bets on it will be void."""
    place = world.rng.randrange(len(fixture.markets[0].outcomes))
    for market in fixture.markets:
        outcome = market.outcomes[place]
        if outcome.status == "active" and len(market.active()) >= _FEWEST_RUNNERS:
            remove(market, outcome)
        _publish(world, market, market.status)


def _finish(world: World, fixture: Fixture) -> None:
    for market in fixture.markets:
        _publish(world, market, "closed")
    for market in fixture.markets:
        if world.chance(_CANCEL_CHANCE):
            results, status = cancelled_results(market), "cancelled"
        else:
            results, status = draw_results(market, world.rng), "settled"
        _publish(world, market, status)
        _decide(world, market, results)
    world.book.drop(fixture)


def _decide(world: World, market: Market, results: dict[str, Result]) -> None:
    """Tell the bets that wait for the market; those whose result is known now are due."""
    for bet, leg, outcome in market.bets:
        if bet.is_open:
            bet.decide(leg, results[outcome.id])
            if bet.is_decided():
                world.due.append(bet)


def _publish(world: World, market: Market, status: str) -> None:
    """The feed's update, and the price that the operator makes of it."""
    fixture = market.fixture
    world.book.set_status(market, status)
    market.version += 1
    if fixture.starts_at is not None and not fixture.is_in_play and fixture.starts_at <= world.now:
        # It did not begin when it should have.
        fixture.starts_at = world.now + 10 * MINUTE
    _emit_update(world, market)
    _emit_price(world, market)


def _emit_update(world: World, market: Market) -> None:
    fixture = market.fixture
    is_exchange = fixture.provider == _EXCHANGE
    if is_exchange:
        market.traded += world.rng.randrange(1_000, 500_000)
    run = _run_of(world, fixture.provider)
    world.emit(
        markets.market_update(
            world.head(*HOUSE),
            provider=fixture.provider,
            run=run,
            sport_event_id=fixture.id,
            sport=fixture.sport,
            competition=fixture.competition,
            event_name=fixture.name,
            starts_at=fixture.starts_at,
            market_id=market.id,
            market_type=market.type,
            market_name=market.name,
            line=market.line,
            status=market.status,
            is_in_play=fixture.is_in_play,
            bet_delay=market.bet_delay,
            winners=market.winners,
            version=market.version,
            currency="GBP" if is_exchange else "EUR",
            traded_volume=market.traded if is_exchange else None,
            outcomes=[_feed_outcome(world, outcome, is_exchange=is_exchange) for outcome in market.outcomes],
        )
    )


def _run_of(world: World, provider: str) -> str:
    """The run in which a provider's feed tells of its markets; it begins before the first of them."""
    if provider not in world.feed_runs:
        began = markets.feed_began(world.head(*HOUSE), provider=provider, subscription="")
        world.emit(began)
        world.feed_runs[provider] = began.body["event_id"]
    return world.feed_runs[provider]


def _feed_outcome(world: World, outcome: Outcome, *, is_exchange: bool) -> markets.MarketOutcome:
    """What is offered at the provider; nothing once the outcome is out of the market."""
    if outcome.status != "active":
        return {"outcome_id": outcome.id, "name": outcome.name, "status": outcome.status}
    back = max(BILLION // outcome.chance // LADDER_STEP * LADDER_STEP, LOWEST_ODDS)
    last, outcome.last_odds = outcome.last_odds, back
    told: markets.MarketOutcome = {
        "outcome_id": outcome.id,
        "name": outcome.name,
        "status": "active",
        "back_odds": back,
        "last_odds": last,
    }
    if is_exchange:
        told["back_size"] = int(world.rng.random() * 500_000)
        told["lay_odds"] = back + LADDER_STEP * (1 + back // 2_000)
        told["lay_size"] = int(world.rng.random() * 500_000)
    return told


def _emit_price(world: World, market: Market) -> None:
    world.emit(
        markets.market_price(
            world.head(*HOUSE),
            sport_event_id=market.fixture.id,
            market_id=market.id,
            version=market.version,
            status=market.status,
            is_in_play=market.fixture.is_in_play,
            margin_ppm=overround(market) if market.active() else 0,
            method="multiplicative",
            prices=[
                {"outcome_id": outcome.id, "odds": outcome.odds, "probability_ppm": outcome.chance}
                for outcome in market.active()
            ],
        )
    )
