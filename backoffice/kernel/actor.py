"""Who does something: a person, or a part of the platform."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    id: str
    role: str
