"""Rounds of slots, table and live games."""

from backoffice.simulator.accounts import Account, Bonus
from backoffice.simulator.acts.bonuses import emit_credit, emit_use, review, use
from backoffice.simulator.acts.payments import start_deposit
from backoffice.simulator.brands import GAMES, Game
from backoffice.simulator.durations import MINUTE
from backoffice.simulator.events import rounds, wallet
from backoffice.simulator.world import World

_STAKES = (20, 50, 50, 100, 100, 200, 500, 1_000)
_LEAST_STAKE = 20
_SPIN_VALUE = 100
_JACKPOT_CHANCE = 0.0005
_JACKPOTS = (50_000, 250_000, 1_000_000)
_SLOTS = tuple(game for game in GAMES if game.vertical == "slots")
# Share of rounds up to here, and the winnings in hundredths of the stake from and to: a return of 95 %.
_WINS = ((0.68, 0, 1), (0.93, 50, 300), (0.9955, 300, 1_000), (1.0, 1_000, 3_000))


def play_round(world: World) -> None:
    account = world.online.draw(world.rng)
    if account is None:
        return
    bonus = account.bonus
    if bonus and bonus.spins and bonus.expires_at > world.now:
        _spin_free(world, account, bonus)
    elif account.funds(world.now) < _LEAST_STAKE:
        start_deposit(world, account)
    else:
        _play(world, account)


def _play(world: World, account: Account) -> None:
    """The player wins in cash and bonus as the stake came from them; a jackpot is cash."""
    rng = world.rng
    game, round_id = rng.choice(GAMES), world.new_id()
    stake = min(rng.choice(_STAKES), account.funds(world.now))
    cash, bonus_money = account.take(stake, world.now)
    won = stake * _hundredths(world) // 100
    bonus_win = won * bonus_money // stake
    win = won - bonus_win
    jackpot = rng.choice(_JACKPOTS) if game.vertical == "slots" and world.chance(_JACKPOT_CHANCE) else 0
    world.emit(wallet.stake_taken(world.head_of(account), **_play_of(account, game, round_id, cash, bonus_money)))
    _emit_round(world, account, game, round_id, (cash, win, jackpot, bonus_money, bonus_win))
    account.give(win + jackpot, bonus_win)
    if won or jackpot:
        paid = _play_of(account, game, round_id, win + jackpot, bonus_win)
        world.emit(wallet.winnings_paid(world.head_of(account), **paid))
    use(world, account, bonus_money, stake, round_id=round_id)
    review(world, account)


def _spin_free(world: World, account: Account, bonus: Bonus) -> None:
    """Nothing is staked, and what is won is credited as bonus money that has to be wagered."""
    game, round_id = world.rng.choice(_SLOTS), world.new_id()
    won = _SPIN_VALUE * _hundredths(world) // 100
    bonus.spins -= 1
    _emit_round(world, account, game, round_id, (0, 0, 0, 0, won))
    emit_use(world, account, bonus, 0, 0, round_id=round_id)
    if won:
        bonus.balance += won
        bonus.to_wager += won * bonus.wagering_thousandths // 1_000
        emit_credit(world, account, bonus, won)
    review(world, account)


def _hundredths(world: World) -> int:
    """What a stake of 100 wins."""
    fate = world.rng.random()
    low, high = next((low, high) for share, low, high in _WINS if fate < share)
    return world.rng.randrange(low, high)


def _emit_round(
    world: World, account: Account, game: Game, round_id: str, sums: tuple[int, int, int, int, int]
) -> None:
    """``sums``: stake, win and jackpot in cash; stake and win in bonus money."""
    stake, win, jackpot_win, bonus_stake, bonus_win = sums
    session = account.session
    since = min(world.rng.randrange(1_000_000, MINUTE), world.now - session.started_at if session else MINUTE)
    world.emit(
        rounds.round_completed(
            world.head_of(account),
            round_id=round_id,
            player_id=account.id,
            game_id=game.id,
            provider=game.provider,
            vertical=game.vertical,
            currency=account.currency,
            stake=stake,
            win=win,
            jackpot_win=jackpot_win,
            bonus_stake=bonus_stake,
            bonus_win=bonus_win,
            session_id=session.id if session else None,
            started_at=world.now - since,
        )
    )


def _play_of(account: Account, game: Game, round_id: str, cash: int, bonus_money: int) -> wallet.Play:
    return {
        "player_id": account.id,
        "currency": account.currency,
        "amount": cash,
        "vertical": game.vertical,
        "bonus_amount": bonus_money,
        "round_id": round_id,
    }
