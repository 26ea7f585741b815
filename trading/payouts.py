"""Whether the ledger has paid of each bet what its last step says, to its player: bet by bet, by both apps' tables."""

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from backoffice.reconcile.declared import Look
from backoffice.reconcile.differences import LISTED, Difference, Found, Unjudged, Weight, beyond
from wallet.reconciled import OF_MONEY

from .letters import BETS, MAY_TELL, OF_BETS, TRANSACTIONS, UNDER_WAY, Letters, told_by_all

CHECK = "payouts"
TAKEN = "The stake that the ledger took for this bet is not its stake."
PAID = "What the ledger paid for this bet is not the payout of its last step."
ASTRAY = "The ledger moved money for this bet that was another player's, of another currency or not of sports."
UNPLACED = "The ledger moved money for a bet that nobody has placed."

# Of a free bet of which the ledger took no stake none goes back when the bet is void.
_OTHERWISE = sql.SQL(
    "SELECT * FROM (SELECT b.id::text, b.player_id::text, b.stake, b.source_partition, b.source_offset,"
    "  s.record, s.settlement_no, s.source_partition, s.source_offset,"
    "  CASE WHEN s.record = 'BetVoided' AND b.is_free_bet AND m.takings = 0 THEN 0 ELSE coalesce(s.payout, 0) END"
    "   AS payout, m.taken, m.paid, m.astray,"
    "  m.taken <> b.stake AND NOT (b.is_free_bet AND m.takings = 0) AS is_otherwise_taken,"
    "  coalesce(greatest(b.occurred_at, s.occurred_at, m.moved_at) < %s, false) AS is_told"
    " FROM (SELECT * FROM trading_bet WHERE {stretch}) b"
    " LEFT JOIN LATERAL (SELECT * FROM trading_settlement s WHERE s.bet_id = b.id"
    "  ORDER BY s.settlement_no DESC, s.source_offset DESC LIMIT 1) s ON true"
    " CROSS JOIN LATERAL (SELECT"
    "  coalesce(sum(moved) FILTER (WHERE is_mine AND record = 'StakeTaken'), 0) AS taken,"
    "  count(*) FILTER (WHERE is_mine AND record = 'StakeTaken') AS takings,"
    "  coalesce(sum(CASE WHEN record = 'WinningsReversed' THEN -moved ELSE moved END)"
    "   FILTER (WHERE is_mine AND record IN ('WinningsPaid', 'WinningsReversed', 'StakeRefunded')), 0) AS paid,"
    "  array_agg(concat(record, ' ', event_id, ' at ', {topic}, '[', source_partition, ']@', source_offset))"
    "   FILTER (WHERE NOT is_mine) AS astray, max(occurred_at) AS moved_at"
    "  FROM (SELECT *, amount + coalesce(bonus_amount, 0) AS moved,"
    "    (player_id, currency, vertical) = (b.player_id, b.currency, 'sports') AS is_mine"
    "   FROM wallet_transaction WHERE bet_id = b.id) x) m) looked"
    " WHERE is_otherwise_taken OR paid <> payout OR astray IS NOT NULL ORDER BY is_told DESC LIMIT %s"
)


def paid_otherwise(look: Look) -> Iterator[Found]:
    """Of a stretch of bets: the ledger took the stake and paid the payout of the last step, all of it as the bet's.

    A bet of which one topic may not have told all yet is left to a later look; what a dead letter may tell is known.
    """
    until = told_by_all(look.told_until, [OF_BETS, OF_MONEY])
    query = _OTHERWISE.format(stretch=look.condition, topic=sql.Literal(TRANSACTIONS))
    look.cursor.execute(query, [until, *look.bounds, LISTED + 1])
    rows = look.cursor.fetchall()
    yield from beyond(CHECK, rows)
    for (
        bet_id,
        player_id,
        stake,
        placed_partition,
        placed,
        *step,
        payout,
        taken,
        paid,
        astray,
        is_otherwise,
        is_told,
    ) in rows:
        faults = ((TAKEN, is_otherwise), (PAID, paid != payout), (ASTRAY, astray))
        # No message that is missing moves money of others, or takes more than the stake.
        may_lack = not astray and (not is_otherwise or taken < stake)
        has_letters = is_told and may_lack and Letters(look.cursor, player_id, until).may_tell_of(bet_id)
        said = {"stake": stake, "placed": f"{BETS}[{placed_partition}]@{placed}", "payout": payout, **_last(*step)}
        moved = {"taken": int(taken), "paid": int(paid)} | ({"of others": astray} if astray else {})
        says = " ".join(text for text, is_so in faults if is_so)
        found = _told(f"bet_id={bet_id}", says, said, moved, has_letters=has_letters)
        yield found if is_told else Unjudged.of(found, UNDER_WAY)


def _last(record: str | None, number: int, partition: int, offset: int) -> dict[str, Any]:
    return {"last step": f"{record} {number} at {BETS}[{partition}]@{offset}"} if record else {}


def moved_for_none(look: Look) -> Iterator[Found]:
    """Of a stretch of transactions: a bet that one names was placed."""
    until = told_by_all(look.told_until, [OF_BETS, OF_MONEY])
    look.cursor.execute(
        sql.SQL(
            "SELECT x.bet_id::text, x.player_id::text, x.record, x.event_id::text, x.source_partition, x.source_offset,"
            "  x.amount + coalesce(x.bonus_amount, 0),"
            "  coalesce(x.occurred_at < %s, false) AS is_told FROM (SELECT * FROM wallet_transaction WHERE {}) x"
            " WHERE x.bet_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM trading_bet b WHERE b.id = x.bet_id)"
            " ORDER BY is_told DESC LIMIT %s"
        ).format(look.condition),
        [until, *look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    yield from beyond(CHECK, rows)
    for bet_id, player_id, record, event_id, partition, offset, amount, is_told in rows:
        has_letters = is_told and Letters(look.cursor, player_id, until).may_tell_of(bet_id)
        moved = {record: int(amount), "event_id": event_id, "at": f"{TRANSACTIONS}[{partition}]@{offset}"}
        found = _told(f"bet_id={bet_id}", UNPLACED, None, moved, has_letters=has_letters)
        yield found if is_told else Unjudged.of(found, UNDER_WAY)


def _told(where: str, says: str, bets: Any, ledger: Any, *, has_letters: bool) -> Difference:
    weight = Weight.KNOWN if has_letters else Weight.WARNING
    stands = {"bet": bets, "ledger": ledger}
    return Difference(CHECK, says + MAY_TELL * has_letters, BETS, where=where, postgres=stands, weight=weight)
