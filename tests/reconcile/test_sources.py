"""What a walk goes by is what its own streams store: another stream of the same topic has nothing to do with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from backoffice.reconcile.books import BY_THE_CLOCK
from backoffice.reconcile.checker import Checker
from backoffice.reconcile.checks.comparing import Stretch
from backoffice.reconcile.declared import Invariant, Look, described
from backoffice.reconcile.differences import Difference, Found, Unjudged
from backoffice.reconcile.findings import Findings
from backoffice.reconcile.known import Gap
from backoffice.reconcile.positions import Position
from backoffice.reconcile.runs.walks import Walker
from backoffice.streams.store.projection import STREAMS, Stream

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
BETS, MONEY = ("trading", "bet-events"), ("wallet", "wallet-transactions")
FOUND = Difference("payouts", "Something is at odds.", "bet-events", where="bet_id=1")


@pytest.fixture
def pricing() -> Iterator[Stream]:
    """Another stream that takes what trading takes."""
    yield replace(STREAMS["trading"], name="pricing")
    del STREAMS["pricing"]


def at(stream: Stream, topic: str, **changes: Any) -> Position:
    """All is stored from the first message on."""
    return replace(Position(stream, topic, 0, 100, NOON, 0, 100, None), **changes)


GOOD = [at(STREAMS["trading"], "bet-events"), at(STREAMS["wallet"], "wallet-transactions")]
SKIPPED = (Gap(3, 4, "bad"),)


@dataclass
class Noted:
    """What a walk tells the checker."""

    findings: Findings = field(default_factory=Findings)
    books = BY_THE_CLOCK
    cursor = None
    _log_of = Checker._log_of
    read = ()

    def note(self, stream: str, found: Iterable[Found]) -> None:
        Checker.note(cast(Checker, self), stream, found)


def asked(read: list[Position]) -> tuple[list[str], list[str]]:
    """What an invariant that needs all has found of bets and money, and what could not be judged."""

    def look(_look: Look) -> Iterator[Found]:
        yield FOUND

    noted = Noted()
    invariant = Invariant("payouts", "trading_bet", ("id",), (BETS, MONEY), look, needs_all=True)
    Walker(cast(Checker, noted), read)._invariant("trading", invariant, Stretch(None, None))
    return [one.where for one in noted.findings.listed], [one.where for one in noted.findings.take_unjudged()]


def test_what_a_look_finds_is_found() -> None:
    assert asked(GOOD) == (["bet_id=1"], [])


@pytest.mark.parametrize("number", [0, 1])
def test_where_something_was_skipped_nothing_that_it_finds_is_judged(number: int) -> None:
    read = [replace(one, gaps=SKIPPED if n == number else ()) for n, one in enumerate(GOOD)]

    assert asked(read) == ([], ["bet_id=1"])


def test_what_another_stream_has_skipped_of_the_topic_is_nothing_to_it(pricing: Stream) -> None:
    assert asked([*GOOD, at(pricing, "bet-events", gaps=SKIPPED)]) == (["bet_id=1"], [])


def test_of_a_stream_that_stores_nothing_of_a_topic_no_place_is_looked_at(pricing: Stream) -> None:
    noted = Noted()
    trace = described("trading").traces[0]

    Walker(cast(Checker, noted), [at(pricing, "odds-feed")])._places("trading", trace, Stretch(None, None))

    assert (noted.findings.total, noted.findings.take_unjudged()) == (0, [])


def test_what_a_walk_finds_has_its_name() -> None:
    def look(_look: Look) -> Iterator[Found]:
        yield FOUND
        yield Unjudged("payouts", "it is not told")

    noted = Noted()
    invariant = Invariant("payouts", "trading_bet", ("id",), (BETS,), look)
    Walker(cast(Checker, noted), GOOD)._invariant("trading", invariant, Stretch(None, None))

    assert [(one.walk, one.stream) for one in noted.findings.listed] == [("payouts in trading_bet", "trading")]
    assert noted.findings.take_unjudged() == [Unjudged("payouts", "it is not told", stream="trading")]
