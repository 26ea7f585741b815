"""What must hold of the ledger within Postgres, whatever is left of its log: of rows of a former topic, and of those
from before the log's beginning, nothing else can tell that they were changed."""

from collections.abc import Callable, Iterator, Sequence

from psycopg import sql

from backoffice.reconcile.declared import Heard, Look
from backoffice.reconcile.differences import LISTED, Difference, Found, Weight, beyond

TOPIC = "wallet-transactions"

# Record, which of its ways to be booked, the transfer's number, debit, credit, the transaction's column, and whether
# sports are booked this way, other verticals, or either (None).
Movement = tuple[str, int, int, str, str, str, bool | None]
# Direction, status and rank of the payment that a record tells of.
Payment = tuple[str, str, str, int]


def unlike_its_transfers(look: Look) -> Iterator[Found]:
    """Of a stretch of accounts: what was debited and credited is the sum of the transfers, in each partition."""
    look.cursor.execute(
        sql.SQL(
            "WITH a AS (SELECT id FROM wallet_account WHERE {}),"
            " t AS (SELECT account_id, partition, sum(debits) AS debits, sum(credits) AS credits FROM ("
            "  SELECT a.id AS account_id, source_partition AS partition, amount AS debits, 0 AS credits"
            "   FROM a JOIN wallet_transfer ON debit_account = a.id"
            "  UNION ALL SELECT a.id, source_partition, 0, amount FROM a JOIN wallet_transfer ON credit_account = a.id"
            " ) moved GROUP BY 1, 2),"
            " b AS (SELECT account_id, partition, debits, credits FROM a JOIN wallet_balance ON account_id = a.id)"
            " SELECT account_id::text, partition, b.debits, b.credits, t.debits, t.credits"
            " FROM b FULL JOIN t USING (account_id, partition)"
            " WHERE (b.debits, b.credits) IS DISTINCT FROM (t.debits, t.credits) LIMIT %s"
        ).format(look.condition),
        [*look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    yield from beyond("ledger", rows)
    for account, partition, debits, credits, moved_out, moved_in in rows:
        says = "What the account was debited and credited is not what its transfers come to."
        stands = {"debits": _number(debits), "credits": _number(credits),
                  "transfers": {"debits": _number(moved_out), "credits": _number(moved_in)}}  # fmt: skip
        yield Difference("ledger", says, TOPIC, partition, where=f"account_id={account}", postgres=stands)


def named_otherwise(
    id_of: Callable[[str, str, str], str], players_own: frozenset[str], look: Look
) -> Iterator[Difference]:
    """Of a stretch of accounts: the id of each is made of its kind, whose it is, and its currency."""
    look.cursor.execute(
        sql.SQL("SELECT id::text, kind, player_id::text, subject, currency FROM wallet_account WHERE {}").format(
            look.condition
        ),
        look.bounds,
    )
    for account, kind, player_id, subject, currency in look.cursor.fetchall():
        is_own = kind in players_own
        is_whole = (subject == "" and player_id is not None) if is_own else player_id is None
        if not is_whole or id_of(kind, player_id if is_own else subject, currency) != account:
            says = "The account is not that which its kind, its owner and its currency say."
            stands = {"kind": kind, "currency": currency}
            yield Difference("ledger", says, TOPIC, where=f"account_id={account}", postgres=stands)


def of_no_account(look: Look) -> Iterator[Found]:
    """Balances of a stretch whose account is not there."""
    look.cursor.execute(
        sql.SQL(
            "SELECT DISTINCT account_id::text FROM wallet_balance WHERE {}"
            " AND NOT EXISTS (SELECT 1 FROM wallet_account a WHERE a.id = account_id) LIMIT %s"
        ).format(look.condition),
        [*look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    yield from beyond("ledger", rows)
    for (account,) in rows:
        yield Difference(
            "ledger", "There is a balance, and its account is not there.", TOPIC, where=f"account_id={account}"
        )


def booked_otherwise(movements: Sequence[Movement], players_own: frozenset[str], look: Look) -> Iterator[Found]:
    """Of a stretch of transactions: the transfers of each are what it says, between the accounts that it names."""
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, movement))) for movement in movements
    )
    look.cursor.execute(
        _BOOKED.format(
            stretch=look.condition,
            movements=values,
            debited=_account("d", "m.debit", players_own),
            credited=_account("c", "m.credit", players_own),
        ),
        [*look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    for check in ("ledger", "payments"):
        yield from beyond(check, rows)
    for event_id, record, partition, offset, is_booked, lacking in rows:
        if not is_booked:
            says, where = "The transfers of the transaction are not what it says.", f"event_id={event_id}"
            yield Difference("ledger", says, TOPIC, partition, record, (offset, offset), where)
        if lacking:
            says = "A transaction tells of the payment, which is not there, or is of another player or currency."
            where, stands = f"payment_id={lacking}", {"event_id": event_id}
            yield Difference("payments", says, TOPIC, where=where, postgres=stands)


# A way with its amounts, those of zero left out, is found in the transfers as a whole, or the transaction has none.
_BOOKED = sql.SQL(
    "WITH m (record, way, number, debit, credit, field, of_sports) AS (VALUES {movements})"
    " SELECT * FROM (SELECT x.event_id::text, x.record, x.source_partition, x.source_offset,"
    "  is_same AND known = transfers AND ways <= 1 AND transfers = wanted AS is_booked,"
    "  CASE WHEN NOT EXISTS (SELECT 1 FROM wallet_payment p WHERE p.id = x.payment_id"
    "   AND (p.player_id, p.currency) = (x.player_id, x.currency)) THEN x.payment_id::text END AS lacking"
    " FROM (SELECT * FROM wallet_transaction WHERE {stretch}) x"
    " CROSS JOIN LATERAL (SELECT count(*) AS transfers, count(m.record) AS known, count(DISTINCT m.way) AS ways,"
    "  coalesce(bool_and(coalesce(t.amount = CASE m.field WHEN 'amount' THEN x.amount ELSE x.bonus_amount END"
    "   AND (t.record, t.currency, t.occurred_at, t.source_partition)"
    "    = (x.record, x.currency, x.occurred_at, x.source_partition) AND {debited} AND {credited}, false)), true)"
    "   AS is_same"
    "  FROM wallet_transfer t"
    "  LEFT JOIN m ON m.record = x.record AND m.number = t.number"
    "   AND coalesce(m.of_sports = (x.vertical = 'sports'), true)"
    "  LEFT JOIN wallet_account d ON d.id = t.debit_account"
    "  LEFT JOIN wallet_account c ON c.id = t.credit_account WHERE t.event_id = x.event_id) said"
    " CROSS JOIN LATERAL (SELECT count(DISTINCT (m.field)) AS wanted FROM m WHERE m.record = x.record"
    "  AND CASE m.field WHEN 'amount' THEN x.amount ELSE x.bonus_amount END > 0) says) looked"
    " WHERE NOT is_booked OR lacking IS NOT NULL LIMIT %s"
)


def _account(side: str, kind: str, players_own: frozenset[str]) -> sql.Composable:
    """The SQL of whether an account is of the kind and belongs to whom the transaction names, as far as it does."""
    return sql.SQL(
        "{side}.kind = {kind} AND {side}.currency = x.currency AND CASE WHEN {side}.kind IN ({own})"
        " THEN {side}.player_id = x.player_id AND {side}.subject = ''"
        " ELSE {side}.player_id IS NULL AND {side}.subject = CASE {side}.kind WHEN 'revenue' THEN x.vertical"
        "  WHEN 'clearing' THEN {side}.subject ELSE '' END END"
    ).format(
        side=sql.Identifier(side), kind=sql.SQL(kind), own=sql.SQL(", ").join(map(sql.Literal, sorted(players_own)))
    )


def told_by_none(payments: Sequence[Payment], look: Look) -> Iterator[Found]:
    """Of a stretch of payments: each is what one of its transactions says, and none of them counts for more."""
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, payment))) for payment in payments
    )
    look.cursor.execute(
        sql.SQL(
            "WITH r (record, direction, status, rank) AS (VALUES {})"
            " SELECT p.id::text, p.status, p.amount FROM (SELECT * FROM wallet_payment WHERE {}) p WHERE NOT EXISTS ("
            " SELECT 1 FROM wallet_transaction x JOIN r ON r.record = x.record WHERE x.payment_id = p.id"
            "  AND (r.direction, r.status, r.rank) = (p.direction, p.status, p.status_rank)"
            "  AND (x.player_id, x.brand, x.jurisdiction, x.currency, x.amount)"
            "   = (p.player_id, p.brand, p.jurisdiction, p.currency, p.amount)"
            "  AND p.status_at = CASE WHEN extract(epoch FROM p.status_logged_at) > 0"
            "   THEN least(x.occurred_at, p.status_logged_at) ELSE x.occurred_at END)"
            " OR EXISTS (SELECT 1 FROM wallet_transaction x JOIN r ON r.record = x.record"
            "  WHERE x.payment_id = p.id AND r.rank > p.status_rank) LIMIT %s"
        ).format(values, look.condition),
        [*look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    yield from beyond("payments", rows)
    for payment, status, amount in rows:
        says = "None of its transactions says of the payment what it is, or one that counts for more says otherwise."
        yield Difference(
            "payments", says, TOPIC, where=f"payment_id={payment}", postgres={"status": status, "amount": int(amount)}
        )


# Before it: what was stored earlier, or may come from a former log or another partition.
_ENDED_OTHERWISE = """
SELECT * FROM (
 SELECT h.source_offset, h.record, h.payment_id::text, h.event_id::text, h.player_id::text, h.currency, h.amount,
  o.ended, o.begun,
  cardinality(o.ended) >= greatest(o.beginnings, 1)
   OR h.record = ANY(o.records) AND h.record IN ('DepositCompleted', 'WithdrawalPaid') AS is_again,
  o.begun IS NOT NULL AND NOT o.is_as_begun AS is_otherwise
 FROM unnest(%s::bigint[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::bigint[])
  AS h (source_offset, record, payment_id, event_id, player_id, currency, amount)
 CROSS JOIN LATERAL (SELECT
   coalesce(array_agg(place) FILTER (WHERE is_end AND is_before), '{}') AS ended,
   coalesce(array_agg(record) FILTER (WHERE is_end AND is_before), '{}') AS records,
   count(*) FILTER (WHERE is_beginning) AS beginnings,
   array_agg(concat(place, ': ', amount, ' ', currency, ' of ', player_id)) FILTER (WHERE is_beginning) AS begun,
   bool_or((player_id, currency, amount) = (h.player_id, h.currency, h.amount)) FILTER (WHERE is_beginning)
    AS is_as_begun
  FROM (SELECT *, record IN ('DepositInitiated', 'WithdrawalRequested') AS is_beginning,
    record IN ('DepositCompleted', 'WithdrawalPaid', 'WithdrawalReversed', 'WithdrawalDeclined')
     AND event_id <> h.event_id AS is_end,
    source_partition <> %s OR source_offset < greatest(h.source_offset, %s) AS is_before,
    concat(record, ' ', event_id, ' at ', %s::text, '[', source_partition, ']@', source_offset) AS place
   FROM wallet_transaction WHERE payment_id = h.payment_id) x) o
) looked WHERE is_again OR is_otherwise ORDER BY source_offset
"""
# What moves the money of a payment for good, out of the withdrawals that are pending.
ENDS = ("DepositCompleted", "WithdrawalPaid", "WithdrawalReversed", "WithdrawalDeclined")
AGAIN = "It moves the money of the payment once more: another one has done so before."
OTHERWISE = "Its player, currency or amount are not those with which the payment began."


def ended_otherwise(heard: Heard) -> Iterator[Difference]:
    """What ends a payment does it once, or as often as it was requested, with what the payment began with."""
    rows = [
        (offset, record, *[event[name] for name in ("payment_id", "event_id", "player_id", "currency", "amount")])
        for record, events in heard.events.items()
        for offset, event in zip(events.offsets, events.bodies, strict=True)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    heard.cursor.execute(_ENDED_OTHERWISE, [*columns, heard.partition, heard.former_until, TOPIC])
    for (
        offset,
        record,
        payment_id,
        event_id,
        player_id,
        currency,
        amount,
        ended,
        begun,
        *faults,
    ) in heard.cursor.fetchall():
        says = " ".join(text for text, is_so in zip((AGAIN, OTHERWISE), faults, strict=True) if is_so)
        told = {"event_id": event_id, "player_id": player_id, "currency": currency, "amount": amount}
        yield Difference(
            "payments_told", says, TOPIC, heard.partition, record, (offset, offset), f"payment_id={payment_id}", told,
            {"began": begun, "ended before": ended}, Weight.WARNING,
        )  # fmt: skip


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
