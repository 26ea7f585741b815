"""Bonuses are granted, used, and end as cash or as nothing."""

from backoffice.simulator.accounts import Account, Bonus
from backoffice.simulator.durations import DAY
from backoffice.simulator.events import players, wallet
from backoffice.simulator.world import World

_VALID_FOR = 7 * DAY
_MOST = 0.3
_AMOUNTS = (500, 1_000, 2_000, 2_500)
_WAGERING = {"free_bet": (1_000,), "deposit_match": (1_000, 2_000, 5_000), "free_spins": (1_000, 2_000)}
_KINDS = tuple(_WAGERING)
_CAMPAIGNS = ("welcome", "weekend", "reload", "derby")


def grant(world: World) -> None:
    """One bonus at a time for a player, so that all bonus money belongs to one."""
    account = (world.chance(0.6) and world.online.draw(world.rng)) or world.accounts.draw(world.rng)
    if account is None or account.bonus or not account.may_play or len(world.bonus_holders) >= _MOST * world.players:
        return
    rng = world.rng
    kind = rng.choice(_KINDS)
    amount = 0 if kind == "free_spins" else rng.choice(_AMOUNTS)
    wagering = rng.choice(_WAGERING[kind])
    bonus = Bonus(
        id=world.new_id(),
        kind=kind,
        expires_at=world.now + _VALID_FOR,
        balance=amount,
        to_wager=amount * wagering // 1_000,
        spins=0 if amount else rng.choice((5, 10, 20)),
        wagering_thousandths=wagering,
    )
    account.bonus = bonus
    world.bonus_holders.add(account)
    _emit_grant(world, account, bonus)
    if amount:
        emit_credit(world, account, bonus, amount)


def use(world: World, account: Account, amount: int, stake: int, **cause: str) -> None:
    """Count a stake towards the bonus in force; ``amount`` of it was bonus money. ``cause``: bet_id or round_id.

    Free spins come first, and a free bet counts for itself alone.
    """
    bonus = account.bonus
    if bonus is None or bonus.spins or bonus.expires_at <= world.now or (bonus.kind == "free_bet" and not amount):
        return
    bonus.to_wager -= stake
    emit_use(world, account, bonus, amount, stake, **cause)


def emit_use(world: World, account: Account, bonus: Bonus, amount: int, wagered: int, **cause: str) -> None:
    world.emit(
        players.bonus_used(
            world.head_of(account),
            player_id=account.id,
            bonus_id=bonus.id,
            currency=account.currency,
            amount=amount,
            wagered=wagered,
            bet_id=cause.get("bet_id"),
            round_id=cause.get("round_id"),
        )
    )


def review(world: World, account: Account) -> None:
    """End the bonus when it is played out, or wagered as it has to be."""
    bonus = account.bonus
    if bonus is None or bonus.open_bets or bonus.spins:
        return
    if not bonus.balance:
        expire(world, account, bonus, "played out")
    elif bonus.to_wager <= 0:
        _complete(world, account, bonus)


def give_up(world: World) -> None:
    """A bonus ends before its wagering: its time is over, or the player does not want it."""
    account = world.bonus_holders.draw(world.rng)
    if account is None or account.bonus is None or account.bonus.open_bets:
        return
    if account.bonus.expires_at <= world.now:
        expire(world, account, account.bonus, "time is over")
    elif world.chance(0.2):
        expire(world, account, account.bonus, "player request")


def expire(world: World, account: Account, bonus: Bonus, reason: str) -> None:
    _end(world, account)
    world.emit(
        players.bonus_expired(
            world.head_of(account),
            player_id=account.id,
            bonus_id=bonus.id,
            currency=account.currency,
            amount=bonus.balance,
            reason=reason,
        )
    )
    if bonus.balance:
        world.emit(wallet.bonus_forfeited(world.head_of(account), **_movement(account, bonus, bonus.balance)))


def emit_credit(world: World, account: Account, bonus: Bonus, amount: int) -> None:
    world.emit(wallet.bonus_credited(world.head_of(account), **_movement(account, bonus, amount)))


def _complete(world: World, account: Account, bonus: Bonus) -> None:
    _end(world, account)
    account.cash += bonus.balance
    movement = _movement(account, bonus, bonus.balance)
    world.emit(players.bonus_completed(world.head_of(account), **movement))
    world.emit(wallet.bonus_converted(world.head_of(account), **movement))


def _end(world: World, account: Account) -> None:
    account.bonus = None
    world.bonus_holders.discard(account)


def _emit_grant(world: World, account: Account, bonus: Bonus) -> None:
    world.emit(
        players.bonus_granted(
            world.head_of(account),
            player_id=account.id,
            bonus_id=bonus.id,
            campaign=world.rng.choice(_CAMPAIGNS),
            kind=bonus.kind,
            currency=account.currency,
            amount=bonus.balance,
            spins=bonus.spins,
            wagering_thousandths=bonus.wagering_thousandths,
            expires_at=bonus.expires_at,
        )
    )


def _movement(account: Account, bonus: Bonus, amount: int) -> wallet.BonusMovement:
    return {"player_id": account.id, "currency": account.currency, "amount": amount, "bonus_id": bonus.id}
