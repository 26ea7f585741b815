"""The stream as a whole: repeatable, complete, consistent, endless."""

import hashlib
import random
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import encode
from backoffice.kernel.clock import FixedClock, microseconds
from backoffice.simulator.generator import generate, next_act
from backoffice.simulator.timing import SteadyTime
from backoffice.simulator.world import World
from tests.simulator.replay.replay import Replay

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(milliseconds=5)
RECORDS = {record for topic in TOPICS.values() for record in topic.records}
WITHIN = 30_000


def fingerprint(seed: int, step: timedelta = STEP, players: int = 2_000) -> str:
    digest = hashlib.sha256()
    for event in generate(seed, START, 20_000, step, players=players):
        digest.update(event.key.encode() + encode(event.record, event.body))
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert fingerprint(1) == fingerprint(1)


@pytest.mark.parametrize("other", [{"seed": 2}, {"seed": 1, "step": 2 * STEP}, {"seed": 1, "players": 50}])
def test_another_seed_pace_or_size_gives_other_bytes(other: dict[str, int]) -> None:
    assert fingerprint(**other) != fingerprint(1)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_every_record_type_occurs_soon(seed: int) -> None:
    assert {event.record for event in generate(seed, START, WITHIN, STEP)} == RECORDS


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    step=st.sampled_from([timedelta(microseconds=1), STEP, timedelta(seconds=30)]),
    players=st.sampled_from([5, 60, 2_000]),
)
def test_the_stream_obeys_every_rule(seed: int, step: timedelta, players: int) -> None:
    replay = Replay()
    for event in generate(seed, START, 25_000, step, players=players):
        replay.see(event)
    replay.conclude()


def test_long_time_brings_what_takes_its_time() -> None:
    """Exclusions end and bonuses run out only after days."""
    replay, ends = Replay(), set()
    for event in generate(11, START, 60_000, timedelta(minutes=2), players=60):
        replay.see(event)
        if event.record == "SelfExclusionChanged":
            ends.add(event.body["status"])
        if event.record == "BonusExpired":
            ends.add(event.body["reason"])
    replay.conclude()
    assert {"expired", "lifted", "time is over"} <= ends


@pytest.mark.parametrize("seed", range(3))
def test_what_an_account_holds_is_what_the_wallet_says(seed: int) -> None:
    world, replay = World(random.Random(seed), SteadyTime(START, STEP), 60), Replay()
    while replay.count < 30_000:
        world.begin()
        next_act(world)(world)
        for event in world.drain():
            replay.see(event)

    assert not replay.bets.owed
    for account in world.accounts:
        bonus = account.bonus.balance if account.bonus else 0
        assert replay.ledger.of("cash", account.id, account.currency) == account.cash
        assert replay.ledger.of("bonus", account.id, account.currency) == bonus
    replay.conclude()


def test_time_passes_by_the_step() -> None:
    first, *_, last = [event.body["occurred_at"] for event in generate(1, START, 10_001, STEP)]

    assert first == microseconds(START)
    # The events of one act share its moment but for a microsecond each.
    assert last - first == pytest.approx(10_000 * microseconds(datetime(1970, 1, 1, tzinfo=UTC) + STEP), rel=0.05)


def test_with_a_clock_events_happen_now_and_never_go_back() -> None:
    clock = FixedClock(START)
    events = generate(1, datetime(2001, 1, 1, tzinfo=UTC), None, STEP, clock=clock)
    first = [event.body["occurred_at"] for event in islice(events, 500)]
    clock.advance(timedelta(hours=1))
    list(islice(events, 500))
    later = [event.body["occurred_at"] for event in islice(events, 500)]
    clock.advance(timedelta(hours=-3))
    list(islice(events, 500))
    after_the_clock_was_set_back = [event.body["occurred_at"] for event in islice(events, 10)]

    assert first == list(range(microseconds(START), microseconds(START) + 500))
    assert microseconds(clock.now()) < later[-1] < after_the_clock_was_set_back[0]
    assert 0 <= later[0] - microseconds(START + timedelta(hours=1)) < 10_000


def test_without_a_number_the_stream_does_not_end() -> None:
    assert sum(1 for _ in islice(generate(1, START, None, STEP, players=20), 50_000)) == 50_000
