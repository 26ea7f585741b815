"""The platform's health and the operator's figures as live publications."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import takewhile
from typing import Any

from confluent_kafka.admin import AdminClient
from django.conf import settings

from backoffice.access.roles import ROLES, grant
from backoffice.kernel.clock import SystemClock
from backoffice.live.board import Row, Rows, Value
from backoffice.live.frames import milliseconds
from backoffice.live.publications import Publication, register

from . import selectors
from .selectors import Outcomes
from .status import read_status

SEE = "metrics.view_window"
# What every status has, whether as a field or worked out from others.
_FACTS = ("events_per_second", "lag", "dead_letters", "halted")
# `figures` has these, also while Kafka is away.
_FIGURES = ("at", "ggr", "stakes", "bets", "payments", "logins", "active_players")
_SCALARS = (str, int, float, bool, datetime, timedelta, type(None))


def health(_: str) -> Rows:
    """Everything that the status tells, whatever fields it has."""
    kafka = tuple(sorted(settings.KAFKA.items()))
    return status_rows(read_status(SystemClock().now(), _admin(kafka), settings.KAFKA_TOPIC_PREFIX))


def status_rows(status: Any) -> Rows:
    """A dataclass of facts as rows under ``field/part/part``; a value that stands alone is called ``value``.

    Parts are the keys of a mapping, the names by which a dataclass in a list begins (stream, topic), else its place.
    """
    others = [field.name for field in fields(status) if field.name not in _FACTS + _FIGURES]
    return {key: row for name in (*_FACTS, *others) for key, row in _rows(name, getattr(status, name))}


def _rows(key: str, fact: Any) -> Iterator[tuple[str, Row]]:
    if isinstance(fact, _SCALARS):
        yield key, {"value": _value(fact)}
    elif is_dataclass(fact):
        held = {field.name: getattr(fact, field.name) for field in fields(fact)}
        if simple := {name: _value(value) for name, value in held.items() if isinstance(value, _SCALARS)}:
            yield key, simple
        for name in held.keys() - simple.keys():
            yield from _rows(f"{key}/{name}", held[name])
    else:
        parts = fact.items() if isinstance(fact, Mapping) else ((_called(part, n), part) for n, part in enumerate(fact))
        for part, value in parts:
            name = "/".join(map(str, part)) if isinstance(part, tuple) else str(part)
            yield from _rows(f"{key}/{name}", value)


def _called(part: Any, place: int) -> str:
    """What a part of a list goes by."""
    if not is_dataclass(part):
        return part if isinstance(part, str) else str(place)
    values = (getattr(part, field.name) for field in fields(part))
    return "/".join(takewhile(lambda value: isinstance(value, str), values)) or str(place)


def _value(fact: Any) -> Value:
    if isinstance(fact, datetime):
        return milliseconds(fact)
    if isinstance(fact, timedelta):
        return round(fact.total_seconds(), 1)
    value: Value = round(fact, 3) if isinstance(fact, float) else fact
    return value


def figures(_: str) -> Rows:
    """GGR, mean stake, payments, logins of the last hour and who is active; amounts in minor units."""
    now = SystemClock().now()
    rows: Rows = {}
    for (vertical, currency), amount in selectors.ggr_by_vertical(now).items():
        rows[f"ggr/{vertical}/{currency}"] = {"amount": amount}
    for (vertical, currency), staked in selectors.stakes(now).items():
        if staked.count:
            rows[f"stake/{vertical}/{currency}"] = {
                "mean": round(staked.amount / staked.count), "count": staked.count, "amount": staked.amount,
            }  # fmt: skip
    for provider, outcomes in selectors.payment_success(now).items():
        rows[f"payments/{provider}"] = _outcomes(outcomes)
    rows["logins"] = _outcomes(selectors.logins(now))
    for jurisdiction, players in selectors.active_players_by_jurisdiction(now).items():
        rows[f"active/{jurisdiction}"] = {"players": players}
    return rows


def _outcomes(outcomes: Outcomes) -> Row:
    rate = None if outcomes.rate is None else round(outcomes.rate, 4)
    return {"succeeded": outcomes.succeeded, "failed": outcomes.failed, "rate": rate}


@cache
def _admin(kafka: tuple[tuple[str, str], ...]) -> AdminClient:
    return AdminClient(dict(kafka))


def register_publications() -> None:
    register(Publication("health", SEE, health, every=1.0))
    register(Publication("figures", SEE, figures, every=1.0))
    grant(SEE, *ROLES)
