"""What is remembered of a player: money, session, bonus, limits. Sums are minor units of the player's currency."""

import random
from dataclasses import dataclass, field

from backoffice.simulator.events.players import Access


@dataclass(slots=True, eq=False)
class Bonus:
    """A bonus in force. Its money is in ``balance`` and, while bets on it are open, in those."""

    id: str
    kind: str
    expires_at: int
    balance: int = 0
    # What has still to be staked until the balance becomes cash.
    to_wager: int = 0
    spins: int = 0
    wagering_thousandths: int = 0
    open_bets: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    started_at: int
    access: Access


@dataclass(frozen=True, slots=True)
class Exclusion:
    id: str
    kind: str
    scope: str
    starts_at: int
    ends_at: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Limit:
    id: str
    kind: str
    period: str
    # Minor units, or minutes for a limit on session time.
    level: int


@dataclass(frozen=True, slots=True)
class Instrument:
    id: str
    method: str
    provider: str


@dataclass(slots=True, eq=False)
class Account:
    id: str
    brand: str
    jurisdiction: str
    country: str
    currency: str
    channel: str
    devices: tuple[str, ...]
    address: str
    instruments: tuple[Instrument, ...]
    status: str = "active"
    verification: str = "pending"
    cash: int = 0
    bonus: Bonus | None = None
    session: Session | None = None
    exclusion: Exclusion | None = None
    limits: dict[str, Limit] = field(default_factory=dict)
    open_bets: int = 0
    # Payments, documents and alerts that somebody has yet to decide.
    open_items: int = 0

    @property
    def may_play(self) -> bool:
        return self.status == "active" and self.exclusion is None

    def bonus_money(self, now: int) -> int:
        """Bonus money that can be staked beside cash. A free bet's is not: it is staked as a whole."""
        bonus = self.bonus
        return bonus.balance if bonus and bonus.kind != "free_bet" and bonus.expires_at > now else 0

    def funds(self, now: int) -> int:
        """What can be staked."""
        return self.cash + self.bonus_money(now)

    def is_idle(self) -> bool:
        """Nothing is going on that would still have to end before the account can be closed."""
        return not (self.open_bets or self.open_items or self.session)

    def take(self, stake: int, now: int) -> tuple[int, int]:
        """Take a stake from the account; how much of it was cash and how much bonus money.

        Bonus money pays half, or what cash cannot.
        """
        bonus_part = min(self.bonus_money(now), max(stake // 2, stake - self.cash))
        cash_part = stake - bonus_part
        if cash_part > self.cash:
            raise ValueError(f"a stake of {stake} on funds of {self.funds(now)}; look at the funds first")
        self.cash -= cash_part
        if self.bonus is not None:
            self.bonus.balance -= bonus_part
        return cash_part, bonus_part

    def give(self, cash: int, bonus: int) -> None:
        self.cash += cash
        if bonus:
            if self.bonus is None:
                raise ValueError(f"{bonus} of bonus money for a player without a bonus")
            self.bonus.balance += bonus


def access_of(account: Account, rng: random.Random) -> Access:
    """The player at one of the usual devices."""
    return {
        "player_id": account.id,
        "channel": account.channel,
        "country": account.country,
        "device_id": rng.choice(account.devices),
        "ip": account.address,
    }
