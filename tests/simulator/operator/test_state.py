"""A life that is saved and loaded goes on as it would have gone on, and a gap in it is left out."""

from pathlib import Path

import numpy as np
import pytest

from backoffice.simulator.durations import DAY, HOUR, MINUTE
from backoffice.simulator.operator.engine import skip
from backoffice.simulator.operator.faults import Fault
from backoffice.simulator.operator.state import load, save
from tests.simulator.operator.lives import START, events, messages, slices, world
from tests.simulator.operator.test_money import assert_purses_are_booked, lowest_balances

pytestmark = pytest.mark.slow


def test_a_saved_world_makes_the_bytes_that_it_would_have_made(tmp_path: Path) -> None:
    file = tmp_path / "operator.state"
    alive = world(60, 4.0, faults=[Fault("overpaying_game", START, START + DAY)])
    list(slices(alive, 4, 4 * HOUR))
    save(alive, file)
    restored = load(file)

    assert restored.faults == alive.faults
    assert messages(slices(restored, 2)) == messages(slices(alive, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["operator.state"]


def test_the_same_slice_made_twice_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "operator.state"
    alive = world(60, 20.0)
    list(slices(alive, 5, 4 * HOUR))
    save(alive, file)

    again = [messages(slices(load(file), 1, MINUTE)) for _ in range(2)]
    assert again[0] == again[1] != []


def test_in_a_gap_visits_end_and_what_is_due_is_decided_but_nobody_plays() -> None:
    alive = world(60, 20.0)
    lived = events(slices(alive, 5, 4 * HOUR))
    assert alive.players["online"].any()
    before = alive.now

    gap = events([skip(alive, alive.now + 3 * DAY)])

    assert {event.record for event in gap} & {"BetPlaced", "RoundCompleted", "LoginSucceeded"} == set()
    assert {"SessionEnded", "BetSettled", "WithdrawalPaid"} <= {event.record for event in gap}
    assert not alive.players["online"].any()
    assert not (alive.bets["due"] < alive.now).any()
    assert alive.now == before + 3 * DAY
    after = events(slices(alive, 2, HOUR))
    assert {"RoundCompleted", "LoginSucceeded"} <= {event.record for event in after}
    assert lowest_balances([*lived, *gap, *after]) == {}
    assert_purses_are_booked(alive, [*lived, *gap, *after])


def test_a_player_is_the_same_whoever_else_comes() -> None:
    few, many = world(20, 4.0), world(40, 4.0)
    for alive in (few, many):
        list(slices(alive, 1))

    by_key = {player["key"]: player for player in many.players}
    same = [by_key[player["key"]] for player in few.players if player["key"] in by_key]
    assert len(same) >= 20
    habits = ["brand", "country", "visits", "taste", "casino_stake", "deposit", "device"]
    mine = [player for player in few.players if player["key"] in by_key]
    assert all(np.array_equal(one[habits], other[habits]) for one, other in zip(mine, same, strict=True))
