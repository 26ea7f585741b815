"""What is offered for a bet that is not decided yet, and what goes on of one that was cashed out in part."""

from collections.abc import Sequence

import pytest

from trading.domain.cash_out import cash_out, remaining
from trading.domain.legs import Finish, Leg
from trading.domain.lines import Combination, accumulator
from trading.domain.settlement import Terms, payout

WON = Leg(2_000, Finish("won"))


@pytest.mark.parametrize(
    ("odds", "chances", "offer"),
    [
        ([4_000], [500_000], 190),  # Worth 2.00, less 5 %.
        ([2_000, 3_000], [1_000_000, 333_333], 189),  # The first has won: 2 · 0.999999, less 5 %, rounded down.
        ([2_000, 3_000], [1_000_000, 0], 0),
    ],
)
def test_a_cash_out_is_the_fair_value_less_the_margin(odds: Sequence[int], chances: Sequence[int], offer: int) -> None:
    assert cash_out(Terms(100, accumulator(len(odds))), odds, chances, 50_000) == offer


@pytest.mark.parametrize(
    ("chances", "margin"),
    [([1_000_001], 50_000), ([-1], 50_000), ([500_000], -1), ([500_000], 1_000_001), ([0, -1], 0), ([0, 1_000_001], 0)],
)
def test_a_cash_out_of_what_is_no_chance_or_margin_is_refused(chances: list[int], margin: int) -> None:
    with pytest.raises(ValueError, match="nothing is offered"):
        cash_out(Terms(100, accumulator(len(chances))), [2_000] * len(chances), chances, margin)


def test_a_cash_out_needs_a_chance_for_each_leg() -> None:
    for chances in ([500_000], [500_000] * 3):
        with pytest.raises(ValueError, match="a chance for each leg; nothing is offered"):
            cash_out(Terms(100, accumulator(2)), [2_000, 2_000], chances, 0)


def test_a_cash_out_at_the_edges() -> None:
    single = Terms(100, accumulator(1))

    assert cash_out(Terms(10**12, accumulator(2)), [2_000, 4_000], [500_000, 250_000], 0) == 10**12
    assert cash_out(single, [2_000], [1_000_000], 0) == 200
    assert cash_out(single, [2_000], [1_000_000], 1_000_000) == 0
    assert cash_out(single, [2_000], [0], 0) == 0


def test_never_more_is_offered_than_the_bet_could_pay() -> None:
    capped = Terms(10_000, accumulator(1), max_payout=100_000)
    free = Terms(10_000, accumulator(1), is_free=True)

    assert cash_out(capped, [50_000], [1_000_000], 0) == payout(capped, [WON._replace(odds=50_000)]) == 100_000
    assert cash_out(capped, [50_000], [950_000], 0) == 95_000
    assert cash_out(free, [2_000], [1_000_000], 0) == payout(free, [WON]) == 10_000
    assert cash_out(free, [2_000], [500_000], 50_000) == 4_750


@pytest.mark.parametrize(
    "terms",
    [Terms(100, Combination((1,))), Terms(100, Combination((1, 2))), Terms(100, accumulator(2), is_each_way=True)],
)
def test_a_system_or_each_way_bet_has_no_offer(terms: Terms) -> None:
    with pytest.raises(ValueError, match="nothing is offered"):
        cash_out(terms, [2_000, 2_000], [500_000, 500_000], 0)


def test_what_was_not_cashed_out_goes_on_on_its_terms_and_under_what_is_left_of_its_cap() -> None:
    terms = Terms(1_000, accumulator(2), is_each_way=True, max_payout=9_000)

    assert remaining(terms, 400, 500) == Terms(600, accumulator(2), is_each_way=True, max_payout=8_500)
    assert remaining(terms, 400, 9_000).max_payout == 0
    assert remaining(Terms(1_000, accumulator(1)), 1, 7) == Terms(999, accumulator(1))
    assert remaining(terms, 999, 0).stake == 1


@pytest.mark.parametrize(("cashed", "paid"), [(0, 5), (-1, 5), (1_000, 5), (1_001, 5), (400, -1), (400, 9_001)])
def test_what_is_no_part_of_the_bet_leaves_it_as_it_was(cashed: int, paid: int) -> None:
    with pytest.raises(ValueError, match="the bet is as it was"):
        remaining(Terms(1_000, accumulator(1), max_payout=9_000), cashed, paid)
