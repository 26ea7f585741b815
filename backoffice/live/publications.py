"""What can be watched. Apps register their publications in ``AppConfig.ready()``:

    register(Publication("ticker", permission="trading.view_bet", read=latest_bets))
    register(Publication("prices:", permission="trading.view_market", read=prices_of, each=("status",)))

A name that ends in a colon takes an argument: ``prices:event-17``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backoffice.kernel.errors import Rejected

from .board import Rows

LONGEST_NAME = 200


@dataclass(frozen=True)
class Publication:
    """``read`` gives the whole snapshot from Postgres, in a thread of its own; its argument is what follows the colon.

    It is asked every ``every`` seconds, and at once when a worker says that something changed, but not more often than
    each ``least`` seconds. Fields in ``each`` are never folded (see `Board`). With no ``permission`` the publication is
    open to all who may open the socket.
    """

    name: str
    permission: str
    read: Callable[[str], Rows]
    every: float = 2.0
    least: float = 0.1
    each: tuple[str, ...] = ()


PUBLICATIONS: dict[str, Publication] = {}


def register(publication: Publication) -> None:
    PUBLICATIONS[publication.name] = publication


def find(name: str, publications: Mapping[str, Publication]) -> tuple[Publication, str]:
    """The publication of that name and its argument.

    Raises:
        Rejected: there is none.
    """
    head, colon, argument = name.partition(":")
    publication = publications.get(head + colon)
    if publication is None or bool(colon) != bool(argument) or len(name) > LONGEST_NAME:
        raise Rejected(
            f"There is no such publication; there are {', '.join(sorted(publications))} (a colon wants an argument)."
        )
    return publication, argument
