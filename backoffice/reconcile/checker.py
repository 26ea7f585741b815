"""One reconciliation's work on the ranges of offsets it is given, and what is compared once all of them are read."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import Stream

from .differences import Difference, Findings
from .facts import flatten_legs
from .ledger import PLAYERS_OWN, Accounts, bookings
from .letters import account, check_letters, check_repeats
from .linked import check_linked, check_orphans, random_keys
from .links import LINKS
from .log import Chunk, Slice
from .reading import Events, Readers
from .rows import check_nothing_beyond, check_rows, fact_tables
from .states import STATES, StateCheck
from .wants import (
    FOLDED,
    Want,
    add_to_tally,
    differing,
    differing_everywhere,
    differing_opened,
    differing_sums,
    shown,
)
from .windows import count, windows

WINDOWS, BALANCES = "reconcile_windowtally", "reconcile_balancetally"
NOT_THE_SUM = "the sums are not those of the events."
NO_ACCOUNT = "the account is missing or is not what its events say."


@dataclass
class Checker:
    """``inexact`` are the "topic/partition" of which the log has lost messages that were stored.

    ``behind`` are those of which more is stored than will have been read after this step.
    """

    cursor: CursorWrapper
    readers: Readers
    findings: Findings
    now: datetime
    full: bool
    twins: dict[str, set[tuple[str, ...]]]
    checked: Counter[str]
    inexact: list[str]
    behind: list[str]
    _accounts: Accounts = field(default_factory=Accounts)
    _states: dict[tuple[str, str], list[StateCheck]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._windows = windows()
        self._balances = Want(
            "balance", "wallet_balance", ("account_id", "partition"), ("debits", "credits"), adding=True,
            topic="wallet-transactions",
        )  # fmt: skip
        self._touched = Want("account", "wallet_account", ("id",), ("kind", "player_id", "subject", "currency"))

    def examine(self, chunk: Chunk) -> None:
        place = chunk.place
        found = account(self.cursor, chunk, self.readers)
        self.checked[place.topic] += len(chunk.messages)
        self._note(check_letters(self.cursor, chunk, found, self.now, self.twins.get(place.topic)))
        self._note(check_repeats(self.cursor, chunk, found.repeats))
        known = set(TOPICS[place.topic].records)
        for record in found.events.keys() - known:
            offsets = found.events.pop(record).offsets
            told = f"{record} does not belong into this topic, and no dead letter tells of it."
            self._note(Difference("messages", told, place.topic, place.partition, record, (o, o)) for o in offsets)
        self._fold(place, found.events)
        for record, events in found.events.items():
            flatten_legs(record, events.bodies)
        tables = fact_tables(place.stream, TOPICS[place.topic].records)
        self._note(check_rows(self.cursor, chunk, tables, found.events))
        for link in LINKS:
            if link.topic == place.topic and link.fact in tables:
                self._note(check_linked(self.cursor, chunk, link, found.events))
                self._check_steps(chunk, link.fact)

    def check_beyond(self, place: Slice, following: int) -> None:
        tables = fact_tables(place.stream, TOPICS[place.topic].records)
        self._note(check_nothing_beyond(self.cursor, place, tables, following))

    def finish(self) -> None:
        """Compare what was gathered from all ranges with the tables of state and of sums."""
        for states in self._states.values():
            for state in states:
                self._note(state.differences(self.cursor, self.findings, full=self.full))
        self._finish_accounts()
        for want, tally in ((self._windows, WINDOWS), (self._balances, BALANCES)):
            want.flush(self.cursor)
            if self.full:
                self._finish_sums(want)
            else:
                self._carry_over(want, tally)
        if self.full:
            self._check_books()
            for link in LINKS:
                self._note(check_orphans(self.cursor, link))

    def _fold(self, place: Slice, events: dict[str, Events]) -> None:
        for record, found in events.items():
            for state in self._states_of(place.stream, place.topic):
                state.take(record, found)
                state.flush(self.cursor)
            if place.topic == "wallet-transactions":
                self._book(place, record, found)
            if place.is_new:
                count(self._windows, place.topic, place.partition, record, found)
        for want in (self._windows, self._balances, self._touched):
            want.flush(self.cursor, at_least=FOLDED)

    def _book(self, place: Slice, record: str, events: Events) -> None:
        for event in events.bodies:
            for _, debit, credit, amount in bookings(record, event):
                for kind, debits, credits in ((debit, amount, 0), (credit, 0, amount)):
                    found, (_, owner, currency) = self._accounts.id_of(kind, event)
                    if place.is_new:
                        self._balances.add((found, place.partition), debits, credits)
                    if (found,) not in self._touched.rows:
                        mine = kind in PLAYERS_OWN
                        row = (kind, owner if mine else None, "" if mine else owner, currency)
                        self._touched.rows[(found,)] = row

    def _states_of(self, stream: Stream, topic: str) -> list[StateCheck]:
        key = (stream.name, topic)
        if key not in self._states:
            projected = {(p.record, p.table) for p in stream.projections}
            records = TOPICS[topic].records
            self._states[key] = [
                StateCheck(state, topic)
                for state in STATES
                if any((record, state.table) in projected and record in records for record in state.records)
            ]
        return self._states[key]

    def _finish_accounts(self) -> None:
        self._touched.flush(self.cursor)
        if self._touched.is_made:
            for kafka, postgres, _ in differing(self.cursor, self._touched, full=self.full):
                self._note([shown("accounts", NO_ACCOUNT, self._touched, kafka, postgres, topic="wallet-transactions")])

    def _finish_sums(self, want: Want) -> None:
        """In full the sums of this run are held against the whole table."""
        if want.is_made:
            self._note_sums(want, differing_everywhere(self.cursor, want, want.temporary, self.inexact))

    def _carry_over(self, want: Want, tally: str) -> None:
        """Else they are added to those of earlier steps, and held against the table where these are complete."""
        if want.is_made:
            add_to_tally(self.cursor, want, tally, self.behind)
            self._note_sums(want, differing_sums(self.cursor, want, tally, self.inexact))
        self._note_sums(want, differing_opened(self.cursor, want, tally, self.inexact, self.behind))

    def _note_sums(self, want: Want, rows: Iterator[tuple[dict[str, object], dict[str, object], int]]) -> None:
        check = "windows" if want is self._windows else "balances"
        topic = "" if want is self._windows else "wallet-transactions"
        listed, total = 0, 0
        for kafka, postgres, total in rows:  # noqa: B007 - the last one is used
            listed += 1
            self._note([shown(check, NOT_THE_SUM, want, kafka, postgres, topic=topic)])
        self.findings.more(check, total - listed)

    def check_older(self, rng: random.Random) -> None:
        """A random stretch of the sums and of the linked rows, so that a later change is found in time."""
        short = [*self.inexact, *self.behind]
        first = UUID(int=rng.getrandbits(128))
        self.cursor.execute(
            "SELECT account_id FROM reconcile_balancetally WHERE account_id >= %s"
            " ORDER BY account_id OFFSET 2000 LIMIT 1",
            [first],
        )
        last = (self.cursor.fetchone() or (UUID(int=2**128 - 1),))[0]
        accounts = ("account_id", first, last)
        self._note_sums(self._balances, differing_everywhere(self.cursor, self._balances, BALANCES, short, accounts))
        if stretch := self._random_stretch(rng):
            minutes = ("minute", *stretch)
            self._note_sums(self._windows, differing_everywhere(self.cursor, self._windows, WINDOWS, short, minutes))
        for link in LINKS:
            start = UUID(int=self._random_id(rng))
            if keys := random_keys(self.cursor, link, str(start)):
                self._note(check_orphans(self.cursor, link, *keys))

    def _random_stretch(self, rng: random.Random) -> tuple[datetime, datetime] | None:
        self.cursor.execute("SELECT min(minute), max(minute) FROM reconcile_windowtally")
        first, last = self.cursor.fetchone()
        if first is None:
            return None
        start = first + timedelta(minutes=rng.randrange(int((last - first).total_seconds() // 60) + 1))
        return start, start + timedelta(minutes=30)

    def _random_id(self, rng: random.Random) -> int:
        """A bound in the past year among ids that carry their time."""
        at = self.now - timedelta(seconds=rng.randrange(365 * 86_400))
        return int(at.timestamp() * 1000) << 80

    def _check_books(self) -> None:
        self.cursor.execute(
            "SELECT a.currency, sum(b.debits), sum(b.credits)"
            " FROM wallet_balance b JOIN wallet_account a ON a.id = b.account_id GROUP BY 1"
            " HAVING sum(b.debits) <> sum(b.credits)"
        )
        for currency, debits, credits in self.cursor.fetchall():
            sides = {"debits": int(debits), "credits": int(credits)}
            says = f"Debits and credits in {currency} are not the same."
            self._note([Difference("books", says, "wallet-transactions", where=currency, postgres=sides)])

    def _check_steps(self, chunk: Chunk, fact: str) -> None:
        """No two settlements of a bet may have one number."""
        if fact != "trading_bet":
            return
        place = chunk.place
        self.cursor.execute(
            "SELECT DISTINCT s.bet_id::text, s.settlement_no FROM trading_settlement s JOIN trading_settlement o"
            " ON o.bet_id = s.bet_id AND o.settlement_no = s.settlement_no AND o.event_id <> s.event_id"
            " WHERE s.source_partition = %s AND s.source_offset >= %s AND s.source_offset < %s LIMIT 100",
            [place.partition, chunk.start, chunk.end],
        )
        for bet_id, number in self.cursor.fetchall():
            says = f"Bet {bet_id} has more than one settlement with the number {number}."
            where = f"bet_id={bet_id}, settlement_no={number}"
            self._note([Difference("settlements", says, place.topic, place.partition, where=where)])

    def _note(self, differences: Iterator[Difference] | list[Difference]) -> None:
        for difference in differences:
            self.findings.add(difference)
