"""How the database holds and sorts text: as UTF-8 and by code points, as Python, Arrow and reconciliation do.

Which of two states of one moment is kept, which of two texts is the greater: a database that sorts as a language does
says otherwise than a rebuild from the log and `manage.py reconcile`, for ever.
"""

from typing import Any

import psycopg
from django.db import connection as default

from backoffice.kernel.errors import Retryable

ENCODING = "UTF8"

# What languages put in another order, or take for the same: letters of both cases and with marks, punctuation within
# words, control characters, letters that count as two, scripts, and those that UTF-16 sorts otherwise.
_ASCII = [chr(number) for number in range(1, 0x80)]
_OTHERS = (
    "\u00a0\u00c0\u00df\u00e9\u0131\u017f\u03a9\u03c3\u0410\u05d0\u0621\u0905\u0e40\u1100\u2160\u3042\u30a2\u4e00"
    "\uac00\ufb01\uff21\uff71\ufffd\U00010400\U0001d400\U0001f600"
)
_WORDS = ("", "ab", "aB", "Ab", "AB", "aa", "ch", "cz", "ll", "ss", "bet-uk", "bet.com", "10", "e\u0301", "e\u0301a")
TEXTS = sorted({*_ASCII, *_OTHERS, *_WORDS, *(f"a{each}b" for each in _ASCII)})

# Each has to be greater than the one before it: then none of them are the same to it, and their order is ours. Of those
# that are not, two that a person can read.
_ORDER = """
    SELECT before, text FROM (
        SELECT place, text, lag(text) OVER (ORDER BY place) AS before
        FROM unnest(%s::text[]) WITH ORDINALITY AS each (text, place)
    ) AS pairs WHERE NOT text > before ORDER BY (before || text) ~ '^[A-Za-z.-]+$' DESC, place LIMIT 1
"""
# Until Postgres 16 the locale of ICU stands in a column of another name.
_COLLATION = """
    SELECT coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate)
    FROM pg_database d WHERE datname = current_database()
"""


class Unfit(Retryable):
    """The database answers, and nothing may be stored in it."""


def must_be_fit(connection: psycopg.Connection[Any]) -> None:
    """Raises Unfit, with the way on, where the database holds or sorts text otherwise than we do."""
    if why := unfit(connection):
        raise Unfit(why)


def unfit(connection: psycopg.Connection[Any]) -> str:
    """What is wrong with how this session's database holds and sorts text, and the way on; empty where all is well.

    It is judged by what it does with some texts, for a name of a collation says little. Raises psycopg.Error.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        return _told(connection, f"server_encoding is {encoding}", "names cannot be stored as they are written")
    pair = connection.execute(_ORDER, [TEXTS]).fetchone()
    if pair is None:
        return ""
    (collation,) = connection.execute(_COLLATION).fetchone() or ("?",)
    return _told(
        connection,
        f"it sorts text by {collation}, not by code points ({pair[1]!r} does not come behind {pair[0]!r})",
        "of two messages of one moment it would keep another one than a rebuild and reconciliation find",
    )


def unfit_here() -> str:
    """The same of the default database, in Django's session of this thread. Raises django.db.Error."""
    default.ensure_connection()
    with default.wrap_database_errors:
        return unfit(default.connection)


def must_be_fit_here() -> None:
    """Raises Unfit as `must_be_fit` does, and django.db.Error."""
    if why := unfit_here():
        raise Unfit(why)


def _told(connection: psycopg.Connection[Any], what: str, otherwise: str) -> str:
    name = connection.info.dbname
    row = connection.execute("SELECT format('%%I', %s || '_by_code_points')", [name]).fetchone()
    return (
        f"Database {name} will not do, {what}: {otherwise}. Make another one: CREATE DATABASE {row[0] if row else name}"
        " TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'; name it in"
        " DATABASE_URL. What this one holds goes there by pg_dump and pg_restore."
    )
