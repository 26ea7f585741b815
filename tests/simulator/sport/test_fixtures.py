"""Any fixture at any moment: what is quoted adds up, what is decided is certain, what is told is in order."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.simulator.durations import DAY, MINUTE, SECOND
from backoffice.simulator.sport.basketball import basketball
from backoffice.simulator.sport.board import Floats
from backoffice.simulator.sport.fixture import Course, Fixture
from backoffice.simulator.sport.football import football
from backoffice.simulator.sport.quotes import OPEN, RESULTS, SUSPENDED, VOID, WON, Quotes, Results
from backoffice.simulator.sport.racing import racing
from backoffice.simulator.sport.rates import rates_on
from backoffice.simulator.sport.tennis import tennis
from tests.simulator.sport.fixtures import SPORTS, featured, first, one_of_each, week
from trading.domain.ladder import HIGHEST, LADDER, LOWEST

moments = st.tuples(st.sampled_from(week()), st.floats(0, 1)).map(
    lambda drawn: (drawn[0], drawn[0].opens_at + int(drawn[1] * (drawn[0].ends_at - drawn[0].opens_at)))
)
in_play = st.tuples(st.sampled_from(week()), st.floats(0, 1)).map(
    lambda drawn: (drawn[0], drawn[0].starts_at + int(drawn[1] * (drawn[0].ends_at - drawn[0].starts_at)))
)


def by_market(fixture: Fixture, quotes: Quotes) -> list[tuple[int, slice]]:
    bounds = np.searchsorted(quotes.market, range(len(fixture.markets) + 1)).tolist()
    return [(number, slice(*span)) for number, span in enumerate(pairwise(bounds)) if span[0] < span[1]]


@settings(max_examples=60, deadline=None)
@given(drawn=st.one_of(moments, in_play))
def test_chances_of_a_market_sum_to_its_winners(drawn: tuple[Fixture, int]) -> None:
    fixture, at = drawn
    quotes = fixture.quotes(at)
    for number, rows in by_market(fixture, quotes):
        assert quotes.chance[rows].sum() == pytest.approx(fixture.markets[number].winners, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(drawn=st.one_of(moments, in_play))
def test_prices_carry_their_margin_to_the_ladder_s_step(drawn: tuple[Fixture, int]) -> None:
    """Each price may be half a step away in implied chance; those that end the ladder are left out."""
    fixture, at = drawn
    quotes = fixture.quotes(at)
    assert np.isin(quotes.odds, LADDER).all()
    for number, rows in by_market(fixture, quotes):
        odds = quotes.odds[rows]
        if quotes.status[rows.start] != OPEN or odds.min() == LOWEST or odds.max() == HIGHEST:
            continue
        market = fixture.markets[number]
        place = np.searchsorted(LADDER, odds)
        steps = 1_000 / LADDER[place - 1] - 1_000 / LADDER[place + 1]
        book = (1_000 / odds).sum() - market.winners * (1 + market.margin)
        assert -0.1 * market.winners * market.margin - 1e-9 <= book <= steps.sum()


@settings(max_examples=60, deadline=None)
@given(drawn=st.one_of(moments, in_play))
def test_quotes_name_outcomes_of_undecided_markets(drawn: tuple[Fixture, int]) -> None:
    fixture, at = drawn
    quotes = fixture.quotes(at)
    board = fixture.course.board
    assert np.array_equal(board.offsets[quotes.market] + quotes.outcome, quotes.row)
    assert (fixture.course.decided[quotes.market] > at).all()
    assert set(quotes.status.tolist()) <= {OPEN, SUSPENDED}
    if quotes.row.size:
        assert quotes.is_in_play == (at >= fixture.course.timeline.kick_off)


def test_nothing_is_quoted_before_opening_and_after_the_end() -> None:
    for fixture in week()[:20]:
        assert fixture.quotes(fixture.opens_at - 1).row.size == 0
        assert fixture.quotes(fixture.opens_at).row.size > 0
        assert fixture.quotes(fixture.ends_at).row.size == 0


@pytest.mark.parametrize("sport", SPORTS)
def test_a_decided_market_is_certain_from_then_on(sport: str) -> None:
    """What the model believes at the moment of decision is what is settled in the end."""
    decided = 0
    for fixture in [fixture for fixture in week() if fixture.sport == sport][:8]:
        course, results = fixture.course, fixture.results()
        for number in np.flatnonzero(course.decided <= fixture.ends_at).tolist()[::3]:
            rows = course.board.market_of == number
            shares = course.shares(int(course.decided[number]))
            assert np.array_equal(shares.void[rows] * 1_000, results.void_factor[rows])
            won = (results.result[rows] == WON) * paid(results)[rows] * (1_000 - results.void_factor[rows])
            assert np.allclose(shares.win[rows] * 1e3, won, atol=1e-6)
            decided += 1
    assert decided >= 8


def test_results_share_out_what_is_not_void() -> None:
    """In every market as many win as it says, halves, dead heats and places counted; the abandoned are void."""
    for fixture in week():
        results, board = fixture.results(), fixture.course.board
        won = (results.result == WON) * paid(results) * (1_000 - results.void_factor) / 1e3
        for number, market in enumerate(board.markets):
            rows = board.market_of == number
            void = results.void_factor[rows] / 1_000
            if results.is_cancelled[number]:
                assert (void == 1).all()
                assert (results.result[rows] == VOID).all()
            elif fixture.sport == "horse_racing":
                assert won[rows].sum() == pytest.approx(0 if void.all() else market.winners)
            else:
                assert won[rows].sum() == pytest.approx(market.winners * (1 - void[0]))


def paid(results: Results) -> Floats:
    """The share of a win that is paid, exactly where there was a dead heat."""
    share: Floats = np.where(results.tied > 0, results.places / np.maximum(results.tied, 1), 1.0)
    assert np.array_equal(np.rint(1_000 * share), results.dead_heat_factor)
    return share


def test_all_that_the_contract_knows_happens() -> None:
    seen = Counter[tuple[str, str, int, int]]()
    for fixture in week():
        results = fixture.results()
        codes = (RESULTS[code] for code in results.result.tolist())
        factors = zip(codes, results.void_factor.tolist(), results.dead_heat_factor.tolist(), strict=True)
        seen.update((fixture.sport, *factor) for factor in factors)

    assert seen["football", "won", 500, 1_000]
    assert seen["football", "lost", 500, 1_000]
    assert seen["football", "void", 1_000, 1_000]
    assert seen["horse_racing", "void", 1_000, 1_000]
    assert set(seen) <= {
        (sport, *factors)
        for sport in SPORTS
        for factors in [("won", 0, 1_000), ("lost", 0, 1_000), ("void", 1_000, 1_000), ("won", 500, 1_000),
                        ("lost", 500, 1_000), ("won", 0, 500), ("won", 0, 333), ("won", 0, 667)]
    }  # fmt: skip


@pytest.mark.parametrize("sport", SPORTS)
def test_markets_of_an_abandoned_fixture_are_void_unless_they_were_decided(sport: str) -> None:
    kept = 0
    for seed in range(12):
        fixture = abandoned(sport, seed)
        results = fixture.results()
        rows = fixture.course.board.market_of
        assert fixture.is_abandoned
        assert results.is_cancelled[0]
        assert np.array_equal(results.is_cancelled, fixture.course.decided > fixture.ends_at)
        assert (results.void_factor[results.is_cancelled[rows]] == 1_000).all()
        assert (results.known_at <= fixture.settled_at).all()
        assert set(results.dead_heat_factor.tolist()) == {1_000}
        assert not results.tied.any()
        told = {update.market.id: update.status for update in fixture.updates(0, fixture.settled_at + 1, 0)}
        ends = ["cancelled" if is_cancelled else "settled" for is_cancelled in results.is_cancelled]
        assert [told[market.id] for market in fixture.markets] == ends
        kept += ends.count("settled")
    assert (kept > 0) == (sport != "horse_racing")


def abandoned(sport: str, seed: int) -> Fixture:
    """A fixture of rates by which none is ever finished."""
    rates = rates_on(date(2026, 1, 1))
    play = replace(rates.plays[sport], abandoned_chance=1.0)
    rates = replace(
        rates, plays={**rates.plays, sport: play}, racing=replace(rates.racing, non_runner_chance=0.0)
    )  # fmt: skip
    rng, pair, when = random.Random(seed), ("Home", "Away"), (10 * DAY, 9 * DAY)
    courses: dict[str, Callable[[], Course]] = {
        "football": lambda: football(rng, "f", pair, (0.1, 0.0), 1.0, *when, rates, is_featured=True),
        "basketball": lambda: basketball(rng, "b", pair, (0.1, 0.0), 1.0, *when, rates),
        "tennis": lambda: tennis(rng, "t", pair, (0.01, 0.0), *when, rates),
        "horse_racing": lambda: racing(rng, "r", list("abcdefgh"), *when, rates),
    }
    return Fixture("one", seed, sport, "Cup", "One", False, courses[sport](), play, rates.greatest_chance)


def test_a_goal_stops_bets_and_makes_prices_jump() -> None:
    fixture = featured()
    goal = fixture.course.goals[0]  # type: ignore[attr-defined]  # It is football.
    before, after = fixture.quotes(goal.at - 1), fixture.quotes(goal.at)

    assert (after.status == SUSPENDED).all()
    assert OPEN in fixture.quotes(goal.at + fixture.play.halt).status
    meanwhile = fixture.updates(goal.at + 1, goal.at + fixture.play.halt, 2_000)
    assert not [update for update in meanwhile if update.status in ("open", "suspended")]
    scorer = 0 if goal.is_home else 2
    assert fixture.markets[0].type == "match_result"
    assert after.chance[scorer] > before.chance[scorer] + 0.05
    assert abs(before.chance - fixture.quotes(goal.at - 20 * SECOND).chance).max() < 0.01


def test_a_featured_match_has_its_markets_and_its_pace() -> None:
    fixture = featured()
    minutes = [fixture.course.timeline.kick_off + minute * MINUTE for minute in (20, 40, 70)]
    counts = [sum(1 for _ in fixture.updates(at, at + MINUTE, 2_200)) for at in minutes]

    assert len(fixture.markets) >= 150
    assert len({market.id for market in fixture.markets}) == len(fixture.markets)
    # A goal in the minute stops the prices for a while, so the quietest of three is not asked for.
    assert max(counts) >= 2_000


def test_the_life_of_every_market_is_told_in_order() -> None:
    allowed = {
        ("", "open"), ("open", "open"), ("open", "suspended"), ("suspended", "open"), ("suspended", "suspended"),
        ("open", "closed"), ("suspended", "closed"), ("closed", "settled"), ("closed", "cancelled"),
        ("", "suspended"),
    }  # fmt: skip
    for fixture in one_of_each():
        told: dict[str, tuple[str, int, bool]] = {}
        for update in fixture.updates(fixture.opens_at, fixture.settled_at + 1, 0.2):
            status, version, was_in_play = told.get(update.market.id, ("", -1, False))
            assert (status, update.status) in allowed
            assert update.version > version
            assert update.is_in_play >= was_in_play
            if update.status == "open":
                assert update.is_in_play == (update.starts_at <= update.at)
                assert (update.bet_delay > 0) == update.is_in_play
            assert_outcomes_fit(
                update.status, update.market.winners, [(one.status, one.chance) for one in update.outcomes]
            )
            told[update.market.id] = update.status, update.version, update.is_in_play
        assert len(told) == len(fixture.markets)
        assert {status for status, _, _ in told.values()} <= {"settled", "cancelled"}


def assert_outcomes_fit(status: str, winners: int, outcomes: list[tuple[str, int]]) -> None:
    active = [chance for outcome, chance in outcomes if outcome == "active"]
    if status in ("open", "suspended"):
        assert sum(active) == winners * 1_000_000
        assert all(0 <= chance <= 1_000_000 for chance in active)
    else:
        assert not active


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 20 * 60), max_size=5))
def test_a_span_is_told_the_same_however_it_is_cut(cuts: list[int]) -> None:
    fixture = first(lambda one: one.sport == "football" and not one.is_featured)
    start = fixture.course.timeline.kick_off - 10 * MINUTE
    edges = [start, *(start + cut * SECOND for cut in sorted(cuts)), start + 20 * MINUTE]

    parts = [update for span in pairwise(edges) for update in fixture.updates(*span, 7.5)]

    assert parts == list(fixture.updates(edges[0], edges[-1], 7.5))


def test_market_ids_are_within_the_contract() -> None:
    for fixture in week():
        assert len(fixture.name) <= 200
        for market in fixture.markets:
            assert len(market.id) <= 128
            assert len(market.name) <= 200
            assert len(market.type) <= 128
            assert len({outcome.name for outcome in market.outcomes}) == len(market.outcomes)
