"""The chances of each sport's model against an independent way to them: counting all cases, or playing them out."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import permutations
from math import exp, factorial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backoffice.simulator.durations import DAY, MINUTE
from backoffice.simulator.sport.basketball import Basketball
from backoffice.simulator.sport.football import Football
from backoffice.simulator.sport.racing import Racing, racing, rank_chances
from backoffice.simulator.sport.rates import rates_on
from backoffice.simulator.sport.tennis_chances import (
    GAME,
    MATCH_SCORES,
    SET_SCORES,
    TIE_BREAK,
    Play,
    is_over,
    next_server,
    race,
)
from tests.simulator.sport.fixtures import first


@settings(max_examples=20, deadline=None)
@given(strengths=st.lists(st.floats(0.2, 5), min_size=3, max_size=6))
def test_places_are_those_of_all_orders_of_finish(strengths: list[float]) -> None:
    """Plackett and Luce by enumeration: the first by strength, the second by strength among the rest, and so on."""
    expected = np.zeros((len(strengths), 3))
    for order in permutations(range(len(strengths))):
        chance, left = 1.0, sum(strengths)
        for runner in order:
            chance *= strengths[runner] / left
            left = max(left - strengths[runner], 1e-12)
        for rank, runner in enumerate(order[:3]):
            expected[runner, rank] += chance

    assert np.allclose(rank_chances(np.array(strengths), 3), expected, atol=1e-6)


def raced(of_three: float, runners: int, count: int) -> Iterator[Racing]:
    """Races in which some always share the first place or the last that is paid, each as often."""
    rates = rates_on(date(2026, 1, 1))
    racing_rates = replace(rates.racing, dead_heat_chance=0.5, of_three=of_three, non_runner_chance=0.0)
    names, rng = [f"Runner {number}" for number in range(runners)], random.Random(4)
    for _ in range(count):
        race_ = racing(rng, "race", names, 10 * DAY, 9 * DAY, replace(rates, racing=racing_rates))
        if not race_.timeline.is_abandoned:
            yield race_


# Who tie, how many run, and what the best may get in the markets of the win and of the places.
DEAD_HEATS = [
    (0.0, 8, [[0, 0, 1], [0, 0.5, 0.5]], [[0, 1, 1, 1], [0.5, 0.5, 1, 1]]),
    (1.0, 8, [[0, 0, 1], [1 / 3] * 3], [[0, 0, 1, 1, 1], [1 / 3, 1 / 3, 1 / 3, 1, 1]]),
    (1.0, 7, [[0, 0, 1], [1 / 3] * 3], [[0, 2 / 3, 2 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3, 1]]),
]


@pytest.mark.parametrize(("of_three", "runners", "wins", "places"), DEAD_HEATS)
def test_a_dead_heat_shares_the_place_and_is_in_the_price(
    of_three: float, runners: int, wins: list[list[float]], places: list[list[float]]
) -> None:
    """Within four deviations."""
    misses = []
    for race_ in raced(of_three, runners, 400):
        expected, settled = race_.shares(race_.timeline.kick_off - 1), race_.shares(race_.timeline.ends_at)
        win, place = np.sort(settled.win[:runners]), np.sort(settled.win[runners : 2 * runners])
        assert sum(np.allclose(win[-len(best) :], best) for best in wins) == 1
        assert sum(np.allclose(place[-len(best) :], best) for best in places) == 1
        assert (win.sum(), place.sum()) == (pytest.approx(1), pytest.approx(race_.places))
        favourite = int(np.argmax(expected.win[:runners]))
        misses.append((settled.win - expected.win)[[favourite, favourite + runners]])

    assert (np.abs(np.sum(misses, axis=0)) < 4 * np.sqrt(np.sum(np.square(misses), axis=0))).all()


def test_expected_places_add_up_whoever_ties() -> None:
    for race_ in raced(0.3, 7, 20):
        expected = race_.shares(race_.timeline.kick_off - 1).win
        assert expected[:7].sum() == pytest.approx(1)
        assert expected[7:14].sum() == pytest.approx(race_.places)


def test_a_match_bet_of_two_who_tied_is_halved() -> None:
    """Whether two or three did."""
    for of_three in (0.0, 1.0):
        for race_ in raced(of_three, 8, 60):
            pairs = race_.shares(race_.timeline.ends_at).win[16:].reshape(-1, 2).tolist()
            for (one, other), paid in zip(race_.pairs, pairs, strict=True):
                assert (paid == [0.5, 0.5]) == ({one, other} <= race_.finish.tied)
                assert sum(paid) == 1


def test_a_runner_that_is_out_leaves_its_chance_to_the_others() -> None:
    ranks = rank_chances(np.array([2.0, 0.0, 1.0, 1.0]), 3)

    assert (ranks[1] == 0).all()
    assert ranks[:, 0] == pytest.approx([0.5, 0, 0.25, 0.25], abs=1e-6)


@pytest.mark.parametrize(("point", "length"), [(0.5, GAME), (0.63, GAME), (0.4, TIE_BREAK), (0.55, TIE_BREAK)])
def test_a_race_to_some_points_two_ahead(point: float, length: int) -> None:
    """Step by step over a hundred points, which leaves nothing undecided that matters."""
    scores, won = {(0, 0): 1.0}, 0.0
    for _ in range(100):
        following: dict[tuple[int, int], float] = defaultdict(float)
        for (ours, theirs), chance in scores.items():
            for score, share in (((ours + 1, theirs), point), ((ours, theirs + 1), 1 - point)):
                if not is_over(*score, length):
                    following[score] += chance * share
                elif score[0] > score[1]:
                    won += chance * share
        scores = following

    assert race(0, 0, point, length) == pytest.approx(won, abs=1e-9)


def test_a_tennis_match_played_out_point_by_point() -> None:
    """Ten thousand matches by a player that knows the rules and nothing of recursion; within four deviations."""
    rng, games, results, count = random.Random(3), Counter[int](), Counter[tuple[int, int]](), 10_000
    for _ in range(count):
        sets, played = _match(rng, 0.66, 0.61)
        results[sets] += 1
        games[played] += 1
    play = Play(0.66, 0.61)
    rest = play.after_set((0, 0), 0, play.set_scores(0, 0, 0))

    for place, score in enumerate(MATCH_SCORES):
        chance = rest.games[place].sum()
        assert abs(results[score] - count * chance) < 4 * (count * chance * (1 - chance)) ** 0.5
    mean = rest.games.sum(axis=0) @ np.arange(rest.games.shape[1])
    assert sum(length * seen for length, seen in games.items()) / count == pytest.approx(mean, abs=4 * 6 / count**0.5)


def _match(rng: random.Random, first: float, second: float) -> tuple[tuple[int, int], int]:
    """The score in sets and the number of games; serves alternate game by game, also from set to set."""
    sets, played, server = [0, 0], 0, 0
    while max(sets) < 2:
        games = [0, 0]
        while tuple(games) not in SET_SCORES:
            if games == [6, 6]:
                winner = _points(rng, (first + 1 - second) / 2, TIE_BREAK)
            else:
                winner = _points(rng, first if server == 0 else 1 - second, GAME)
            games[winner] += 1
            played, server = played + 1, 1 - server
        sets[games[1] > games[0]] += 1
    return (sets[0], sets[1]), played


def _points(rng: random.Random, chance: float, length: int) -> int:
    ours = theirs = 0
    while not is_over(ours, theirs, length):
        if rng.random() < chance:
            ours += 1
        else:
            theirs += 1
    return int(theirs > ours)


@settings(max_examples=40, deadline=None)
@given(
    games=st.tuples(st.integers(0, 5), st.integers(0, 5)), points=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    server=st.integers(0, 1), is_tie_break=st.booleans(),
)  # fmt: skip
def test_every_point_of_a_set_is_in_its_price(
    games: tuple[int, int], points: tuple[int, int], server: int, is_tie_break: bool
) -> None:
    """The chances before a point are those after it, weighted with the chance to win it; and a point won is a gain."""
    play, length = Play(0.66, 0.61), TIE_BREAK if is_tie_break else GAME
    ours, theirs = points
    assume(not any(is_over(*score, length) for score in (points, (ours + 1, theirs), (ours, theirs + 1))))
    standing = (6, 6) if is_tie_break else games
    point = play.tie_break_point if is_tie_break else (0.66, 1 - 0.61)[server]

    won, lost = (play.running_set(standing, score, server) for score in ((ours + 1, theirs), (ours, theirs + 1)))

    assert np.allclose(play.running_set(standing, points, server), point * won + (1 - point) * lost, atol=1e-12)
    assert won[: len(SET_SCORES) // 2].sum() > lost[: len(SET_SCORES) // 2].sum()


def test_the_player_who_did_not_serve_last_serves_next() -> None:
    """6-3 has nine games: the receiver of its first game serves first in the next set; 6-4 has ten."""
    assert [next_server(0, games) for games in (9, 10, 13)] == [1, 0, 1]
    play, certain = Play(0.75, 0.60), np.eye(len(SET_SCORES))
    six_three, three_six = SET_SCORES.index((6, 3)), SET_SCORES.index((3, 6))

    for score, server in (((3, 6), 1), ((4, 6), 0)):
        rest = play.after_set((1, 0), 0, certain[SET_SCORES.index(score)])
        third_set = play.set_scores(0, 0, server)
        in_nine_games = rest.games[[1, 3], sum(score) + 9]
        assert in_nine_games == pytest.approx([third_set[six_three], third_set[three_six]])


def test_football_before_the_kick_off_is_two_poisson_counts() -> None:
    fixture = first(lambda one: one.sport == "football")
    course = fixture.course
    assert isinstance(course, Football)
    home, away = course.means[-1].tolist()
    quotes = fixture.quotes(course.timeline.kick_off - 1)

    def chance(ours: int, theirs: int) -> float:
        rates: float = home**ours * away**theirs
        return exp(-home - away) * rates / factorial(ours) / factorial(theirs)

    grid = [(ours, theirs) for ours in range(25) for theirs in range(25)]
    results = [sum(chance(*score) for score in grid if np.sign(score[0] - score[1]) == sign) for sign in (1, 0, -1)]
    assert quotes.chance[:3] == pytest.approx(results, abs=1e-6)
    correct = next(number for number, market in enumerate(fixture.markets) if market.type == "correct_score")
    shown = quotes.chance[quotes.market == correct]
    assert shown[:25] == pytest.approx([chance(ours, theirs) for ours in range(5) for theirs in range(5)], abs=1e-9)


def test_football_chances_follow_the_score_and_the_clock() -> None:
    """A side that leads late has all but won; the total can only go up; the draw melts when somebody scores."""
    fixture = first(lambda one: one.sport == "football" and not one.is_abandoned)
    course = fixture.course
    assert isinstance(course, Football)
    end = course.halves.second[1]
    leads = [goal.is_home for goal in course.goals]
    late = course.shares(end - MINUTE).win[:3]
    winner = int(np.sign(len(leads) - 2 * sum(leads))) + 1

    assert late[winner] > 0.9
    assert course.shares(end).win[:3].tolist() == [float(place == winner) for place in range(3)]


def test_basketball_played_out_step_by_step() -> None:
    """Five thousand second halves from the score at half-time; within four deviations."""
    fixture = first(lambda one: one.sport == "basketball" and not one.is_abandoned)
    course = fixture.course
    assert isinstance(course, Basketball)
    at, rng, count = course.steps[39], np.random.default_rng(5), 5_000
    rates = course.rates[-1]
    drawn = [
        rng.choice(4, size=(count, 40), p=[1 - rate, 0.30 * rate, 0.55 * rate, 0.15 * rate]).sum(axis=1)
        for rate in rates.tolist()
    ]
    home, away = (points + now for points, now in zip(drawn, course.points[40], strict=True))
    quotes = fixture.quotes(at)

    for number, market in enumerate(fixture.markets):
        chances = quotes.chance[quotes.market == number]
        if market.type in ("handicap", "total") and chances.size:
            value = home - away + float(market.line or 0) if market.type == "handicap" else home + away
            bound = 0.0 if market.type == "handicap" else float(market.line or 0)
            decided = (value != bound).sum()
            won = (value > bound).sum()
            assert abs(won - decided * chances[0]) < 4 * (decided * chances[0] * (1 - chances[0]) + 1) ** 0.5
