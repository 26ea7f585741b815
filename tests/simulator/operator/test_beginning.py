"""How a run begins: as many players as the rate needs, and no more history than fits into the time given."""

import pytest

from backoffice.simulator.operator.arrays import DAY
from backoffice.simulator.operator.beginning import HISTORY_RATE, MARKET_EVENTS_A_DAY, PLAY_SHARE, Wanted, begin
from backoffice.simulator.operator.running import play_rate
from tests.simulator.operator.lives import START


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
    events = play_rate(world) * 30 * 86_400 + 30 * MARKET_EVENTS_A_DAY
    assert events == pytest.approx(120 * HISTORY_RATE, rel=0.01)
    assert world.level == pytest.approx(1, rel=0.01)
    assert "30 days" in said[0]
    assert "fewer players" in said[0]


def test_a_short_history_is_laid_down_as_it_was_asked_for() -> None:
    world, _ = begin(wanted(5, days=1), None, pytest.fail)

    assert play_rate(world) == pytest.approx(5 * PLAY_SHARE)


def test_with_players_given_these_play_as_often_as_the_rate_needs() -> None:
    world, _ = begin(wanted(20, players=100), None, pytest.fail)

    assert world.wanted == 100
    assert world.level > 10
    assert play_rate(world) == pytest.approx(20 * PLAY_SHARE)
