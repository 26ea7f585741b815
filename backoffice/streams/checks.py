"""``manage.py check --deploy``: what Postgres and the folder of the metrics lack for real use, a sentence each.

And what `migrate` asks before it makes any table.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection

from backoffice import metric_files

from .collation import unfit_here


@dataclass(frozen=True)
class Demand:
    """A setting of the server as new sessions get it, whether it will do, and what happens where it does not."""

    setting: str
    holds: Callable[[str], bool]
    otherwise: str
    grave: bool = True


def _least(setting: str) -> Callable[[str], bool]:
    return lambda value: int(value) >= settings.POSTGRES_LEAST[setting]


def _is(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


DEMANDS = (
    Demand("server_version_num", _least("server_version_num"), "Pitboss is tried with 18; update it", grave=False),
    Demand(
        "max_locks_per_transaction", _least("max_locks_per_transaction"),
        "one transaction may touch every partition of a large table and is refused with fewer; raise it and restart",
    ),
    Demand(
        "max_connections", _least("max_connections"),
        "workers, web and commands hold one for each of their threads; raise it and restart", grave=False,
    ),
    Demand("fsync", _is("on"), "a power cut destroys the database; switch it on"),
    Demand("full_page_writes", _is("on"), "a power cut tears pages; switch it on"),
    Demand(
        "synchronous_commit", _is("on", "local", "remote_write", "remote_apply"),
        "a crash takes back what was acknowledged, and the outbox has told it to others already; switch it on",
    ),
    Demand("autovacuum", _is("on"), "tables grow without end; switch it on"),
    Demand(
        "default_transaction_isolation", _is("read committed"),
        "streams would fail over one another's offsets; unset it for this role and database",
    ),
    Demand("default_transaction_read_only", _is("off"), "nothing can be stored; name the primary server"),
    Demand("statement_timeout", _is("0"), "a rebuild takes hours and would be cut off; unset it", grave=False),
    Demand(
        "TimeZone", _is("UTC", "Etc/UTC", "GMT"),
        "Pitboss' own sessions are in UTC, but others who look see other times and days; set it to UTC", grave=False,
    ),
)  # fmt: skip
_RIGHTS = """
SELECT current_user, current_setting('is_superuser') = 'on', pg_is_in_recovery(),
       has_schema_privilege('public', 'CREATE'), has_database_privilege(current_database(), 'TEMP'),
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
"""
_STRANGE = """
SELECT relname, pg_get_userbyid(relowner) FROM pg_class
WHERE relname = ANY(%s) AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')
ORDER BY relname
"""


@register(Tags.database)
def texts(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """How the database holds and sorts text; asked by `migrate`, and by `check --database default`.

    Raises django.db.Error where it does not answer, which whoever asks tells in words of their own.
    """
    return [*_texts()] if DEFAULT_DB_ALIAS in (databases or ()) else []


@register("postgres", deploy=True)
def postgres(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """What the server lacks, and what our role may not do there."""
    try:
        told_beside = DEFAULT_DB_ALIAS in (databases or ())
        return [*(() if told_beside else _texts()), *_settings(), *_rights(), *_ownership()]
    except DatabaseError as error:
        return [
            Error(f"PostgreSQL does not answer: {error}", hint="start it or correct DATABASE_URL", id="pitboss.E001")
        ]


@register("metrics", deploy=True)
def metrics(**_: Any) -> list[CheckMessage]:
    """Whether processes can share their metrics where the settings say."""
    folder = settings.METRICS_FOLDER
    lack = "" if folder is None else metric_files.lacks(folder, metric_files.FOR_ALL)
    return [Warning(f"{lack[0].upper()}{lack[1:]}.", id="pitboss.W005")] if lack else []


def _texts() -> Iterator[CheckMessage]:
    if why := unfit_here():
        yield Error(why, id="pitboss.E005")


def _settings() -> Iterator[CheckMessage]:
    # What a session starts with, whatever Django set in it since.
    rows = dict(_rows("SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)", [[d.setting for d in DEMANDS]]))
    for demand in DEMANDS:
        value = str(rows[demand.setting])
        if not demand.holds(value):
            said = f"{demand.setting} is {value}: {demand.otherwise}."
            yield Error(said, id="pitboss.E002") if demand.grave else Warning(said, id="pitboss.W002")


def _rights() -> Iterator[CheckMessage]:
    [(user, superuser, standby, creates, temporary, role_limit, database_limit)] = _rows(_RIGHTS)
    if standby:
        yield Error("The server is a standby: nothing can be stored; name the primary server.", id="pitboss.E003")
    if superuser:
        yield Warning(
            f"Role {user} is a superuser: it could change what is to be immutable; take a role without.",
            id="pitboss.W003",
        )
    if not creates:
        yield Error(
            f"Role {user} may not make tables: migrations, new months and rebuilds fail;"
            f" GRANT CREATE ON SCHEMA public TO {user}.",
            id="pitboss.E003",
        )
    if not temporary:
        yield Error(
            f"Role {user} may not make temporary tables: streams cannot store; GRANT TEMP ON DATABASE to it.",
            id="pitboss.E003",
        )
    least = settings.POSTGRES_LEAST["max_connections"]
    for limit, whose in ((role_limit, f"Role {user}"), (database_limit, "The database")):
        if 0 <= limit < least:
            yield Warning(f"{whose} may have {limit} connections at once; allow {least}.", id="pitboss.W003")


def _ownership() -> Iterator[CheckMessage]:
    tables = [model._meta.db_table for model in apps.get_models(include_auto_created=True)]
    for table, owner in _rows(_STRANGE, [tables]):
        yield Error(
            f"Table {table} belongs to {owner}: partitions and rebuilds of it fail; let our role own it, or be a"
            f" member of {owner}.",
            id="pitboss.E004",
        )


def _rows(query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
