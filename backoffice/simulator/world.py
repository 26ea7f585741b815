"""The state of the made-up operator between two events."""

import random
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from backoffice.kernel.clock import at_microseconds
from backoffice.kernel.ids import uuid7
from backoffice.simulator.accounts import Account, Instrument
from backoffice.simulator.bets import Bet
from backoffice.simulator.book import Book
from backoffice.simulator.events.envelope import Event, Head
from backoffice.simulator.pool import Pool
from backoffice.simulator.timing import Time

# Settled bets that can still be settled anew.
REMEMBERED_BETS = 2_000


@dataclass(slots=True, eq=False)
class Payment:
    """A deposit or withdrawal that is under way."""

    id: str
    account: Account
    instrument: Instrument
    amount: int


class Rule(NamedTuple):
    """What raises an alert."""

    kind: str
    queue: str
    severity: str
    summary: str


@dataclass(slots=True, eq=False)
class Alert:
    """``account`` None: about a brand."""

    id: str
    account: Account | None
    brand: str
    jurisdiction: str
    rule: Rule
    status: str = "opened"


@dataclass(slots=True, eq=False)
class Document:
    id: str
    account: Account
    kind: str
    size_bytes: int
    sha256: str


class World:
    """Acts read and change it and say what happened with ``emit``.

    Everything in it is bounded: by the number of players, or by a limit of its own.
    """

    def __init__(self, rng: random.Random, time: Time, players: int) -> None:
        self.rng = rng
        self.players = players
        self.book = Book()
        # Of each provider the run that tells of its markets.
        self.feed_runs: dict[str, str] = {}
        self.accounts: Pool[Account] = Pool()
        self.online: Pool[Account] = Pool()
        self.excluded: Pool[Account] = Pool()
        self.restricted: Pool[Account] = Pool()
        self.bonus_holders: Pool[Account] = Pool()
        self.deposits: Pool[Payment] = Pool()
        self.withdrawals: Pool[Payment] = Pool()
        self.documents: Pool[Document] = Pool()
        self.alerts: Pool[Alert] = Pool()
        self.open_bets: Pool[Bet] = Pool()
        # Bets whose result is known and that wait for their settlement.
        self.due: deque[Bet] = deque()
        self.settled: deque[Bet] = deque(maxlen=REMEMBERED_BETS)
        self.now = 0
        self._time = time
        self._events = 0
        self._next = 0
        self._out: list[Event] = []

    def begin(self) -> None:
        """Move on to when the next act happens."""
        self.now = self._next = max(self._next, self._time.after(self._events))

    def emit(self, event: Event) -> None:
        self._out.append(event)

    def drain(self) -> list[Event]:
        """What happened since the last call."""
        out, self._out = self._out, []
        self._events += len(out)
        return out

    def new_id(self) -> str:
        return str(uuid7(self.rng, at_microseconds(self.now)))

    def head(self, brand: str, jurisdiction: str) -> Head:
        """The head of the next event; it happens a microsecond after the one before, at the earliest."""
        at = self._next
        self._next += 1
        return {
            "event_id": str(uuid7(self.rng, at_microseconds(at))),
            "occurred_at": at,
            "brand": brand,
            "jurisdiction": jurisdiction,
        }

    def head_of(self, account: Account) -> Head:
        return self.head(account.brand, account.jurisdiction)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share
