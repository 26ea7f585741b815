"""Money comes in and goes out."""

from backoffice.simulator.accounts import Account
from backoffice.simulator.brands import STAFF
from backoffice.simulator.events import wallet
from backoffice.simulator.world import Payment, World

_MOST_UNDER_WAY = 500
_DEPOSITS = (1_000, 2_000, 2_500, 5_000, 5_000, 10_000, 20_000, 50_000)
_LEAST_WITHDRAWAL = 1_000
_DEPOSIT_DECLINES = ("insufficient funds", "do not honour", "expired card", "limit reached")
_WITHDRAWAL_DECLINES = ("documents missing", "name does not match", "source of funds open")
_CORRECTIONS = ("goodwill", "payment matched by hand", "provider correction")


def deposit(world: World) -> None:
    account = world.accounts.draw(world.rng)
    if account is not None and account.may_play:
        start_deposit(world, account)


def start_deposit(world: World, account: Account) -> None:
    if len(world.deposits) >= _MOST_UNDER_WAY:
        finish_deposit(world)
        return
    rng = world.rng
    payment = Payment(world.new_id(), account, rng.choice(account.instruments), rng.choice(_DEPOSITS))
    world.deposits.add(payment)
    account.open_items += 1
    world.emit(wallet.deposit_initiated(world.head_of(account), **_fields(payment)))


def finish_deposit(world: World) -> None:
    payment = world.deposits.draw(world.rng)
    if payment is None:
        return
    world.deposits.discard(payment)
    account = payment.account
    account.open_items -= 1
    if world.chance(0.88):
        account.cash += payment.amount
        world.emit(wallet.deposit_completed(world.head_of(account), **_fields(payment)))
    else:
        reason = world.rng.choice(_DEPOSIT_DECLINES)
        world.emit(wallet.deposit_declined(world.head_of(account), decline_reason=reason, **_fields(payment)))


def request_withdrawal(world: World) -> None:
    """Of a verified player; an excluded or frozen one may have the money too."""
    account = world.accounts.draw(world.rng)
    if account is None or account.verification != "verified" or account.cash < _LEAST_WITHDRAWAL:
        return
    if len(world.withdrawals) >= _MOST_UNDER_WAY:
        finish_withdrawal(world)
        return
    amount = account.cash if world.chance(0.3) else world.rng.randrange(_LEAST_WITHDRAWAL, account.cash + 1)
    _request(world, account, amount)


def finish_withdrawal(world: World) -> None:
    """Paid out, or back into the player's cash."""
    payment = world.withdrawals.draw(world.rng)
    if payment is None:
        return
    account, fate = payment.account, world.rng.random()
    if fate < 0.6:
        _pay_out(world, payment)
        return
    _end(world, payment)
    account.cash += payment.amount
    head = world.head_of(account)
    if fate < 0.85:
        world.emit(wallet.withdrawal_reversed(head, reason="player request", **_fields(payment)))
    else:
        reason = world.rng.choice(_WITHDRAWAL_DECLINES)
        world.emit(wallet.withdrawal_declined(head, decline_reason=reason, **_fields(payment)))


def move_out(world: World, account: Account) -> None:
    """All of a player's cash, at once."""
    _pay_out(world, _request(world, account, account.cash))


def adjust_balance(world: World) -> None:
    """A person corrects a player's cash; never below zero."""
    account = world.accounts.draw(world.rng)
    if account is None:
        return
    amount = world.rng.randrange(100, 2_000)
    is_credit = account.cash < amount or world.chance(0.6)
    account.cash += amount if is_credit else -amount
    world.emit(
        wallet.balance_adjusted(
            world.head_of(account),
            player_id=account.id,
            currency=account.currency,
            amount=amount,
            direction="credit" if is_credit else "debit",
            reason=world.rng.choice(_CORRECTIONS),
            actor=world.rng.choice(STAFF),
        )
    )


def _request(world: World, account: Account, amount: int) -> Payment:
    instrument = world.rng.choice(account.instruments)
    payment = Payment(world.new_id(), account, instrument, amount)
    account.cash -= amount
    account.open_items += 1
    world.withdrawals.add(payment)
    world.emit(wallet.withdrawal_requested(world.head_of(account), **_fields(payment)))
    return payment


def _pay_out(world: World, payment: Payment) -> None:
    _end(world, payment)
    world.emit(wallet.withdrawal_paid(world.head_of(payment.account), **_fields(payment)))


def _end(world: World, payment: Payment) -> None:
    world.withdrawals.discard(payment)
    payment.account.open_items -= 1


def _fields(payment: Payment) -> wallet.Payment:
    return {
        "player_id": payment.account.id,
        "currency": payment.account.currency,
        "amount": payment.amount,
        "payment_id": payment.id,
        "method": payment.instrument.method,
        "provider": payment.instrument.provider,
        "instrument_id": payment.instrument.id,
    }
