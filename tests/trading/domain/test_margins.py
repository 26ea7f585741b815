"""Margins go on and come off by each method without loss, and the prices of a board keep them on the ladder."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backoffice.simulator.sport.board import Floats, Ints
from trading.domain.ladder import HIGHEST, LADDER, LOWEST, at_most, nearest
from trading.domain.margins import Method, apply_margin, remove_margin
from trading.domain.pricing import priced

METHODS: tuple[Method, ...] = ("multiplicative", "additive", "power", "odds_ratio", "shin")

markets = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=12).map(lambda weights: np.array(weights) / sum(weights))


@pytest.mark.parametrize("method", METHODS)
def test_a_real_market_comes_back_exactly(method: Method) -> None:
    implied = 1 / np.array([2.7, 2.3, 4.4])

    fair = remove_margin(method, implied)

    assert fair.sum() == pytest.approx(1, abs=1e-12)
    assert apply_margin(method, fair, implied.sum() - 1) == pytest.approx(implied, abs=1e-12)


@pytest.mark.parametrize(
    ("method", "home"),
    [
        ("multiplicative", 0.358738),
        ("additive", 0.359562),
        ("power", 0.359171),
        ("odds_ratio", 0.358810),
        ("shin", 0.359344),
    ],
)
def test_methods_differ_where_they_should(method: Method, home: float) -> None:
    """By hand for the first two; the others pull between them, and long shots carry more of the margin."""
    assert remove_margin(method, 1 / np.array([2.7, 2.3, 4.4]))[0] == pytest.approx(home, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=50, deadline=None)
@given(fair=markets, margin=st.floats(0, 0.2))
def test_every_pair_inverts(method: Method, fair: Floats, margin: float) -> None:
    assume(fair.max() * (1 + margin) + margin / fair.size < 1)

    implied = apply_margin(method, fair, margin)

    assert abs(implied.sum() - 1 - margin) < 1e-9
    assert np.allclose(remove_margin(method, implied), fair, atol=1e-7)


def test_what_has_no_price_is_refused() -> None:
    with pytest.raises(ValueError, match="no odds above"):
        apply_margin("multiplicative", np.array([0.98, 0.02]), 0.05)
    with pytest.raises(ValueError, match="sum to 1"):
        apply_margin("power", np.array([0.5, 0.4]), 0.05)
    with pytest.raises(ValueError, match="long shot"):
        remove_margin("additive", np.array([0.99, 0.25, 0.01]))
    with pytest.raises(ValueError, match="sum to 1 or more"):
        remove_margin("power", np.array([0.5, 0.4]))


@settings(deadline=None)
@given(odds=st.floats(1, 2e6))
def test_a_price_is_snapped_to_the_step_beside_it(odds: float) -> None:
    near, below = int(nearest(np.array([odds]))[0]), int(at_most(np.array([odds]))[0])

    held = min(max(odds, LOWEST), HIGHEST)
    assert below == max(step for step in LADDER.tolist() if step <= held)
    assert abs(1 / near - 1 / held) == pytest.approx(min(abs(1 / step - 1 / held) for step in LADDER.tolist()))


@settings(deadline=None)
@given(fair=st.lists(markets, min_size=1, max_size=6), margin=st.floats(0.02, 0.15))
def test_a_board_is_priced_market_by_market(fair: list[Floats], margin: float) -> None:
    sizes = np.array([len(market) for market in fair])

    odds = priced(np.concatenate(fair), sizes, np.ones(len(fair), dtype=np.int64), np.full(len(fair), margin))

    for market, shown in zip(fair, np.split(odds, np.cumsum(sizes)[:-1]), strict=True):
        exact = np.maximum(1_000 * apply_margin("odds_ratio", market, margin), 1e-9)
        assert (np.abs(1e6 / shown - exact) <= _step_before(shown, exact)).all()


def _step_before(shown: Ints, exact: Floats) -> Floats:
    """The implied chance, in thousandths, between the price and its neighbours; all of it where the ladder ends."""
    place = np.searchsorted(LADDER, shown)
    wider = 1e6 / LADDER[np.maximum(place - 1, 0)] - 1e6 / LADDER[np.minimum(place + 1, LADDER.size - 1)]
    ends = (place == 0) | (place == LADDER.size - 1)
    limit: Floats = np.where(ends, np.abs(1e6 / shown - exact), wider) + 1e-6
    return limit


@settings(deadline=None)
@given(fair=markets, margin=st.floats(0.02, 0.15))
def test_the_margin_survives_the_ladder(fair: Floats, margin: float) -> None:
    odds = priced(fair, np.array([fair.size]), np.array([1]), np.array([margin]))

    if odds.min() > LOWEST:
        assert (1_000 / odds).sum() - 1 >= 0.9 * margin - 1e-9


def test_of_many_winners_a_shortfall_is_measured_by_the_whole_margin() -> None:
    """Six of twelve win: the book is 7.02, of which 1.02 is margin, and the nearest prices fall 0.003 short of it."""
    odds = priced(np.linspace(0.32, 0.68, 12), np.array([12]), np.array([6]), np.array([0.17]))

    assert (1_000 / odds).sum() == pytest.approx(7.017, abs=1e-4)


@pytest.mark.parametrize("bad", [[1.2, -0.2], [0.5, 0.5 + 1e-6], [0.0, 1.0], [1.0, 0.0], [0.5, 0.5 - 1e-6]])
def test_chances_that_are_no_fair_market_get_no_price(bad: list[float]) -> None:
    for method in METHODS:
        with pytest.raises(ValueError, match="no price is made"):
            apply_margin(method, np.array(bad), 0.05)


@pytest.mark.parametrize("method", METHODS)
def test_a_margin_is_not_negative_and_may_be_nothing(method: Method) -> None:
    fair = np.array([0.3, 0.7])

    with pytest.raises(ValueError, match="no price is made"):
        apply_margin(method, fair, -1e-9)
    assert apply_margin(method, fair, 0.0) == pytest.approx(fair, abs=1e-12)


@pytest.mark.parametrize("bad", [[0.5, 0.4], [1.0, 0.2], [1.1, 0.2], [0.0, 0.99], [-0.1, 0.9, 0.5]])
def test_prices_that_are_none_have_no_fair_chances(bad: list[float]) -> None:
    for method in METHODS:
        with pytest.raises(ValueError, match="the prices are not used"):
            remove_margin(method, np.array(bad))


@pytest.mark.parametrize("method", METHODS)
def test_prices_without_a_margin_are_fair_as_they_are(method: Method) -> None:
    fair = np.array([0.2, 0.3, 0.5])

    assert remove_margin(method, fair) == pytest.approx(fair, abs=1e-9)


def test_an_outcome_that_gives_back_its_stake_alone_has_no_price() -> None:
    with pytest.raises(ValueError, match=r"0\.2500 leaves an outcome no odds above 1\.00"):
        apply_margin("multiplicative", np.array([0.8, 0.2]), 0.25)
    assert apply_margin("multiplicative", np.array([0.8, 0.2]), 0.2499).max() < 1


def test_a_long_shot_that_loses_all_its_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="no chance at all"):
        remove_margin("additive", np.array([0.75, 0.4375, 0.05]))
    with pytest.raises(ValueError, match="no chance at all"):
        remove_margin("additive", np.array([0.75, 0.4375, 0.09375]))


def test_a_margin_that_no_strength_reaches_is_refused() -> None:
    """Shin's method ends where all bettors know the result: the square of the sum of the roots."""
    with pytest.raises(ValueError, match="reaches this margin"):
        apply_margin("shin", np.array([0.9, 0.1]), 0.7)
