"""How a run begins: as many players as the rate needs, and no more history than fits into the time given."""

from dataclasses import replace

import pytest

from backoffice.simulator.durations import DAY, HOUR
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.beginning import HISTORY_RATE, MARKET_EVENTS_A_DAY, PLAY_SHARE, Wanted, begin
from backoffice.simulator.operator.engine import advance
from backoffice.simulator.operator.running import play_rate
from backoffice.simulator.operator.world import World
from tests.simulator.operator.lives import START

pytestmark = pytest.mark.slow


def wanted(rate: float, days: int = 0, seconds: float = 120.0, players: int | None = None) -> Wanted:
    return Wanted(7, rate, players, START, days * DAY, seconds, ())


def test_players_cause_their_share_of_the_rate_by_coming_as_often_as_players_do() -> None:
    world, is_new = begin(wanted(20), None, pytest.fail)

    assert is_new
    assert world.now == START
    assert world.level == pytest.approx(1, rel=0.01)
    assert play_rate(world) == pytest.approx(20 * PLAY_SHARE)


def test_a_history_that_would_take_too_long_has_fewer_players_and_says_so() -> None:
    said: list[str] = []
    world, _ = begin(wanted(50, days=30), None, said.append)

    assert world.now == START - 30 * DAY
    assert _events_of_history(world) + 30 * MARKET_EVENTS_A_DAY == pytest.approx(120 * HISTORY_RATE, rel=0.02)
    assert world.level == pytest.approx(1, rel=0.01)
    assert "30 days" in said[0]
    assert "fewer players" in said[0]


def test_a_short_history_is_laid_down_as_it_was_asked_for() -> None:
    world, _ = begin(wanted(5, days=1), None, pytest.fail)

    world.now = START
    assert play_rate(world) == pytest.approx(5 * PLAY_SHARE, rel=0.01)


def test_an_operator_grows_over_its_history_and_then_stays_as_large_as_it_is() -> None:
    world, _ = begin(wanted(50, days=30), None, lambda _: None)
    sizes = [_at(world, START + day * DAY).wanted_now() for day in (-30, -15, -1, 0, 30)]

    assert sizes == sorted(sizes)
    assert sizes[3] == sizes[4] == world.wanted
    assert sizes[3] / sizes[0] == pytest.approx(rates.MOST_GROWN, rel=0.02)


def test_the_players_that_are_wanted_come() -> None:
    alive = World(seed=7, now=START, wanted=400, level=1.0, growth=rates.GROWTH, grown_at=START + 10 * DAY)
    first = alive.wanted_now()
    for _ in range(20):
        advance(alive, alive.now + DAY // 2)

    here = alive.players["lapses_at"] > alive.now
    assert first < 400 / 2
    assert here.sum() == pytest.approx(400, rel=0.15)


def _events_of_history(world: World) -> float:
    """Those of the players, and of the newcomers' first visits, summed hour by hour."""
    hours = [_at(world, START - hour * HOUR - HOUR // 2) for hour in range(30 * 24)]
    return sum(play_rate(one) * (1 + one.growing() / rates.MEAN_VISITS) * 3_600 for one in hours)


def _at(world: World, moment: int) -> World:
    return replace(world, now=moment)


def test_with_players_given_these_play_as_often_as_the_rate_needs() -> None:
    world, _ = begin(wanted(20, players=100), None, pytest.fail)

    assert world.wanted == 100
    assert world.level > 10
    assert play_rate(world) == pytest.approx(20 * PLAY_SHARE)
