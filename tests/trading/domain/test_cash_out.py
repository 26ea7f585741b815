"""What is offered for a bet that is not decided yet, and what goes on of one that was cashed out in part."""

from collections.abc import Sequence

import pytest

from trading.domain.cash_out import cash_out, remaining
from trading.domain.lines import accumulator
from trading.domain.settlement import Terms


@pytest.mark.parametrize(
    ("odds", "chances", "offer"),
    [
        ([4_000], [500_000], 190),  # Worth 2.00, less 5 %.
        ([2_000, 3_000], [1_000_000, 333_333], 189),  # The first has won: 2 · 0.999999, less 5 %, rounded down.
        ([2_000, 3_000], [1_000_000, 0], 0),
    ],
)
def test_a_cash_out_is_the_fair_value_less_the_margin(odds: Sequence[int], chances: Sequence[int], offer: int) -> None:
    assert cash_out(100, odds, chances, 50_000) == offer


@pytest.mark.parametrize(
    ("chances", "margin"),
    [([1_000_001], 50_000), ([-1], 50_000), ([500_000], -1), ([500_000], 1_000_001), ([0, -1], 0), ([0, 1_000_001], 0)],
)
def test_a_cash_out_of_what_is_no_chance_or_margin_is_refused(chances: list[int], margin: int) -> None:
    with pytest.raises(ValueError, match="nothing is offered"):
        cash_out(100, [2_000] * len(chances), chances, margin)


def test_a_cash_out_needs_a_chance_for_each_leg() -> None:
    for chances in ([500_000], [500_000] * 3):
        with pytest.raises(ValueError, match="argument 2"):
            cash_out(100, [2_000, 2_000], chances, 0)


def test_a_cash_out_at_the_edges() -> None:
    assert cash_out(10**12, [2_000, 4_000], [500_000, 250_000], 0) == 10**12
    assert cash_out(100, [2_000], [1_000_000], 0) == 200
    assert cash_out(100, [2_000], [1_000_000], 1_000_000) == 0
    assert cash_out(100, [2_000], [0], 0) == 0


def test_what_was_not_cashed_out_goes_on_as_it_was() -> None:
    terms = Terms(1_000, accumulator(2), is_each_way=True, max_payout=9_000)

    assert remaining(terms, 400) == Terms(600, accumulator(2), is_each_way=True, max_payout=9_000)
    assert remaining(terms, 1).stake == 999
    assert remaining(terms, 999).stake == 1


@pytest.mark.parametrize("cashed", [0, -1, 1_000, 1_001])
def test_what_is_no_part_of_the_stake_leaves_the_bet_as_it_was(cashed: int) -> None:
    with pytest.raises(ValueError, match="the bet is as it was"):
        remaining(Terms(1_000, accumulator(1)), cashed)
