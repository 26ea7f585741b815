"""What all events have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict


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
