"""What bets pay, against the table of the feed's documentation and against fractions line by line."""

from fractions import Fraction
from itertools import combinations
from math import comb, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.simulator.bets import (
    HALF_LOST,
    HALF_WON,
    LOST,
    UNDECIDED,
    VOID,
    WON,
    Result,
    dead_heat,
    leg_return,
    payout,
)
from tests.simulator.dead_heats import DEAD_HEATS, DeadHeat

ODDS = st.integers(1_001, 200_000)
RESULTS = st.builds(
    Result,
    st.sampled_from(["won", "lost"]),
    st.sampled_from([0, 250, 500, 1_000]),
    st.sampled_from([333, 500, 1_000]),
    st.none(),
    st.none(),
) | st.integers(2, 9).flatmap(lambda tied: st.builds(dead_heat, st.integers(1, tied), st.just(tied)))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (LOST, 0),
        (WON, 250),
        (VOID, 100),
        (Result("lost", 1_000, 1_000), 100),
        (HALF_WON, 50 + 125),
        (HALF_LOST, 50),
        (Result("won", 0, 500), 125),
        (UNDECIDED, 0),
    ],
)
def test_a_single_of_one_at_two_and_a_half_gives_back(result: Result, expected: int) -> None:
    assert payout(100, 1, [leg_return(2_500, result)]) == expected


def test_a_payout_is_rounded_down_once() -> None:
    three_legs_at_1333 = [leg_return(1_333, WON)] * 3

    assert payout(100, 3, three_legs_at_1333) == 236  # 1.00 × 1.333³ = 2.3685…; rounded leg by leg it were 2.34


def test_a_system_spreads_the_stake_over_its_lines() -> None:
    two_of_three = [leg_return(2_000, WON), leg_return(3_000, WON), leg_return(5_000, LOST)]

    assert payout(300, 2, two_of_three) == 600  # Only the line of the first two wins: 1.00 × 2 × 3.


@given(stake=st.integers(1, 10**9), legs=st.lists(st.tuples(ODDS, RESULTS), min_size=1, max_size=6), data=st.data())
def test_a_payout_is_exact(stake: int, legs: list[tuple[int, Result]], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(legs)))
    returns = [leg_return(odds, result) for odds, result in legs]

    lines = [prod(map(fraction_of, line), start=Fraction(1)) for line in combinations(legs, size)]

    assert payout(stake, size, returns) == stake * sum(lines, Fraction(0)) // comb(len(legs), size)


def fraction_of(leg: tuple[int, Result]) -> Fraction:
    odds, (result, void_factor, dead_heat_factor, places, tied) = leg
    void = Fraction(void_factor, 1_000)
    share = Fraction(places, tied) if places and tied else Fraction(dead_heat_factor, 1_000)
    return void + (1 - void) * Fraction(odds, 1_000) * share if result == "won" else void


@pytest.mark.parametrize("case", DEAD_HEATS)
def test_a_dead_heat_is_paid_by_those_who_tied(case: DeadHeat) -> None:
    result = dead_heat(case.places, case.tied)

    assert result.dead_heat_factor == case.factor
    assert payout(case.stake, 1, [leg_return(case.odds, result)]) == case.right
