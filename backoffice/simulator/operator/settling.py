"""Bets end: settled, cashed out, made void; and sometimes settled again."""

import numpy as np

from backoffice.simulator.durations import HOUR
from backoffice.simulator.operator.arrays import Array, Ints, Rows
from backoffice.simulator.operator.bonuses import review
from backoffice.simulator.operator.columns import Column, Words
from backoffice.simulator.operator.people import owners
from backoffice.simulator.operator.tickets import (
    CASHED_OUT,
    CORRECTED,
    SETTLED,
    TOO_HIGH,
    TOO_LOW,
    VOIDED,
    results_column,
    wrong_results,
)
from backoffice.simulator.operator.world import World

_CORRECTED_AFTER = 2 * HOUR
_DONE = -1
_REASONS = ("result corrected by the provider", "stewards' enquiry", "wrong scorer")


def settle_bets(world: World, who: Ints, until: Ints | int) -> None:
    """Bets of these players that are due; one after another where a player has several."""
    limits = np.zeros(len(world.players), np.int64)
    limits[who] = until
    while len(due := np.flatnonzero(world.bets["due"] < limits[world.bets["player"]])):
        due = due[np.lexsort((world.bets["due"][due], world.bets["player"][due]))]
        _, first = np.unique(world.bets["player"][due], return_index=True)
        _settle(world, due[first])
        world.bets = world.bets[world.bets["fate"] != _DONE]


def _settle(world: World, places: Ints) -> None:
    """One bet each of some players."""
    bets = world.bets[places]
    world.reach(bets["player"], bets["due"])
    fates = bets["fate"]
    _pay(world, bets[np.isin(fates, (SETTLED, TOO_LOW, TOO_HIGH))], "BetSettled")
    _pay(world, bets[fates == CASHED_OUT], "BetCashedOut")
    _make_void(world, bets[fates == VOIDED])
    _correct(world, bets[fates == CORRECTED])
    again = np.isin(fates, (TOO_LOW, TOO_HIGH))
    world.bets["fate"][places] = np.where(again, CORRECTED, _DONE)
    world.bets["due"][places[again]] = bets["due"][again] + _CORRECTED_AFTER
    over = bets["player"][~again]
    world.players["open_bets"][over] -= 1
    review(world, over)


def _pay(world: World, bets: Rows, record: str) -> None:
    """The stake becomes revenue and the payout leaves it, to the purse that the stake came from."""
    if not len(bets):
        return
    players, who, free = world.players, bets["player"], bets["is_free"]
    legs = {"legs": results_column(wrong_results(bets))} if record == "BetSettled" else {}
    world.slice.emit(
        record, owners(players, who), world.tick(who), payout=bets["payout"], is_free_bet=free, **_of(bets), **legs
    )
    stake = _purses(bets["stake"], free)
    world.slice.emit("StakeReleased", owners(players, who), world.tick(who), **_play(bets), **stake)
    players["bonus_bets"][who[free]] -= 1
    _pay_winnings(world, bets, bets["payout"])


def _make_void(world: World, bets: Rows) -> None:
    """The stake goes back to where it came from, and counts for no wagering."""
    if not len(bets):
        return
    players, who, free = world.players, bets["player"], bets["is_free"]
    world.slice.emit(
        "BetVoided", owners(players, who), world.tick(who),
        refund=bets["stake"], previous_payout=0, was_settled=False, reason="palpable error", is_free_bet=free,
        **_of(bets),
    )  # fmt: skip
    stake = _purses(bets["stake"], free)
    world.slice.emit(
        "StakeRefunded", owners(players, who), world.tick(who), was_settled=False, **_play(bets), **stake
    )  # fmt: skip
    players["cash"][who] += stake["amount"]
    players["bonus_cash"][who] += stake["bonus_amount"]
    players["to_wager"][who] += stake["bonus_amount"]
    players["bonus_bets"][who[free]] -= 1


def _correct(world: World, bets: Rows) -> None:
    """Settle again with the right result; winnings are taken back only where the player still has the money."""
    cash = world.players["cash"][bets["player"]]
    bets = bets[cash >= bets["payout"] - bets["correct"]]
    if not len(bets):
        return
    players, who = world.players, bets["player"]
    bets["number"] = 2
    world.slice.emit(
        "BetResettled", owners(players, who), world.tick(who),
        payout=bets["correct"], previous_payout=bets["payout"], legs=results_column(bets),
        reason=Words((bets["due"] % len(_REASONS)).astype(np.int64), _REASONS), **_of(bets),
    )  # fmt: skip
    change = bets["correct"] - bets["payout"]
    _pay_winnings(world, bets, np.maximum(change, 0))
    back, who = bets[change < 0], who[change < 0]
    players["cash"][who] += change[change < 0]
    world.slice.emit(
        "WinningsReversed", owners(players, who), world.tick(who),
        amount=-change[change < 0], bonus_amount=0, **_play(back),
    )  # fmt: skip


def _pay_winnings(world: World, bets: Rows, payout: Ints) -> None:
    won = payout > 0
    bets, payout = bets[won], payout[won]
    players, who = world.players, bets["player"]
    purses = _purses(payout, bets["is_free"])
    players["cash"][who] += purses["amount"]
    players["bonus_cash"][who] += purses["bonus_amount"]
    world.slice.emit("WinningsPaid", owners(players, who), world.tick(who), **_play(bets), **purses)


def _purses(amount: Ints, is_bonus: Array) -> dict[str, Ints]:
    return {"amount": np.where(is_bonus, 0, amount), "bonus_amount": np.where(is_bonus, amount, 0)}


def _play(bets: Rows) -> dict[str, Column]:
    return {"vertical": "sports", "bet_id": bets["id"]}


def _of(bets: Rows) -> dict[str, Column]:
    return {"bet_id": bets["id"], "stake": bets["stake"], "settlement_no": bets["number"]}
