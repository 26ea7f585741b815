"""What must hold of the tables of trading within Postgres."""

from collections.abc import Iterator

from psycopg import sql

from backoffice.reconcile.declared import Look
from backoffice.reconcile.differences import LISTED, Difference, Found, beyond

CHECK = "statuses"


def broken_sequences(look: Look) -> Iterator[Found]:
    """Of a stretch of changes of status, by market: each is another status, and the last is that of the market.

    Old ones are purged from the first on. None is newer than its market, which is stored after them in one transaction.
    Those that were stored too late tell of what was in between, and are no part of that.
    """
    look.cursor.execute(
        sql.SQL(
            "SELECT c.market_id, c.version, c.status, m.status FROM (SELECT *,"
            "  lag(status) OVER w AS before, lead(status) OVER w IS NULL AS is_last"
            "  FROM trading_statuschange WHERE {}"
            "  WINDOW w AS (PARTITION BY market_id, is_late ORDER BY version, version_logged_at, version_offset)) c"
            " LEFT JOIN trading_market m ON m.id = c.market_id WHERE m.id IS NULL"
            "  OR NOT c.is_late AND (c.before = c.status OR c.is_last AND c.status <> m.status)"
            "  OR (c.version, c.version_logged_at, c.version_offset)"
            "   > (m.version, m.version_logged_at, m.version_offset) LIMIT %s"
        ).format(look.condition),
        [*look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    yield from beyond(CHECK, rows)
    for market, version, status, now in rows:
        says = "Its changes of status do not lead to the status that the market has; one is missing or was changed."
        stands = {"version": int(version), "status": status, "market": now}
        yield Difference(CHECK, says, "odds-feed", where=f"trading_statuschange market_id={market}", postgres=stands)


def without_source(look: Look) -> Iterator[Found]:
    """Of a stretch of changes of status: only such do not tell where they come from as are older than all that do."""
    look.cursor.execute(
        sql.SQL(
            "SELECT market_id, version, status FROM trading_statuschange WHERE {}"
            " AND num_nulls(source_generation, source_partition, source_offset) > 0 AND id > ANY"
            "  (SELECT id FROM trading_statuschange WHERE source_offset IS NOT NULL ORDER BY id LIMIT 1) LIMIT %s"
        ).format(look.condition),
        [*look.bounds, LISTED + 1],
    )
    rows = look.cursor.fetchall()
    yield from beyond(CHECK, rows)
    for market, version, status in rows:
        says = "The row does not tell where it comes from, though older ones do; it was changed after it was stored."
        stands = {"version": int(version), "status": status}
        yield Difference(CHECK, says, "odds-feed", where=f"trading_statuschange market_id={market}", postgres=stands)
