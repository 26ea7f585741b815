"""A migration that cannot get its lock is undone and said; nobody queues up behind it."""

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from backoffice.streams.management.commands import migrate


def columns() -> set[str]:
    with connection.cursor() as cursor:
        return {column.name for column in connection.introspection.get_table_description(cursor, "trading_market")}


def test_a_lock_that_somebody_holds_is_waited_for_briefly(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    before = columns()
    url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{database}"
    with psycopg.connect(url) as reading:
        reading.execute("SELECT count(*) FROM trading_market")
        with pytest.raises(CommandError, match=r"lock timeout.* Wait for it, then try again\."):
            call_command("migrate", "trading", "0017", verbosity=0)
        assert columns() == before

    call_command("migrate", "trading", "0017", verbosity=0)

    assert before - columns() == {"version_appended_at"}
    call_command("migrate", verbosity=0)
    assert columns() == before
