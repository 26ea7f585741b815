"""Why a player's account of open bets is not the sum of the stakes: bet by bet, by what stands in both apps' tables.

That sum is made of the messages about bets, each taken at its word. Where the transfers agree with the balance and with
each bet, it is a step that does not go with its bet or the step before; that is told of where the step stands
(`chains`), and the ledger is not to blame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from backoffice.reconcile.declared import Look
from backoffice.reconcile.differences import Difference, Found, Unjudged, Weight
from wallet.reconciled import OF_MONEY, moved_by_bet, owners_of

from .letters import BETS, MAY_TELL, OF_BETS, UNDER_WAY, Letters, told_by_all

OF_A_BET = "What the ledger holds for this bet is not its stake while it is open, and nothing once it is over."
OF_THE_ACCOUNT = "The balance of open bets is not what the transfers to and from it come to."


@dataclass(frozen=True)
class _Bet:
    """What a bet has at stake and what the ledger holds for it, and when either was last told.

    ``is_moneyless`` is a free bet of which the ledger knows nothing: it was staked with no money.
    """

    bet_id: str
    staked: int
    held: int
    told_at: datetime
    is_moneyless: bool = False

    @property
    def is_held(self) -> bool:
        return self.is_moneyless or self.held == self.staked

    @property
    def may_lack(self) -> bool:
        """Whether it may be for a message that is missing: none takes more than the stake of an open bet."""
        return self.held < self.staked or not self.staked


def explained(look: Look, account: str, balance: int) -> Iterator[Found]:
    """Bets whose stakes the ledger does not hold, and the account if its balance is not that of its transfers.

    A bet of which one topic may not have told yet is left to a later look; where dead letters of the player may be what
    is missing, it is known already. An account of nobody who has placed a bet or has such an account is one that only
    settlements name: of bets that were not placed so.
    """
    player = _player(look.cursor, account)
    if player is None:
        return
    until = told_by_all(look.told_until, [OF_BETS, OF_MONEY])
    letters = Letters(look.cursor, player[0], until)
    bets = list(_bets(look.cursor, account, *player))
    for bet in bets:
        if not bet.is_held:
            is_told = until is not None and bet.told_at < until
            has_letters = is_told and bet.may_lack and letters.may_tell_of(bet.bet_id)
            stands = {"staked": bet.staked, "held": bet.held}
            found = _told(f"bet_id={bet.bet_id}", OF_A_BET, stands, has_letters=has_letters)
            yield found if is_told else Unjudged.of(found, UNDER_WAY)
    if beyond := balance - sum(bet.held for bet in bets):
        stands = {"held beyond the transfers": beyond}
        # The balance and the transfers are of the same messages.
        yield _told(f"account_id={account}", OF_THE_ACCOUNT, stands, has_letters=False)


def _player(cursor: CursorWrapper, account: str) -> tuple[str, str] | None:
    """The player and the currency of an account of open bets, whichever topic knows it."""
    owners = owners_of(account, "open_bets")
    cursor.execute(
        "SELECT player_id::text, currency FROM trading_bet WHERE player_id = ANY(%s::uuid[])"
        " UNION SELECT player_id::text, currency FROM wallet_account WHERE id = %s",
        [list(owners), account],
    )
    return next(((player, currency) for player, currency in cursor.fetchall() if owners.get(player) == currency), None)


def _bets(cursor: CursorWrapper, account: str, player_id: str, currency: str) -> Iterator[_Bet]:
    held = moved_by_bet(cursor, account)
    cursor.execute(
        "SELECT b.id::text, b.stake, b.is_free_bet, b.occurred_at,"
        " (SELECT max(s.occurred_at) FROM trading_settlement s WHERE s.bet_id = b.id)"
        " FROM trading_bet b WHERE b.player_id = %s AND b.currency = %s",
        [player_id, currency],
    )
    for bet_id, stake, is_free, placed_at, over_at in cursor.fetchall():
        is_moneyless = is_free and bet_id not in held
        in_ledger, moved_at = held.pop(bet_id, (0, placed_at))
        staked = 0 if over_at else stake
        yield _Bet(bet_id, staked, in_ledger, max(placed_at, moved_at, over_at or placed_at), is_moneyless)
    yield from (_Bet(bet_id, 0, left, at) for bet_id, (left, at) in held.items())


def _told(where: str, says: str, stands: dict[str, int], *, has_letters: bool) -> Difference:
    weight = Weight.KNOWN if has_letters else Weight.DIFFERENCE
    return Difference("open_bets", says + MAY_TELL * has_letters, BETS, where=where, postgres=stands, weight=weight)
