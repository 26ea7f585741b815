"""A set to draw from at random, with the same draws in every run."""

import random
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Adds, removes and draws in constant time; members are told apart by identity.

    A plain set would be walked in an order that differs from run to run.
    """

    def __init__(self) -> None:
        self._members: list[T] = []
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[T]:
        return iter(self._members)

    def __contains__(self, member: T) -> bool:
        return id(member) in self._places

    def add(self, member: T) -> None:
        self._places[id(member)] = len(self._members)
        self._members.append(member)

    def discard(self, member: T) -> None:
        place = self._places.pop(id(member), None)
        if place is None:
            return
        last = self._members.pop()
        if last is not member:
            self._members[place] = last
            self._places[id(last)] = place

    def draw(self, rng: random.Random) -> T | None:
        """Any member, or None of an empty pool."""
        return self._members[int(rng.random() * len(self._members))] if self._members else None
