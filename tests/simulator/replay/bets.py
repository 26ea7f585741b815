"""Bets, rounds and the markets they are placed on; payouts are worked out anew, with fractions."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb, prod
from typing import Any

from tests.simulator.replay.players import Players

Body = dict[str, Any]


@dataclass
class Market:
    update: Body
    price: Body | None = None


@dataclass
class Bet:
    placed: Body
    status: str = "open"
    settlement_no: int = 0
    payout: int = 0
    bonus_stake: int = 0


class Bets:
    """``owed`` are the wallet's events that an event asks for and that have not come yet: sums by (record, cause)."""

    def __init__(self, players: Players) -> None:
        self._players = players
        self._runs: dict[str, str] = {}
        self._markets: dict[str, Market] = {}
        self._bets: dict[str, Bet] = {}
        self._rounds_staked: dict[str, int] = {}
        self.owed: dict[tuple[str, str], int] = {}

    def see(self, record: str, body: Body) -> None:
        see = getattr(self, f"_see_{record}", None)
        if see is not None:
            see(body)
        elif record in ("StakeTaken", "StakeReleased", "StakeRefunded", "WinningsPaid", "WinningsReversed"):
            self._see_wallet(record, body)

    def open_stakes(self) -> Counter[str]:
        """What each player has in open bets."""
        stakes: Counter[str] = Counter()
        for bet in self._bets.values():
            if bet.status == "open":
                stakes[bet.placed["player_id"]] += bet.placed["stake"]
        return stakes

    def _see_FeedBegan(self, body: Body) -> None:  # noqa: N802
        self._runs[body["provider"]] = body["event_id"]

    def _see_MarketUpdate(self, body: Body) -> None:  # noqa: N802
        assert body.get("run") == self._runs[body["provider"]]
        known = self._markets.get(body["market_id"])
        before = known.update if known else None
        if before is not None:
            assert before["status"] not in ("settled", "cancelled")
            assert body["sport_event_id"] == before["sport_event_id"]
            assert before["is_in_play"] <= body["is_in_play"]
        assert body["version"] == (before["version"] + 1 if before else 1)
        if body["status"] == "open" and body.get("starts_at") is not None:
            assert body["is_in_play"] == (body["starts_at"] <= body["occurred_at"])
        self._markets[body["market_id"]] = Market(body, known.price if known else None)

    def _see_MarketPrice(self, body: Body) -> None:  # noqa: N802
        market = self._markets[body["market_id"]]
        same = ("sport_event_id", "version", "status", "is_in_play")
        assert all(market.update[name] == body[name] for name in same)
        active = [outcome["outcome_id"] for outcome in market.update["outcomes"] if outcome["status"] == "active"]
        assert [price["outcome_id"] for price in body["prices"]] == active
        if body["status"] in ("open", "suspended"):
            assert sum(price["probability_ppm"] for price in body["prices"]) == market.update["winners"] * 1_000_000
        market.price = body

    def _see_BetPlaced(self, body: Body) -> None:  # noqa: N802
        assert self._players.by_id[body["player_id"]].session_started_at is not None
        assert body["bet_id"] not in self._bets
        legs = body["legs"]
        assert [leg["leg_no"] for leg in legs] == list(range(1, len(legs) + 1))
        assert len({leg["sport_event_id"] for leg in legs}) == len(legs)
        for leg in legs:
            self._check_price(leg)
        kind = "single" if len(legs) == 1 else "system" if body["system_size"] else "multiple"
        assert body["kind"] == kind
        assert body["is_in_play"] == any(leg["is_in_play"] for leg in legs)
        wins = [Fraction(leg["odds"], 1_000) for leg in legs]
        assert body["potential_payout"] == _payout(body, wins)
        self._bets[body["bet_id"]] = Bet(body)
        self._owe("StakeTaken", body["bet_id"], body["stake"])

    def _check_price(self, leg: Body) -> None:
        market = self._markets[leg["market_id"]]
        assert market.price is not None
        assert market.update["status"] == market.price["status"] == "open"
        assert market.update["is_in_play"] == leg["is_in_play"]
        prices = {price["outcome_id"]: price["odds"] for price in market.price["prices"]}
        assert prices[leg["outcome_id"]] == leg["odds"]

    def _see_BetSettled(self, body: Body) -> None:  # noqa: N802
        bet = self._next(body, "open")
        assert body["settlement_no"] == 1
        assert body["is_free_bet"] == bet.placed["is_free_bet"]
        for placed, result in zip(bet.placed["legs"], body["legs"], strict=True):
            self._check_result(placed, result)
        self._check_payout(bet, body)
        bet.status, bet.payout = "settled", body["payout"]
        self._owe("StakeReleased", body["bet_id"], body["stake"])
        self._owe("WinningsPaid", body["bet_id"], body["payout"])

    def _check_result(self, placed: Body, result: Body) -> None:
        update = self._markets[placed["market_id"]].update
        if result["result"] == "undecided":
            return
        assert update["status"] in ("settled", "cancelled")
        status = {outcome["outcome_id"]: outcome["status"] for outcome in update["outcomes"]}[placed["outcome_id"]]
        if update["status"] == "settled":
            expected = {"winner": "won", "placed": "won", "loser": "lost", "removed": "void"}[status]
            assert result["result"] == expected
        else:
            assert result["result"] == "void"

    def _see_BetCashedOut(self, body: Body) -> None:  # noqa: N802
        bet = self._next(body, "open")
        assert body["settlement_no"] == 1
        assert body["payout"] > 0
        bet.status, bet.payout = "cashed out", body["payout"]
        self._owe("StakeReleased", body["bet_id"], body["stake"])
        self._owe("WinningsPaid", body["bet_id"], body["payout"])

    def _see_BetVoided(self, body: Body) -> None:  # noqa: N802
        bet = self._next(body, "settled" if body["was_settled"] else "open")
        assert body["refund"] == body["stake"]
        assert body["previous_payout"] == bet.payout
        bet.status = "void"
        self._owe("StakeRefunded", body["bet_id"], body["stake"])
        self._owe("WinningsReversed", body["bet_id"], body["previous_payout"])

    def _see_BetResettled(self, body: Body) -> None:  # noqa: N802
        bet = self._next(body, "settled")
        assert body["previous_payout"] == bet.payout != body["payout"]
        self._check_payout(bet, body)
        change, bet.payout = body["payout"] - bet.payout, body["payout"]
        self._owe("WinningsPaid" if change > 0 else "WinningsReversed", body["bet_id"], abs(change))

    def _next(self, body: Body, status: str) -> Bet:
        """The bet, which must be in this status; its settlements are counted without a gap."""
        bet = self._bets[body["bet_id"]]
        assert bet.status == status
        assert bet.placed["occurred_at"] < body["occurred_at"]
        assert all(bet.placed[name] == body[name] for name in ("player_id", "currency", "stake"))
        bet.settlement_no += 1
        assert body["settlement_no"] == bet.settlement_no
        return bet

    def _check_payout(self, bet: Bet, body: Body) -> None:
        returns = [
            _leg_return(leg["odds"], result) for leg, result in zip(bet.placed["legs"], body["legs"], strict=True)
        ]
        assert body["payout"] == _payout(bet.placed, returns)
        if any(result["result"] == "undecided" for result in body["legs"]):
            assert body["payout"] == 0
            assert any(_is_lost(result) for result in body["legs"])

    def _see_RoundCompleted(self, body: Body) -> None:  # noqa: N802
        player = self._players.by_id[body["player_id"]]
        assert player.session == body["session_id"]
        assert player.session_started_at is not None
        assert player.session_started_at - 10 <= body["started_at"] <= body["occurred_at"]
        staked = self._rounds_staked.pop(body["round_id"], 0)
        assert staked == body["stake"] + body["bonus_stake"]
        if staked:
            self._owe("WinningsPaid", body["round_id"], body["win"] + body["jackpot_win"] + body["bonus_win"])
        else:
            # A free spin: what it wins is credited as bonus money.
            assert body["win"] == body["jackpot_win"] == 0

    def _see_wallet(self, record: str, body: Body) -> None:
        total = body["amount"] + body["bonus_amount"]
        bet_id, round_id = body.get("bet_id"), body.get("round_id")
        assert (bet_id is None) != (round_id is None)
        assert (body["vertical"] == "sports") == (bet_id is not None)
        if record == "StakeTaken" and round_id is not None:
            assert total > 0
            self._rounds_staked[round_id] = total
        else:
            assert self.owed.pop((record, bet_id or round_id or "")) == total
            if bet_id is not None:
                self._check_split(self._bets[bet_id], record, body)

    def _check_split(self, bet: Bet, record: str, body: Body) -> None:
        """Money comes back to cash and bonus in the proportion in which the stake came from them."""
        if record == "StakeTaken":
            bet.bonus_stake = body["bonus_amount"]
        elif record in ("StakeReleased", "StakeRefunded"):
            assert body["bonus_amount"] == bet.bonus_stake
        else:
            total = body["amount"] + body["bonus_amount"]
            assert body["bonus_amount"] == total * bet.bonus_stake // bet.placed["stake"]

    def _owe(self, record: str, cause: str, total: int) -> None:
        if total:
            assert (record, cause) not in self.owed
            self.owed[record, cause] = total


def _is_lost(result: Body) -> bool:
    return (result["result"], result["void_factor"]) == ("lost", 0)


def _leg_return(odds: int, result: Body) -> Fraction:
    void = Fraction(result["void_factor"], 1_000)
    if result["result"] != "won":
        return void
    return void + (1 - void) * Fraction(odds, 1_000) * _share(result)


def _share(result: Body) -> Fraction:
    """What a dead heat leaves of the win; the factor in thousandths is the nearest to it."""
    if result["dead_heat_tied"] is None:
        assert (result["dead_heat_places"], result["dead_heat_factor"]) == (None, 1_000)
        return Fraction(1)
    share = Fraction(result["dead_heat_places"], result["dead_heat_tied"])
    assert 0 < share < 1
    assert result["dead_heat_factor"] == round(1_000 * share)
    return share


def _payout(placed: Body, returns: list[Fraction]) -> int:
    """Line by line."""
    size = placed["system_size"] or len(returns)
    total = sum((prod(line, start=Fraction(1)) for line in combinations(returns, size)), Fraction(0))
    return int(placed["stake"] * total / comb(len(returns), size))
