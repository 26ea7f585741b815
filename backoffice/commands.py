"""The base of every command: what a person can do something about is one sentence with the next step, no traceback.

``--traceback`` shows all the same where it comes from.
"""

import errno
import json
from pathlib import Path
from typing import Any

import django.db
import psycopg
from confluent_kafka import KafkaError, KafkaException
from django.core.management.base import BaseCommand, CommandError

from backoffice.kernel.errors import Rejected, Retryable

# As a shell tells of a command that was interrupted.
INTERRUPTED = 130

_KAFKA = "Start it, or correct KAFKA_BOOTSTRAP_SERVERS and the other settings of Kafka."
_KAFKA_RIGHTS = "Allow that to the user that the settings of Kafka name."
_KAFKA_LEADER = "Kafka runs; start the brokers that have copies of that partition, then try again."
_AWAY = "Start it, or correct DATABASE_URL."
_ADDRESS = "Correct DATABASE_URL, or give Postgres what it names."
_CONNECTIONS = "It runs; end some of its connections or raise max_connections, then try again."
_AGAIN = "Wait for it, then try again."
_MIGRATE = "Its tables are not those of this version: run `manage.py migrate`."
_PRIMARY = "It takes no writes; let DATABASE_URL name the server that does."
_SILENT = "This process said nothing for DATABASE_SILENT_SECONDS; what it had not finished is undone: run it again."
_RIGHTS = "Give the user of DATABASE_URL that right."
_LOOK = "Look at Postgres; --traceback shows what was asked of it."

# By SQLSTATE, whole or its class.
_BY_CODE = {
    "25006": _PRIMARY, "25P03": _SILENT, "42501": _RIGHTS, "42P01": _MIGRATE, "42703": _MIGRATE, "53300": _CONNECTIONS,
    "57P05": _SILENT, "40": _AGAIN, "55": _AGAIN, "57": _AGAIN,
}  # fmt: skip
# Who is refused at the door gets words and no code.
_BY_WORDS = {
    "too many": _CONNECTIONS, "connection slots": _CONNECTIONS, "does not exist": _ADDRESS, "authentication": _ADDRESS,
    "pg_hba": _ADDRESS, "starting up": _AGAIN, "shutting down": _AGAIN, "not yet accepting": _AGAIN,
}  # fmt: skip

# What Kafka says while it answers, so that its address is right.
_BY_KAFKA_CODE = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _KAFKA_RIGHTS,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _KAFKA_RIGHTS,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _KAFKA_RIGHTS,
    KafkaError.LEADER_NOT_AVAILABLE: _KAFKA_LEADER,
    KafkaError.NOT_LEADER_FOR_PARTITION: _KAFKA_LEADER,
}

_FULL = "Make room on that disk, then try again."
_BY_ERRNO = {
    errno.EPIPE: "Whoever read what it says has gone; what it had done by then stays done.",
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL,
    errno.EMFILE: "Raise the number of files that it may open (ulimit -n), then try again.",
}  # fmt: skip

_POSTGRES = (django.db.Error, psycopg.Error)
_TOLD = (Rejected, Retryable, KafkaException, OSError, *_POSTGRES)


class OperatorCommand(BaseCommand):
    """``failed`` is the exit code of an error that is told in a sentence."""

    failed = 1

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted; what it said is done stays done, the rest is as it was.", returncode=INTERRUPTED
            ) from None
        except _TOLD as error:
            raise CommandError(sentence(error), returncode=self.failed) from error


def sentence(error: BaseException) -> str:
    """What happened, in the words of whoever refused, and what to do about it; on one line where it is no list."""
    cause = error.__cause__
    match error:
        case Retryable() if isinstance(cause, _POSTGRES):
            return _of_postgres(cause)
        case Retryable() if isinstance(cause, (KafkaException, TimeoutError)):
            return _with(str(error), "" if "KAFKA_BOOTSTRAP_SERVERS" in str(error) else _kafka_step(cause))
        case KafkaException():
            return _with(f"Kafka says: {_of_kafka(error)}", _kafka_step(error))
        case django.db.Error() | psycopg.Error():
            return _of_postgres(error)
        case OSError():
            return _of_the_system(error)
        case _:
            return str(error)


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        Rejected: it is none.
        OSError: it cannot be read.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise Rejected(f"{file} is no JSON: {error}. Correct it and try again.") from error
    if not isinstance(found, dict):
        raise Rejected(f"{file} holds no JSON object ({{…}}); correct it and try again.")
    return found


def _of_the_system(error: OSError) -> str:
    if step := _BY_ERRNO.get(error.errno or 0):
        return f"The system says: {error}. {step}"
    if error.filename is None:
        return f"The system says: {error}. Put that right, then try again."
    return f"{error.filename} cannot be used: {error.strerror}. Name a file that can."


def _of_postgres(error: BaseException) -> str:
    said, code = " ".join(str(error).split()), _code(error)
    if code:
        return _with(f"Postgres says: {said}", _BY_CODE.get(code) or _BY_CODE.get(code[:2]) or _LOOK)
    for words, step in _BY_WORDS.items():
        if words in said:
            return _with(f"Postgres says: {said}", step)
    return _with(f"Postgres cannot be reached: {said}", _AWAY)


def _of_kafka(error: KafkaException) -> str:
    told = error.args[0]
    return told.str() if isinstance(told, KafkaError) else str(told)


def _kafka_step(error: BaseException) -> str:
    told = error.args[0] if error.args else None
    return _BY_KAFKA_CODE.get(told.code(), _KAFKA) if isinstance(told, KafkaError) else _KAFKA


def _code(error: BaseException) -> str | None:
    """The server's SQLSTATE; Django's errors carry the driver's as their cause."""
    told = error if isinstance(error, psycopg.Error) else error.__cause__
    return told.sqlstate if isinstance(told, psycopg.Error) else None


def _with(said: str, step: str) -> str:
    return f"{said if said.endswith(('.', '?', ')')) else f'{said}.'} {step}".strip()
