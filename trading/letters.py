"""What may be missing of a bet and is no fault yet: messages under way, and those among the dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from backoffice.reconcile.declared import Source, ToldUntil

BETS, TRANSACTIONS = "bet-events", "wallet-transactions"
OF_BETS = ("trading", BETS)
UNDER_WAY = "not all that it goes by need have come"
MAY_TELL = " There are dead letters of this player, which may tell why."


def told_by_all(told_until: ToldUntil, sources: Sequence[Source]) -> datetime | None:
    """Up to when all of these have told of one thing, however far apart; None where one has not begun."""
    until = [told_until(*source) for source in sources]
    if None in until:
        return None
    return min(at for at in until if at is not None) - timedelta(seconds=settings.RECONCILE["topics_apart"])


@dataclass(frozen=True)
class Letters:
    """The dead letters of a player whose messages may be what the tables lack, where all have told up to ``until``.

    Any that is open; one that was sent again, until that must have come; and one that was discarded, for the bet that
    it names: what a person gave up of one bet excuses no other.
    """

    cursor: CursorWrapper
    player_id: str
    until: datetime | None
    topics: tuple[str, ...] = (BETS, TRANSACTIONS)

    def may_tell_of(self, bet_id: str) -> bool:
        self.cursor.execute(
            # A producer may write ids in capitals; in a bad message they are letters among others.
            "SELECT EXISTS (SELECT 1 FROM streams_deadletter WHERE topic = ANY(%s)"
            " AND lower(encode(key, 'escape')) = %s AND CASE state"
            " WHEN 'open' THEN true"
            " WHEN 'replayed' THEN resolved_at > %s"
            " ELSE coalesce(position(%s IN lower(encode(value, 'escape'))) > 0, false) END)",
            [list(self.topics), self.player_id, self.until, bet_id],
        )
        return bool(self.cursor.fetchone()[0])
