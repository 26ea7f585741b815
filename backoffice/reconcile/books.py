"""The tables in which a reconciliation keeps what it expects: of the runs by the clock, or of one over everything."""

from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from .models import (
    BalanceTally,
    Checked,
    CheckedPlace,
    FullBalanceTally,
    FullChecked,
    FullStateTally,
    FullWalk,
    FullWindowTally,
    StateTally,
    Walk,
    WalkedTable,
    WindowTally,
)


@dataclass(frozen=True)
class Books:
    checked: type[CheckedPlace]
    walks: type[WalkedTable]
    windows: str
    balances: str
    states: str

    def tables(self) -> list[str]:
        return [self.checked._meta.db_table, self.walks._meta.db_table, self.windows, self.balances, self.states]

    def empty(self, cursor: CursorWrapper) -> None:
        """Forget all; what is read from here on is read from the beginning."""
        cursor.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, self.tables()))))


BY_THE_CLOCK = Books(
    Checked, Walk, WindowTally._meta.db_table, BalanceTally._meta.db_table, StateTally._meta.db_table
)  # fmt: skip
OF_EVERYTHING = Books(
    FullChecked, FullWalk, FullWindowTally._meta.db_table, FullBalanceTally._meta.db_table,
    FullStateTally._meta.db_table,
)  # fmt: skip
