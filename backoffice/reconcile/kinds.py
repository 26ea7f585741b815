"""Kinds of findings, of each of which a number is kept; and where there are more."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Weight(StrEnum):
    """A difference between Kafka and Postgres; something else that somebody ought to see; what is known already."""

    DIFFERENCE = "difference"
    WARNING = "warning"
    KNOWN = "known"


class Kind(NamedTuple):
    """What a finding is one of, of which a number is kept: none takes the place of another. ``topic`` is empty where
    several may be meant."""

    weight: Weight
    stream: str
    topic: str
    check: str

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "Kind":
        return cls(Weight(told["weight"]), told["stream"], told["topic"], told["check"])


class Cut(NamedTuple):
    """Of which kind there is more than is kept, and where: by a walk, in a partition, or anywhere in what was read."""

    kind: Kind
    walk: str = ""
    partition: int | None = None


class Span(NamedTuple):
    """How many were cut, and the first and the last offset of those that stand at some."""

    number: int
    offsets: tuple[int, int] | None = None

    def __add__(self, other: "Span") -> "Span":  # type: ignore[override]
        known = [one.offsets for one in (self, other) if one.offsets]
        offsets = (min(first for first, _ in known), max(last for _, last in known)) if known else None
        return Span(self.number + other.number, offsets)
