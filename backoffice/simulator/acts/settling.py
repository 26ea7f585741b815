"""Bets end: settled, cashed out, made void; and sometimes settled again."""

from fractions import Fraction

from backoffice.simulator.acts.betting import play_of, stake_of
from backoffice.simulator.acts.bonuses import review
from backoffice.simulator.bets import (
    LOST,
    MILLION,
    THOUSAND,
    WON,
    Bet,
    Leg,
    bet_payout,
    leg_results,
    leg_return,
    payout,
)
from backoffice.simulator.events import bets, wallet
from backoffice.simulator.world import World

# What a cash-out keeps, in thousandths of the bet's fair value.
_CASH_OUT_SHARE = 940
_VOID_REASONS = ("palpable error", "bet placed after the start", "wrong line")
_RESETTLEMENT_REASONS = ("result corrected by the provider", "stewards' enquiry", "wrong scorer")


def settle_next(world: World) -> None:
    """Settle the next bet whose result is known."""
    bet = world.due.popleft()
    if not bet.is_open:
        return
    bet.payout = bet_payout(bet)
    bet.settlement_no = 1
    account = bet.account
    world.emit(
        bets.bet_settled(
            world.head_of(account),
            **_of(bet),
            payout=bet.payout,
            is_free_bet=bet.is_free,
            legs=leg_results(bet),
        )
    )
    _release_and_pay(world, bet)
    if not bet.undecided and not bet.bonus_money:
        world.settled.append(bet)


def cash_out(world: World) -> None:
    bet = world.open_bets.draw(world.rng)
    if bet is None or bet.is_system or bet.is_free:
        return
    offer = _cash_out_offer(world, bet)
    if not offer:
        return
    bet.payout = offer
    bet.settlement_no = 1
    world.emit(bets.bet_cashed_out(world.head_of(bet.account), **_of(bet), payout=offer, is_free_bet=bet.is_free))
    _release_and_pay(world, bet)


def void_open(world: World) -> None:
    """The stake goes back to where it came from, and counts for no wagering."""
    bet = world.open_bets.draw(world.rng)
    if bet is None:
        return
    bet.settlement_no = 1
    _close(world, bet)
    bet.account.give(bet.cash, bet.bonus_money)
    if bet.bonus is not None:
        bet.bonus.to_wager += bet.stake
    _emit_void(world, bet, was_settled=False)
    review(world, bet.account)


def void_settled(world: World) -> None:
    """The stake goes back and the winnings are taken back, where the player still has the money."""
    bet = _recall(world)
    if bet is None or bet.account.cash + bet.stake < bet.payout:
        return
    world.settled.remove(bet)
    bet.settlement_no += 1
    bet.account.cash += bet.stake - bet.payout
    _emit_void(world, bet, was_settled=True)
    if bet.payout:
        world.emit(wallet.winnings_reversed(world.head_of(bet.account), **play_of(bet, bet.payout, 0)))


def resettle(world: World) -> None:
    """One leg had another result; winnings are taken back only where the player still has the money."""
    bet = _recall(world)
    if bet is None:
        return
    leg = world.rng.choice(bet.legs)
    before, previous = leg.result, bet.payout
    leg.result = LOST if before and before.result == "won" else WON
    correct = bet_payout(bet)
    if correct == previous or bet.account.cash < previous - correct:
        leg.result = before
        return
    bet.payout = correct
    bet.settlement_no += 1
    bet.account.cash += correct - previous
    _emit_resettlement(world, bet, previous)


def _emit_resettlement(world: World, bet: Bet, previous: int) -> None:
    world.emit(
        bets.bet_resettled(
            world.head_of(bet.account),
            **_of(bet),
            payout=bet.payout,
            previous_payout=previous,
            reason=world.rng.choice(_RESETTLEMENT_REASONS),
            legs=leg_results(bet),
        )
    )
    head, change = world.head_of(bet.account), bet.payout - previous
    if change > 0:
        world.emit(wallet.winnings_paid(head, **play_of(bet, change, 0)))
    else:
        world.emit(wallet.winnings_reversed(head, **play_of(bet, -change, 0)))


def _emit_void(world: World, bet: Bet, *, was_settled: bool) -> None:
    world.emit(
        bets.bet_voided(
            world.head_of(bet.account),
            **_of(bet),
            refund=bet.stake,
            previous_payout=bet.payout,
            was_settled=was_settled,
            reason=world.rng.choice(_VOID_REASONS),
            is_free_bet=bet.is_free,
        )
    )
    world.emit(wallet.stake_refunded(world.head_of(bet.account), was_settled=was_settled, **stake_of(bet)))


def _release_and_pay(world: World, bet: Bet) -> None:
    """The stake becomes revenue and the payout leaves it, to cash and bonus as the stake came from them."""
    _close(world, bet)
    world.emit(wallet.stake_released(world.head_of(bet.account), **stake_of(bet)))
    if bet.payout:
        bonus_part = bet.payout * bet.bonus_money // bet.stake
        cash_part = bet.payout - bonus_part
        bet.account.give(cash_part, bonus_part)
        world.emit(wallet.winnings_paid(world.head_of(bet.account), **play_of(bet, cash_part, bonus_part)))
    review(world, bet.account)


def _close(world: World, bet: Bet) -> None:
    bet.is_open = False
    world.open_bets.discard(bet)
    bet.account.open_bets -= 1
    if bet.bonus is not None:
        bet.bonus.open_bets -= 1


def _recall(world: World) -> Bet | None:
    """A settled bet of a player who is still there."""
    if not world.settled:
        return None
    bet = world.settled[world.rng.randrange(len(world.settled))]
    return bet if bet.account in world.accounts else None


def _cash_out_offer(world: World, bet: Bet) -> int:
    """The fair value of the bet less the operator's share; 0 while a leg cannot be valued or has lost."""
    returns = [_value(world, leg) for leg in bet.legs]
    return payout(bet.stake, bet.lines_of, returns) * _CASH_OUT_SHARE // THOUSAND


def _value(world: World, leg: Leg) -> Fraction:
    """What a stake of 1 on the leg is worth now."""
    if leg.result is not None:
        return leg_return(leg.body["odds"], leg.result)
    market = world.book.markets[leg.body["market_id"]]
    outcome = next(outcome for outcome in market.outcomes if outcome.id == leg.body["outcome_id"])
    if market.status != "open" or outcome.status != "active":
        return Fraction(0)
    return Fraction(leg.body["odds"] * outcome.chance, THOUSAND * MILLION)


def _of(bet: Bet) -> bets.Settlement:
    return {
        "bet_id": bet.id,
        "player_id": bet.account.id,
        "currency": bet.account.currency,
        "stake": bet.stake,
        "settlement_no": bet.settlement_no,
    }
