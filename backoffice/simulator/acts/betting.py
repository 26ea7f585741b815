"""Bets are placed, on open markets and at the prices of the moment."""

from backoffice.simulator.accounts import Account, Bonus
from backoffice.simulator.acts.bonuses import use
from backoffice.simulator.acts.payments import start_deposit
from backoffice.simulator.bets import Bet, Leg, potential_payout
from backoffice.simulator.book import Market, Outcome
from backoffice.simulator.events import bets, wallet
from backoffice.simulator.world import World

STAKES = (100, 200, 200, 500, 500, 1_000, 1_000, 2_000, 2_500, 5_000, 10_000)
LEAST_STAKE = 100
MOST_PAYOUT = 50_000_000
_MOST_OPEN = 20_000
_LEG_COUNTS = (1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5)
_SYSTEM_SHARE = 0.3

Choice = tuple[Market, Outcome]


def place_bet(world: World) -> None:
    account = world.online.draw(world.rng)
    if account is None or len(world.open_bets) >= _MOST_OPEN:
        return
    bonus = account.bonus
    if bonus and bonus.kind == "free_bet" and bonus.balance and bonus.expires_at > world.now:
        _place_free_bet(world, account, bonus)
    elif account.funds(world.now) < LEAST_STAKE:
        start_deposit(world, account)
    else:
        _place(world, account)


def _place(world: World, account: Account) -> None:
    stake = min(world.rng.choice(STAKES), account.funds(world.now))
    choices = _choose(world, world.rng.choice(_LEG_COUNTS))
    if not choices:
        return
    lines_of = len(choices)
    if lines_of > 2 and world.chance(_SYSTEM_SHARE):
        lines_of = world.rng.randrange(2, lines_of)
    elif _potential(stake, lines_of, choices) > MOST_PAYOUT:
        choices, lines_of = choices[:1], 1
    cash, bonus_money = account.take(stake, world.now)
    _open(world, account, choices, lines_of, cash, bonus_money)


def _place_free_bet(world: World, account: Account, bonus: Bonus) -> None:
    """The whole bonus on a single."""
    choices = _choose(world, 1)
    if choices:
        stake, bonus.balance = bonus.balance, 0
        _open(world, account, choices, 1, 0, stake, is_free=True)


def _choose(world: World, wanted: int) -> list[Choice]:
    """Outcomes of open markets, no two of one sport event."""
    chosen: dict[str, Choice] = {}
    for _ in range(wanted):
        market = world.book.open_markets.draw(world.rng)
        if market is not None:
            chosen.setdefault(market.fixture.id, (market, world.rng.choice(market.active())))
    return list(chosen.values())


def _potential(stake: int, lines_of: int, choices: list[Choice]) -> int:
    return potential_payout(stake, lines_of, [outcome.odds for _, outcome in choices])


def _open(
    world: World,
    account: Account,
    choices: list[Choice],
    lines_of: int,
    cash: int,
    bonus_money: int,
    *,
    is_free: bool = False,
) -> None:
    legs = [Leg(_leg(number, *choice)) for number, choice in enumerate(choices, 1)]
    bonus = account.bonus if bonus_money else None
    bet = Bet(world.new_id(), account, cash, bonus_money, bonus, is_free, lines_of, legs)
    for leg, (market, outcome) in zip(legs, choices, strict=True):
        market.bets.append((bet, leg, outcome))
    world.open_bets.add(bet)
    account.open_bets += 1
    if bonus is not None:
        bonus.open_bets += 1
    _emit_placement(world, bet, _potential(bet.stake, lines_of, choices))
    world.emit(wallet.stake_taken(world.head_of(account), **stake_of(bet)))
    use(world, account, bonus_money, bet.stake, bet_id=bet.id)


def stake_of(bet: Bet) -> wallet.Play:
    """The stake as the wallet moves it."""
    return play_of(bet, bet.cash, bet.bonus_money)


def play_of(bet: Bet, cash: int, bonus_money: int) -> wallet.Play:
    return {
        "player_id": bet.account.id,
        "currency": bet.account.currency,
        "amount": cash,
        "vertical": "sports",
        "bonus_amount": bonus_money,
        "bet_id": bet.id,
    }


def _emit_placement(world: World, bet: Bet, potential: int) -> None:
    account = bet.account
    kind = "system" if bet.is_system else "multiple" if len(bet.legs) > 1 else "single"
    world.emit(
        bets.bet_placed(
            world.head_of(account),
            bet_id=bet.id,
            player_id=account.id,
            currency=account.currency,
            stake=bet.stake,
            kind=kind,
            system_size=bet.lines_of if bet.is_system else 0,
            channel=account.session.access["channel"] if account.session else account.channel,
            is_in_play=any(leg.body["is_in_play"] for leg in bet.legs),
            is_free_bet=bet.is_free,
            bonus_id=bet.bonus.id if bet.bonus else None,
            potential_payout=potential,
            legs=[leg.body for leg in bet.legs],
        )
    )


def _leg(number: int, market: Market, outcome: Outcome) -> bets.BetLeg:
    fixture = market.fixture
    return {
        "leg_no": number,
        "sport": fixture.sport,
        "sport_event_id": fixture.id,
        "market_id": market.id,
        "outcome_id": outcome.id,
        "odds": outcome.odds,
        "is_in_play": fixture.is_in_play,
    }
