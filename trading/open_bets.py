"""Why a player's account of open bets is not the sum of the stakes: bet by bet, by what stands in both apps' tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from backoffice.reconcile.declared import Look
from backoffice.reconcile.differences import Difference, Weight
from wallet.reconciled import moved_by_bet, owners_of

BETS, TRANSACTIONS = "bet-events", "wallet-transactions"
OF_A_BET = "What the ledger holds for this bet is not its stake while it is open, and nothing once it is over."
OF_THE_ACCOUNT = "The balance of open bets is not what the transfers to and from it come to."
LETTERS = " There are dead letters of this player, which may tell why."


@dataclass(frozen=True)
class _Bet:
    """What a bet has at stake and what the ledger holds for it, and when either was last told."""

    bet_id: str
    staked: int
    held: int
    told_at: datetime


def explained(look: Look, account: str, difference: int) -> Iterator[Difference]:
    """``difference`` is what the account holds beyond the stakes, in minor units.

    A bet of which one topic may not have told yet is left to a later look; where dead letters of the player may be what
    is missing, it is known already.
    """
    player = _player(look.cursor, account)
    if player is None:
        return
    until = [look.told_until(topic) for topic in (BETS, TRANSACTIONS)]
    letters = _Letters(look.cursor, player[0], min((at for at in until if at is not None), default=None))
    for bet in _differing(look.cursor, account, *player):
        difference -= bet.held - bet.staked
        if _both_have_told(bet.told_at, until):
            stands = {"staked": bet.staked, "held": bet.held}
            yield _told(f"bet_id={bet.bet_id}", OF_A_BET, stands, letters.may_tell_of(bet.bet_id))
    if difference:
        stands = {"held beyond the stakes": difference}
        yield _told(f"account_id={account}", OF_THE_ACCOUNT, stands, letters.may_tell_of(None))


def _both_have_told(at: datetime, until: list[datetime | None]) -> bool:
    apart = timedelta(seconds=settings.RECONCILE["topics_apart"])
    return all(told is not None and at + apart < told for told in until)


def _player(cursor: CursorWrapper, account: str) -> tuple[str, str] | None:
    """The player and the currency of an account of open bets, whichever topic knows it."""
    owners = owners_of(account, "open_bets")
    cursor.execute(
        "SELECT player_id::text, currency FROM trading_bet WHERE player_id = ANY(%s::uuid[])"
        " UNION SELECT player_id::text, currency FROM wallet_account WHERE id = %s",
        [list(owners), account],
    )
    return next(((player, currency) for player, currency in cursor.fetchall() if owners.get(player) == currency), None)


def _differing(cursor: CursorWrapper, account: str, player_id: str, currency: str) -> Iterator[_Bet]:
    held = moved_by_bet(cursor, account)
    cursor.execute(
        "SELECT b.id::text, b.stake, b.occurred_at,"
        " (SELECT max(s.occurred_at) FROM trading_settlement s WHERE s.bet_id = b.id)"
        " FROM trading_bet b WHERE b.player_id = %s AND b.currency = %s",
        [player_id, currency],
    )
    for bet_id, stake, placed_at, over_at in cursor.fetchall():
        in_ledger, moved_at = held.pop(bet_id, (0, placed_at))
        staked = 0 if over_at else stake
        if staked != in_ledger:
            yield _Bet(bet_id, staked, in_ledger, max(placed_at, moved_at, over_at or placed_at))
    yield from (_Bet(bet_id, 0, left, at) for bet_id, (left, at) in held.items() if left)


@dataclass(frozen=True)
class _Letters:
    """The dead letters of a player whose messages may be what the tables lack, where all is stored up to ``until``.

    Any that is open; one that was sent again, until that must have come; and one that was discarded, for the bet that
    it names: what a person gave up of one bet excuses no other.
    """

    cursor: CursorWrapper
    player_id: str
    until: datetime | None

    def may_tell_of(self, bet_id: str | None) -> bool:
        apart = timedelta(seconds=settings.RECONCILE["topics_apart"])
        self.cursor.execute(
            # A producer may write ids in capitals; in a bad message they are letters among others.
            "SELECT EXISTS (SELECT 1 FROM streams_deadletter WHERE topic = ANY(%s)"
            " AND lower(encode(key, 'escape')) = %s AND CASE state"
            " WHEN 'open' THEN true"
            " WHEN 'replayed' THEN resolved_at > %s"
            " ELSE coalesce(position(%s IN lower(encode(value, 'escape'))) > 0, false) END)",
            [[BETS, TRANSACTIONS], self.player_id, self.until and self.until - apart, bet_id],
        )  # fmt: skip
        return bool(self.cursor.fetchone()[0])


def _told(where: str, says: str, stands: dict[str, int], has_letters: bool) -> Difference:
    weight = Weight.KNOWN if has_letters else Weight.DIFFERENCE
    return Difference("open_bets", says + LETTERS * has_letters, BETS, where=where, postgres=stands, weight=weight)
