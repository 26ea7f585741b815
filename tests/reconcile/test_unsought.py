"""A dead letter that was sent again: its message is not in the log, or nobody can say; without servers."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from django.db.backends.utils import CursorWrapper

from backoffice.reconcile.checks.accounting import Letter
from backoffice.reconcile.checks.replays import check_replays
from backoffice.reconcile.differences import Difference, Unjudged
from backoffice.reconcile.messages.log import Chunk, Log, Said, Slice
from backoffice.streams.store.projection import STREAMS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SENT = NOW - timedelta(hours=1)
LETTER = Letter(7, (5, 1), b"key", b"value", SENT, "It is bad.", "replayed", SENT, "somebody", "mended", None, 5, 5)


class Outbox:
    """What it has of letters: the number, and whether it was discarded."""

    def __init__(self, *rows: tuple[int, bool]) -> None:
        self._rows = rows

    def execute(self, *_: object) -> None:
        pass

    def fetchall(self) -> tuple[tuple[int, bool], ...]:
        return self._rows


class Copies:
    """A log in which nothing of it is told."""

    def __init__(self, *, is_read: bool) -> None:
        self._is_read = is_read

    def told(self, *_: object) -> tuple[set[Said], bool]:
        return set(), self._is_read


def found(
    outbox: Outbox, *, topic: str = "bet-events", is_read: bool = True, is_inexact: bool = False, days: float = 0
) -> list[tuple[type, str]]:
    chunk = Chunk(Slice(STREAMS["trading"], topic, 0, 0, 9, is_new=True), 0, 9)
    now = NOW + timedelta(days=days)
    cursor, log = cast(CursorWrapper, outbox), cast(Log, Copies(is_read=is_read))
    return [
        (type(one), one.where) for one in check_replays(cursor, chunk, {1: LETTER}, now, log, is_inexact=is_inexact)
    ]


@pytest.mark.parametrize(
    ("outbox", "where", "kind"),
    [
        (Outbox(), {}, Difference),
        (Outbox(), {"is_read": False}, Unjudged),
        (Outbox(), {"is_inexact": True}, Unjudged),
        (Outbox((7, True)), {"is_inexact": True}, Difference),
        (Outbox((7, True)), {"topic": "market-prices"}, Difference),
        (Outbox(), {"topic": "market-prices"}, Unjudged),
        (Outbox(), {"topic": "market-prices", "is_inexact": True}, Unjudged),
        (Outbox(), {"topic": "odds-feed", "days": 29}, Difference),
        (Outbox(), {"topic": "odds-feed", "days": 31}, Unjudged),
        (Outbox(), {"topic": "bet-events", "days": 31}, Difference),
    ],
)
def test_a_message_is_missing_where_all_of_the_log_was_looked_at(
    outbox: Outbox, where: dict[str, bool | str], kind: type
) -> None:
    assert found(outbox, **where) == [(kind, "replay")]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outbox", "where"),
    [
        (Outbox((7, False)), {}),
        (Outbox((7, False)), {"is_read": False}),
        (Outbox((7, False)), {"is_inexact": True}),
        (Outbox((7, False)), {"topic": "market-prices"}),
        (Outbox((7, False)), {"topic": "odds-feed", "days": 31}),
    ],
)
def test_nothing_is_said_of_one_that_waits(outbox: Outbox, where: dict[str, bool | str]) -> None:
    assert found(outbox, **where) == []  # type: ignore[arg-type]
