"""Each fault is seen in the windows that it should touch, while it goes on, and nowhere else."""

from collections.abc import Collection
from datetime import datetime

import pytest

from backoffice.simulator.durations import DAY, HOUR, MINUTE
from backoffice.simulator.events.envelope import Event
from backoffice.simulator.operator import faults, incidents
from backoffice.simulator.operator.faults import Fault, parsed
from backoffice.simulator.operator.feed import PROVIDERS, SILENT
from backoffice.simulator.operator.games import IDS
from backoffice.simulator.operator.people import PROVIDER_NAMES
from tests.faults.bookkeeping import Key, windows
from tests.simulator.operator.lives import SCHEMA_IDS, START, events, slices, world

pytestmark = pytest.mark.slow
ONSET, END = START + 18 * HOUR, START + 21 * HOUR
SPAN = 12
PLAYERS, LEVEL = 120, 4.0
OUT_OF_USE = PROVIDER_NAMES[faults.OUTAGE_METHOD]


def lived(*names: str) -> list[Event]:
    alive = world(PLAYERS, LEVEL, faults=[Fault(name, ONSET, END) for name in names])
    return events(slices(alive, SPAN, 2 * HOUR))


@pytest.fixture(scope="module")
def usual() -> list[Event]:
    return lived()


def changed(before: list[Event], after: list[Event]) -> dict[Key, tuple[int, int]]:
    """By how much count and sum of each window differ."""
    left, right = windows(before), windows(after)
    keys = {key for key in left.keys() | right.keys() if left.get(key) != right.get(key)}
    return {key: _difference(right.get(key, (0, 0)), left.get(key, (0, 0))) for key in keys}


def _difference(one: Key, other: Key) -> tuple[int, int]:
    return one[0] - other[0], one[1] - other[1]


def metrics(windows_changed: Collection[Key]) -> set[tuple[str, str]]:
    return {(metric, key) for metric, _, key, _ in windows_changed}


def during(windows_changed: Collection[Key], until: int = END) -> bool:
    return all(ONSET - MINUTE < minute < until for _, minute, _, _ in windows_changed)


def others(told: list[Event], touched: set[str]) -> list[Event]:
    """The events of players whom the fault does not touch, without those of markets."""
    return [event for event in told if event.body.get("player_id") and event.body["player_id"] not in touched]


def players_of(told: list[Event]) -> set[str]:
    return {event.body["player_id"] for event in told if event.body.get("player_id")}


def test_credential_stuffing_is_failed_logins_and_nothing_else(usual: list[Event]) -> None:
    difference = changed(usual, lived("credential_stuffing"))

    assert metrics(difference) == {("logins", "failed"), ("events", "LoginFailed")}
    assert during(difference)
    tried = sum(count for (metric, *_), (count, _) in difference.items() if metric == "logins")
    assert tried == (END - ONSET) // 1_000_000 * incidents.STUFFING_A_SECOND


def test_a_silent_feed_is_fewer_updates_of_one_provider_and_nothing_else(usual: list[Event]) -> None:
    silent = lived("silent_feed")

    difference = changed(usual, silent)
    assert metrics(difference) == {("events", "MarketUpdate")}
    assert during(difference, END + MINUTE)  # What it did not say comes as soon as it speaks again.
    assert not told_by(silent, SILENT)
    assert told_by(usual, SILENT)
    assert told_by(usual, 1 - SILENT) == told_by(silent, 1 - SILENT)


def told_by(told: list[Event], provider: int) -> list[Event]:
    return [
        event
        for event in told
        if event.record == "MarketUpdate"
        and event.body["provider"] == PROVIDERS[provider]
        and ONSET <= event.body["occurred_at"] < END
    ]


def test_an_outage_declines_every_deposit_of_one_provider_and_leaves_its_strangers_alone(usual: list[Event]) -> None:
    out = lived("provider_outage")

    hit = [event for event in out if event.record == "DepositDeclined" and is_on(event)]
    refused = [event for event in hit if event.body["decline_reason"] == "provider not available"]
    assert len(refused) > 10
    assert {event.body["provider"] for event in refused} == {OUT_OF_USE}
    assert not [e for e in out if e.record == "DepositCompleted" and e.body["provider"] == OUT_OF_USE and is_on(e)]
    touched = {event.body["player_id"] for event in refused}
    assert others(out, touched) == others(usual, touched)
    assert before(out) == before(usual)


def is_on(event: Event) -> bool:
    return bool(ONSET <= event.body["occurred_at"] < END)


def before(told: list[Event]) -> list[Event]:
    return [event for event in told if event.body["occurred_at"] < ONSET]


def test_an_overpaying_game_pays_more_and_touches_only_those_who_play_it(usual: list[Event]) -> None:
    over = lived("overpaying_game")

    game = IDS[faults.OVERPAYING_GAME]
    played = [e for e in over if e.record == "RoundCompleted" and e.body["game_id"] == game and is_on(e)]
    touched = {event.body["player_id"] for event in played}
    assert len(played) > 200
    assert others(over, touched) == others(usual, touched)
    assert before(over) == before(usual)
    assert won(over, game) > won(usual, game)
    assert {key for metric, key in metrics(changed(usual, over)) if metric == "ggr"} <= {
        "slots",
        "table",
        "live",
        "sports",
    }


def won(told: list[Event], game: str) -> float:
    """Return of the rounds that both runs have, at the game while the fault is on."""
    rounds = [e.body for e in told if e.record == "RoundCompleted" and e.body["game_id"] == game and is_on(e)]
    staked = sum(body["stake"] + body["bonus_stake"] for body in rounds)
    return float(sum(body["win"] + body["bonus_win"] for body in rounds) / staked)


@pytest.mark.parametrize(
    ("name", "accounts", "record"),
    [
        ("structuring", incidents.STRUCTURERS, "DepositCompleted"),
        ("bonus_abuse", incidents.ABUSERS, "BonusGranted"),
        ("matched_betting", 2 * incidents.PAIRS, "BetPlaced"),
    ],
)
def test_planted_players_do_what_they_are_there_for_and_all_others_what_they_did(
    usual: list[Event], name: str, accounts: int, record: str
) -> None:
    after = lived(name)

    planted = players_of(after) - players_of(usual)
    assert len(planted) == accounts
    assert others(after, planted) == others(usual, set())
    theirs = [event for event in after if event.body.get("player_id") in planted]
    assert all(event.body["occurred_at"] >= ONSET for event in theirs)
    assert {event.body["player_id"] for event in theirs if event.record == record} == planted
    assert {metric for metric, _ in metrics(changed(usual, after))} <= {
        "events", "deposits_completed", "deposits_declined", "bets", "stakes", "ggr", "ggr_hour", "ggr_day",
    }  # fmt: skip


def test_structured_deposits_stay_below_the_threshold() -> None:
    told = lived("structuring")

    planted = {event.body["player_id"] for event in told if event.record == "PlayerRegistered" and is_on(event)}
    large = [e.body for e in told if e.record == "DepositCompleted" and e.body["currency"] == "EUR" and is_on(e)]
    sums = [body["amount"] for body in large if body["player_id"] in planted and body["amount"] > 150_000]
    assert sums
    assert all(180_000 <= amount < 200_000 for amount in sums)


def test_matched_bets_are_on_both_sides_of_one_market(usual: list[Event]) -> None:
    told = lived("matched_betting")

    planted = players_of(told) - players_of(usual)
    bets = [e.body for e in told if e.record == "BetPlaced" and e.body["player_id"] in planted]
    by_market: dict[tuple[str, datetime], set[str]] = {}
    for bet in bets:
        by_market.setdefault(bet["legs"][0]["market_id"], set()).add(bet["legs"][0]["outcome_id"])
    assert bets
    assert all(len(outcomes) == 2 for outcomes in by_market.values())


def test_a_drift_of_deposits_grows_day_by_day() -> None:
    start = START + DAY
    calm, drifting = (
        events(slices(world(60, 3.0, faults=found), 14, 12 * HOUR))
        for found in ([], [Fault("deposit_drift", start, start + 10 * DAY)])
    )

    def mean_deposit(told: list[Event], first: int, last: int) -> float:
        sums = [e.body["amount"] for e in told if e.record == "DepositInitiated" and e.body["currency"] == "EUR"
                and first <= e.body["occurred_at"] < last]  # fmt: skip
        return float(sum(sums) / len(sums))

    assert mean_deposit(calm, START, start) == mean_deposit(drifting, START, start)
    assert mean_deposit(drifting, start + 4 * DAY, start + 6 * DAY) > 1.1 * mean_deposit(
        calm, start + 4 * DAY, start + 6 * DAY
    )


def test_garbage_comes_while_it_lasts_and_nothing_else_changes(usual: list[Event]) -> None:
    alive = world(PLAYERS, LEVEL, faults=[Fault("garbage_producer", ONSET, END)])
    spans = list(slices(alive, SPAN, 2 * HOUR))

    bad = [message for span in spans for message in incidents.bad_messages(alive, span, SCHEMA_IDS)]
    assert len(bad) == (END - ONSET) // 1_000_000 * incidents.GARBAGE_A_SECOND
    assert changed(usual, events(spans)) == {}


def test_faults_are_read_from_a_command_line() -> None:
    found = parsed("provider_outage, silent_feed@2h,deposit_drift@-3d+12h,structuring@2026-01-05T00:00:00Z+1h", START)

    assert found == (
        Fault("provider_outage", START + MINUTE, START + 11 * MINUTE),
        Fault("silent_feed", START + 2 * HOUR, START + 2 * HOUR + 10 * MINUTE),
        Fault("deposit_drift", START - 3 * DAY, START - 3 * DAY + 12 * HOUR),
        Fault("structuring", START, START + HOUR),
    )
    with pytest.raises(ValueError, match="no fault is called"):
        parsed("earthquake", START)
