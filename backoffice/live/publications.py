"""What can be watched live. Apps register what they have in ``AppConfig.ready()``:

    register(Publication("figures", permission="metrics.view_window", read=figures))
    register(Publication("prices:", permission="trading.view_market", read=prices_of, leader="market", is_told=True))
    register(Journal("ticker", permission="trading.view_bet", follow=latest_bets, keep=30, is_told=True))

A name that ends in a colon takes an argument: ``prices:event-17``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backoffice.kernel.errors import Rejected

from .board import Board, Reading, Rows
from .tail import Page, Tail

LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Published:
    """Times are seconds.

    It is read every ``every``, and at once when a worker says that something changed, but not more often than each
    ``least``. With ``is_told`` workers say so of every change; while all of them are heard it is read no more often
    than each ``review``. What changes is written each ``pace``. With no ``permission`` it is open to all who may open
    the socket. What is read ``at_one_moment`` is read in one transaction; what is ``in_memory`` in the event loop.
    """

    every: float = 2.0
    least: float = 0.1
    review: float = 60.0
    pace: float = 0.1
    is_told: bool = False
    at_one_moment: bool = True
    in_memory: bool = False


@dataclass(frozen=True)
class Publication(Published):
    """Rows that change. ``read`` gives all of them, in a thread; its argument is what follows the colon.

    ``leader`` is the field in which a row names the row that it belongs to (see `Board`). Where what workers tell is
    not shown as they tell it, ``read`` gives a `Reading`, with how.
    """

    name: str
    permission: str
    read: Callable[[str], Rows | Reading]
    leader: str = ""

    def board(self, _: int) -> Board:
        return Board(self.leader)

    def reading(self, argument: str, _: None) -> Reading:
        found = self.read(argument)
        return found if isinstance(found, Reading) else Reading(found)


@dataclass(frozen=True)
class Journal(Published):
    """A log of which nothing is folded. ``follow`` gives what came since a cursor; without one the newest ``keep``."""

    name: str
    permission: str
    follow: Callable[[str, Any], Page[Any]]
    keep: int = 30

    def board(self, at: int) -> Tail[Any]:
        return Tail(self.keep, at)

    def reading(self, argument: str, cursor: Any) -> Page[Any]:
        return self.follow(argument, cursor)


AnyPublication = Publication | Journal

PUBLICATIONS: dict[str, AnyPublication] = {}


def register(publication: AnyPublication) -> None:
    PUBLICATIONS[publication.name] = publication


def find(name: str, publications: Mapping[str, AnyPublication]) -> tuple[AnyPublication, str]:
    """The publication of that name and its argument.

    Raises:
        Rejected: there is none.
    """
    head, colon, argument = name.partition(":")
    publication = publications.get(head + colon)
    if publication is None or bool(colon) != bool(argument) or len(name) > LONGEST_NAME:
        known = ", ".join(sorted(publications))
        raise Rejected(f"There is no such publication; there are {known} (a colon wants an argument).")
    return publication, argument
