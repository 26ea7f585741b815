"""Markets: chances sum to what they must whatever happens, prices carry the margin, results fit the market."""

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.simulator.bets import MILLION
from backoffice.simulator.book import GREATEST, LOWEST_ODDS, SMALLEST, Market, drift, overround, priced, remove
from backoffice.simulator.fixtures import new_fixture
from backoffice.simulator.results import draw_results


def markets(seed: int) -> Iterator[tuple[random.Random, Market]]:
    """Those of ten fixtures, each of which has some."""
    rng = random.Random(seed)
    for _ in range(10):
        found = new_fixture(rng, 0).markets
        assert found
        for market in found:
            yield rng, market


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_chances_keep_their_sum_and_prices_their_margin(seed: int) -> None:
    for rng, market in markets(seed):
        for _ in range(60):
            drift(market, rng)
        if market.type in ("win", "place"):
            remove(market, rng.choice(market.outcomes))
        active = market.active()
        assert active
        assert sum(outcome.chance for outcome in active) == market.winners * MILLION
        assert all(SMALLEST <= outcome.chance <= GREATEST for outcome in active)
        assert all(LOWEST_ODDS <= outcome.odds <= 100_000 for outcome in active)
        # Prices go down to the ladder, so that the margin on the screen is never smaller than the one meant.
        if all(outcome.odds > LOWEST_ODDS for outcome in active):
            assert overround(market) >= market.margin * market.winners - len(active)


@pytest.mark.parametrize(
    ("chance", "margin", "odds"), [(500_000, 0, 2_000), (500_000, 50_000, 1_900), (950_000, 50_000, 1_010)]
)
def test_a_price_is_the_chance_with_the_margin_on_it(chance: int, margin: int, odds: int) -> None:
    assert priced(chance, margin) == odds


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_as_many_win_as_the_market_says(seed: int) -> None:
    for rng, market in markets(seed):
        results = draw_results(market, rng).values()
        shares = [(1 - Fraction(one.void_factor, 1_000)) * one.share for one in results if one.result == "won"]
        halves = [one for one in results if one.void_factor == 500]

        if market.line is None:
            assert sum(shares) == market.winners
        else:
            assert sum(shares) in (0, 1, Fraction(1, 2))
            assert len(halves) in (0, 2)
