"""Sinks in memory, for who is tested with them alone."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from backoffice.streams.consume.batch import Batch
from backoffice.streams.consume.sink import Position


@dataclass
class Given:
    batch: Batch


class Nowhere:
    """Opens nothing and has nothing; how it commits, each says."""

    def open(self) -> None:
        """Nothing is opened."""

    def close(self) -> None:
        """Nothing is open."""

    def positions(self, _: Collection[int], __: Callable[[int], int], ___: int) -> dict[int, Position]:
        return {}

    def prepare(self, batch: Batch) -> Given:
        return Given(batch)
