"""What every wallet event books, said a second time and in other words than the projections say it.

Source: the ledger's meaning of each record, debit to credit; casino stakes are the house's at once, sports stakes when
the bet is settled.
"""

from collections.abc import Iterator
from uuid import UUID

from backoffice.kernel.ids import derived_id, derived_mask

from .reading import Event

PLAYERS_OWN = frozenset({"cash", "bonus", "open_bets", "pending_withdrawals"})
# Debit, credit and the field with the amount, in the order of their numbers.
_ALWAYS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "DepositInitiated": (),
    "DepositDeclined": (),
    "DepositCompleted": (("clearing", "cash", "amount"),),
    "WithdrawalRequested": (("cash", "pending_withdrawals", "amount"),),
    "WithdrawalReversed": (("pending_withdrawals", "cash", "amount"),),
    "WithdrawalDeclined": (("pending_withdrawals", "cash", "amount"),),
    "WithdrawalPaid": (("pending_withdrawals", "clearing", "amount"),),
    "StakeReleased": (("open_bets", "revenue", "amount"), ("open_bets", "revenue", "bonus_amount")),
    "WinningsPaid": (("revenue", "cash", "amount"), ("revenue", "bonus", "bonus_amount")),
    "WinningsReversed": (("cash", "revenue", "amount"), ("bonus", "revenue", "bonus_amount")),
    "BonusCredited": (("bonus_cost", "bonus", "amount"),),
    "BonusConverted": (("bonus", "cash", "amount"),),
    "BonusForfeited": (("bonus", "bonus_cost", "amount"),),
}

Booking = tuple[int, str, str, int]
Account = tuple[str, str, str]


def bookings(record: str, event: Event) -> Iterator[Booking]:
    """Number, kind of the debited and of the credited account, and amount of each transfer; none of them is zero."""
    first, movements = _movements(record, event)
    for number, (debit, credit, field) in enumerate(movements, first):
        if event[field] > 0:
            yield number, debit, credit, event[field]


def _movements(record: str, event: Event) -> tuple[int, tuple[tuple[str, str, str], ...]]:
    if record == "StakeTaken":
        at_once = event["vertical"] != "sports"
        to = "revenue" if at_once else "open_bets"
        return 2 * at_once, (("cash", to, "amount"), ("bonus", to, "bonus_amount"))
    if record == "StakeRefunded":
        settled = bool(event["was_settled"])
        source = "revenue" if settled else "open_bets"
        return 2 * settled, ((source, "cash", "amount"), (source, "bonus", "bonus_amount"))
    if record == "BalanceAdjusted":
        if event["direction"] == "credit":
            return 0, (("adjustments", "cash", "amount"),)
        return 1, (("cash", "adjustments", "amount"),)
    return 0, _ALWAYS.get(record, ())


class Accounts:
    """The ids of accounts, from what they are: (kind, player or subject, currency)."""

    LIMIT = 300_000

    def __init__(self) -> None:
        self._ids: dict[Account, str] = {}
        self._masks: dict[tuple[str, str], int] = {}

    def id_of(self, kind: str, event: Event) -> tuple[str, Account]:
        """The id of the account of that kind which the event touches, and what it is."""
        account = (kind, _owner(kind, event), event["currency"])
        found = self._ids.get(account)
        if found is None:
            if len(self._ids) >= self.LIMIT:
                self._ids.clear()
            found = self._ids[account] = self._made(*account)
        return found, account

    def _made(self, kind: str, owner: str, currency: str) -> str:
        if kind not in PLAYERS_OWN:
            return str(derived_id(kind, owner, currency))
        mask = self._masks.get((kind, currency))
        if mask is None:
            mask = self._masks[kind, currency] = int.from_bytes(derived_mask(kind, currency), "big")
        return str(UUID(int=UUID(owner).int ^ mask))


def _owner(kind: str, event: Event) -> str:
    if kind in PLAYERS_OWN:
        return str(event["player_id"]).lower()
    return str(event["provider"] if kind == "clearing" else event["vertical"] if kind == "revenue" else "")
