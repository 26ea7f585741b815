"""What must hold of the tables of trading within Postgres."""

from collections.abc import Iterator

from psycopg import sql

from backoffice.reconcile.declared import Look
from backoffice.reconcile.differences import LISTED, Difference


def broken_sequences(look: Look) -> Iterator[Difference]:
    """Of a stretch of changes of status, by market: each is another status, and the last is that of the market.

    Old ones are purged from the first on. None is newer than its market, which is stored after them in one transaction.
    """
    look.cursor.execute(
        sql.SQL(
            "SELECT c.market_id, c.version, c.status, m.status FROM (SELECT *,"
            "  lag(status) OVER w AS before, lead(status) OVER w IS NULL AS is_last"
            "  FROM trading_statuschange WHERE {}"
            "  WINDOW w AS (PARTITION BY market_id ORDER BY version, version_logged_at, version_offset)) c"
            " LEFT JOIN trading_market m ON m.id = c.market_id WHERE m.id IS NULL OR c.before = c.status"
            "  OR (c.version, c.version_logged_at, c.version_offset)"
            "   > (m.version, m.version_logged_at, m.version_offset)"
            "  OR c.is_last AND c.status <> m.status LIMIT %s"
        ).format(look.condition),
        [*look.bounds, LISTED],
    )
    for market, version, status, now in look.cursor.fetchall():
        says = "Its changes of status do not lead to the status that the market has; one is missing or was changed."
        stands = {"version": int(version), "status": status, "market": now}
        yield Difference(
            "statuses", says, "odds-feed", where=f"trading_statuschange market_id={market}", postgres=stands
        )
