"""A week of the operator has the shapes that its rates say: by hour and day, stakes, payments, returns and holds."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC
from math import exp, sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backoffice.kernel.clock import microseconds
from backoffice.simulator.brands import BRANDS
from backoffice.simulator.durations import DAY, HOUR
from backoffice.simulator.operator import games, providers, rates
from backoffice.simulator.operator.running import play_rate
from backoffice.simulator.operator.sportsbook import Sportsbook
from tests.simulator.operator.lives import slices, world

pytestmark = pytest.mark.slow
PLAYERS, DAYS = 500, 7
MARKETS = {"MarketUpdate", "MarketPrice"}


class Week(dict[str, pa.Table]):
    """The columns of a week by record type."""


@pytest.fixture(scope="module")
def week() -> Week:
    alive = world(PLAYERS, level=1.0)
    parts: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for _ in slices(alive, 1, 2 * HOUR):  # The accounts of the first players are opened in it.
        pass
    for span in slices(alive, DAYS * 12, 2 * HOUR):
        for record, batch, _, _ in span.batches():
            parts[record].append(batch)
    return Week({record: pa.Table.from_batches(batches) for record, batches in parts.items()})


def test_players_cause_the_rate_that_is_asked_for(week: Week) -> None:
    caused = sum(table.num_rows for record, table in week.items() if record not in MARKETS)

    assert caused / (DAYS * DAY / 1e6) == pytest.approx(play_rate(world(PLAYERS, level=1.0)), rel=0.25)


def test_evenings_are_busier_than_mornings_and_weekends_than_mondays(week: Week) -> None:
    at = week["LoginSucceeded"]["occurred_at"].cast(pa.int64()).to_numpy()
    european = np.isin(
        week["LoginSucceeded"]["country"].to_numpy(zero_copy_only=False), ["CA", "NZ", "JP"], invert=True
    )
    hours = np.bincount(at[european] % DAY // HOUR, minlength=24)
    days = np.bincount((at - at.min()) // DAY, minlength=7)

    assert hours[17:21].sum() > 3 * hours[2:6].sum()
    # The run begins on a Monday; its sixth and seventh days are the weekend.
    assert days[5:7].mean() > 1.15 * days[0:3].mean()


def test_stakes_are_spread_as_the_rates_say(week: Week) -> None:
    """The logarithms of many players' bets: median and spread of two log-normal laws on top of each other."""
    bets = week["BetPlaced"]
    euros = bets.filter(pc.equal(bets["currency"], "EUR"))["stake"].to_numpy()
    median, over_players, over_bets = rates.BET_STAKE

    assert len(euros) > 300
    assert exp(np.median(np.log(euros))) == pytest.approx(median, rel=0.5)
    # Stakes end where the player's money does, and frequent players weigh more.
    assert 0.5 < np.log(euros).std() / sqrt(over_players**2 + over_bets**2) < 1.2


def test_each_provider_says_yes_as_often_as_it_does(week: Week) -> None:
    done, declined = (_counts(week[record], "provider") for record in ("DepositCompleted", "DepositDeclined"))
    for provider in providers.PROVIDERS:
        tried = done.get(provider.name, 0) + declined.get(provider.name, 0)
        bound = 4 * sqrt(provider.accepts * (1 - provider.accepts) / tried)
        assert done[provider.name] / tried == pytest.approx(provider.accepts, abs=bound), provider.name
    assert set(week["DepositDeclined"]["decline_reason"].to_pylist()) >= {"insufficient funds", "do not honour"}


def test_each_game_returns_what_its_paytable_says(week: Week) -> None:
    """Within the bound for mixed stakes: n = (sum of stakes)² / sum of squared stakes. Source: domain.md §6."""
    rounds = week["RoundCompleted"]
    for game in games.GAMES:
        mine = rounds.filter(pc.equal(rounds["game_id"], game.id))
        stakes = (mine["stake"].to_numpy() + mine["bonus_stake"].to_numpy()).astype(float)
        staked = stakes > 0
        wins = (mine["win"].to_numpy() + mine["bonus_win"].to_numpy())[staked]
        weight = stakes.sum() ** 2 / (stakes**2).sum()
        assert wins.sum() / stakes.sum() == pytest.approx(game.rtp, abs=4 * game.sigma / sqrt(weight)), game.id


def test_a_long_run_of_the_paytables_returns_the_known_share() -> None:
    draws = (np.arange(2_000_000) + 0.5) / 2_000_000
    for number, game in enumerate(games.GAMES):
        paid = games.multiples(np.full(len(draws), number), draws)
        assert paid.mean() / 100 == pytest.approx(game.rtp, abs=0.003), game.id
        assert paid.std() / 100 == pytest.approx(game.sigma, rel=0.03), game.id
        assert 0.85 < game.rtp < 0.995, game.id


def test_sports_hold_is_positive_and_within_its_bound(week: Week) -> None:
    """Hold over all settled bets; the margins of the books are between 2 and 20 %, multiples keep more."""
    settled = week["BetSettled"]
    paid = settled.filter(pc.invert(settled["is_free_bet"]))
    stakes, payouts = paid["stake"].to_numpy().astype(float), paid["payout"].to_numpy().astype(float)
    # Each currency by itself would be few bets: shares of the stake are of no currency.
    returns = payouts / stakes
    bound = 4 * returns.std() / sqrt(len(returns))

    assert len(returns) > 300
    assert -bound < 1 - returns.mean() < 0.35 + bound


def test_each_sport_holds_what_its_margins_promise(week: Week) -> None:
    """Singles settled as they came: what players get back differs by chance alone from what the quotes promised them.

    Bets on one match stand or fall together, so that the bound is made of matches. Multiples keep more than this. One
    long shot outweighs hundreds of bets: payouts that are a fifth too high show at short prices, over all sports.
    """
    missed: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    promised: dict[str, list[float]] = defaultdict(list)
    short: dict[str, float] = defaultdict(float)
    for sport, event, odds, expected, returned in _singles(week):
        if odds <= 4_000:
            short[event] += returned - expected
        missed[sport][event] += returned - expected
        promised[sport].append(1 - expected)

    assert set(promised) == {"football", "tennis", "basketball", "horse_racing"}
    assert abs(_deviations(short)) < 4
    for sport, holds in promised.items():
        assert len(holds) > 50, sport
        assert abs(_deviations(missed[sport])) < 4, sport
        assert 0.02 < np.mean(holds) < 0.20, sport


def test_there_are_players_of_every_brand_and_of_many_countries(week: Week) -> None:
    assert set(_counts(week["LoginSucceeded"], "brand")) == {brand.name for brand in BRANDS}
    assert len(_counts(week["LoginSucceeded"], "country")) > 8


def test_all_that_a_week_brings_has_happened(week: Week) -> None:
    assert set(week) >= {
        "WithdrawalRequested", "WithdrawalPaid", "WithdrawalReversed", "BonusGranted", "BonusConverted",
        "BonusForfeited", "BetCashedOut", "BetVoided", "PlayerContacted", "LimitChanged", "PlayerRegistered",
        "SelfExclusionChanged", "DocumentSubmitted", "LoginFailed", "MarketUpdate", "MarketPrice",
    }  # fmt: skip
    assert set(week["BetPlaced"]["kind"].to_pylist()) == {"single", "multiple", "system"}


def _deviations(missed: dict[str, float]) -> float:
    """How far a sum over matches, which are independent, is from 0."""
    sums = np.array(list(missed.values()))
    return float(sums.sum() / sqrt((sums**2).sum()))


def _singles(week: Week) -> Iterator[tuple[str, str, int, float, float]]:
    """Sport, match, odds in thousandths, what a stake of 1 was worth by the quotes' chances, and what it gave back."""
    sportsbook = world(PLAYERS).sportsbook
    corrected = set(week["BetResettled"]["bet_id"].to_pylist())
    settled = {bet["bet_id"]: bet for bet in week["BetSettled"].to_pylist() if bet["bet_id"] not in corrected}
    for bet in week["BetPlaced"].filter(pc.equal(week["BetPlaced"]["kind"], "single")).to_pylist():
        if bet["bet_id"] in settled:
            leg, end = bet["legs"][0], settled[bet["bet_id"]]
            void = end["legs"][0]["void_factor"] / 1_000
            chance = _chance(sportsbook, leg, microseconds(bet["occurred_at"].replace(tzinfo=UTC)))
            worth = void + (1 - void) * chance * leg["odds"] / 1_000
            yield leg["sport"], leg["sport_event_id"], leg["odds"], worth, end["payout"] / end["stake"]


def _chance(sportsbook: Sportsbook, leg: dict[str, Any], at: int) -> float:
    """That which the quotes of the moment gave the outcome."""
    fixture = next(one for one in sportsbook.calendar.fixtures(at, at + 1) if one.id == leg["sport_event_id"])
    quotes = fixture.quotes(at)
    for place, (number, outcome) in enumerate(zip(quotes.market, quotes.outcome, strict=True)):
        market = fixture.markets[number]
        if market.id == leg["market_id"] and market.outcomes[outcome].id == leg["outcome_id"]:
            assert quotes.odds[place] == leg["odds"]
            return float(quotes.chance[place])
    raise LookupError(f"{leg} was not offered")


def _counts(table: pa.Table, column: str) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(table[column].combine_chunks()).to_pylist()}
