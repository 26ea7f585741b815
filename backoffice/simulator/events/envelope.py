"""What all events have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Head(TypedDict):
    """The fields with which every record begins; ``occurred_at`` in microseconds since 1970, UTC."""

    event_id: str
    occurred_at: int
    brand: str
    jurisdiction: str


@dataclass(frozen=True, slots=True)
class Event:
    """One message to be: its record type, the text of its key, and its fields."""

    record: str
    key: str
    body: dict[str, Any]


def event(record: str, key: str, head: Head, values: Mapping[str, object]) -> Event:
    return Event(record, key, {**head, **values})


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def moment(since_epoch: int) -> datetime:
    return EPOCH + timedelta(microseconds=since_epoch)
