"""What Kafka says of bets, payments and the ledger is held against itself; what is at odds is named where it stands."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client

from backoffice.contracts.codec import encode, frame
from backoffice.metrics.status import read_health
from backoffice.simulator.events.envelope import Event
from backoffice.streams.models import Gap
from tests.reconcile.lives import BETS, PAY, RELEASE, SETTLE, Player, later, named, reconciled, told
from tests.spine import Spine


def resettled_from_nothing(p: Player, bet: str) -> list[Event]:
    again = p.bet("BetResettled", bet, 2, payout=0, previous_payout=0)
    return [*p.placed(bet), *p.settled(bet), again, p.money("WinningsReversed", bet, 5_000)]


def cashed_out_and_settled(p: Player, bet: str) -> list[Event]:
    cashed_out = p.bet("BetCashedOut", bet, 1, payout=1_500)
    paid = [p.money(RELEASE, bet), p.money(PAY, bet, 1_500), p.money("WinningsReversed", bet, 1_500)]
    return [*p.placed(bet), cashed_out, *paid, p.bet(SETTLE, bet, 2, payout=0)]


def void_as_if_open(p: Player, bet: str) -> list[Event]:
    void = p.bet("BetVoided", bet, 2, refund=1_000, previous_payout=0, was_settled=False)
    refund = p.money("StakeRefunded", bet, was_settled=True)
    return [*p.placed(bet), *p.settled(bet), p.money("WinningsReversed", bet, 5_000), void, refund]


def void_as_if_settled(p: Player, bet: str) -> list[Event]:
    void = p.bet("BetVoided", bet, 1, refund=1_000, previous_payout=0, was_settled=True)
    return [*p.placed(bet), void, p.money("StakeRefunded", bet, was_settled=False)]


def settled_with(**said: Any) -> Callable[[Player, str], list[Event]]:
    def events(p: Player, bet: str) -> list[Event]:
        step = p.bet(SETTLE, bet, 1, **{"payout": 0} | said)
        return [*p.placed(bet), step, p.money(RELEASE, bet)]

    return events


def settled_free(p: Player, bet: str) -> list[Event]:
    placed = p.bet("BetPlaced", bet, is_free_bet=True)
    return [placed, p.money("StakeTaken", bet), *p.settled(bet, 0)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "case",
    [
        resettled_from_nothing, cashed_out_and_settled, void_as_if_open, void_as_if_settled, settled_free,
        settled_with(stake=100_000), settled_with(currency="USD"), settled_with(player_id=str(uuid4())),
    ],
)  # fmt: skip
def test_a_step_that_does_not_go_with_its_bet_or_the_step_before_is_named_at_once(
    spine: Spine, case: Callable[[Player, str], list[Event]], full: bool
) -> None:
    """And nothing else is: bet, balance and transfers agree."""
    p, bet = Player(), str(uuid4())
    told(spine, p.funded(), case(p, bet))

    report = reconciled(full=full)

    assert report.clean
    assert named(report) == {("chain", "warning", f"bet_id={bet}")}
    (step,) = report.named
    at = spine.rows("SELECT source_partition, source_offset FROM trading_settlement ORDER BY settlement_no DESC")[0]
    assert (step["partition"], step["offsets"]) == (at[0], [at[1], at[1]])
    assert step["postgres"]["bet"]["at"].startswith(f"{BETS}[")
    assert spine.value("SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'") == 1


def paid_too_much(p: Player, bet: str) -> list[Event]:
    return [*p.placed(bet), p.bet(SETTLE, bet, 1, payout=5_000), p.money(RELEASE, bet), p.money(PAY, bet, 500_000)]


def paid_twice(p: Player, bet: str) -> list[Event]:
    return [*p.placed(bet), *p.settled(bet), p.money(PAY, bet, 5_000)]


def paid_to_another(p: Player, bet: str) -> list[Event]:
    return [
        *p.placed(bet),
        *p.settled(bet, 0)[1:],
        p.bet(SETTLE, bet, 1, payout=5_000),
        Player().money(PAY, bet, 5_000),
    ]


def never_paid_nor_taken(p: Player, bet: str) -> list[Event]:
    return [p.bet("BetPlaced", bet), p.bet(SETTLE, bet, 1, payout=5_000)]


def paid_in_another_currency(p: Player, bet: str) -> list[Event]:
    return [*p.placed(bet), *p.settled(bet)[:2], p.money(PAY, bet, 5_000, currency="USD")]


def taken_too_much(p: Player, bet: str) -> list[Event]:
    taken = [p.bet("BetPlaced", bet), p.money("StakeTaken", bet, 2_000)]
    return [*taken, p.bet(SETTLE, bet, 1, payout=0), p.money(RELEASE, bet, 2_000)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "case",
    [paid_too_much, paid_twice, paid_to_another, never_paid_nor_taken, paid_in_another_currency, taken_too_much],
)
def test_what_the_ledger_moves_for_a_bet_is_what_the_bet_says(
    spine: Spine, case: Callable[[Player, str], list[Event]], full: bool
) -> None:
    p, bet = Player(), str(uuid4())
    told(spine, p.funded(), case(p, bet))
    assert named(reconciled(full=full)) == set(), "it may be under way"

    told(spine, later())

    report = reconciled(full=full)
    assert report.clean
    assert named(report) == {("payouts", "warning", f"bet_id={bet}")}
    assert report.named[0]["postgres"]["bet"]["placed"].startswith(f"{BETS}[")


@pytest.mark.parametrize("full", [False, True])
def test_a_bet_that_nobody_placed_is_named_by_its_settlement_and_its_money(spine: Spine, full: bool) -> None:
    p, bet = Player(), str(uuid4())
    told(spine, p.funded(), [p.bet(SETTLE, bet, 1, payout=77_777), p.money(PAY, bet, 77_777)])
    assert named(reconciled(full=full)) == set(), "the bet may be under way"

    told(spine, later())

    report = reconciled(full=full)
    assert report.clean
    assert named(report) == {("chain", "warning", f"bet_id={bet}"), ("payouts", "warning", f"bet_id={bet}")}


def deposit_twice(p: Player, payment: str) -> list[Event]:
    return [p.payment(what, payment, 10_000) for what in ("initiated", "completed", "completed")]


def paid_out_twice(p: Player, payment: str) -> list[Event]:
    more = p.payment("requested", str(uuid4()), 500)
    return [more, *(p.payment(what, payment, 500) for what in ("requested", "paid", "paid"))]


def reversed_and_paid(p: Player, payment: str) -> list[Event]:
    more = p.payment("requested", str(uuid4()), 500)
    return [more, *(p.payment(what, payment, 500) for what in ("requested", "reversed", "paid"))]


def other_amount(p: Player, payment: str) -> list[Event]:
    more = p.payment("requested", str(uuid4()), 500)
    return [more, p.payment("requested", payment, 500), p.payment("paid", payment, 700)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("case", [deposit_twice, paid_out_twice, reversed_and_paid, other_amount])
def test_a_payment_moves_its_money_once(spine: Spine, case: Callable[[Player, str], list[Event]], full: bool) -> None:
    p, payment = Player(), str(uuid4())
    told(spine, p.funded(), case(p, payment))

    report = reconciled(full=full)

    assert report.clean
    assert named(report) == {("payments_told", "warning", f"payment_id={payment}")}
    last = spine.rows("SELECT source_partition, source_offset FROM wallet_transaction ORDER BY occurred_at DESC")[0]
    assert (report.named[0]["partition"], report.named[0]["offsets"]) == (last[0], [last[1], last[1]])


def free_bets(p: Player) -> list[Event]:
    """Given as a token, of which the ledger takes nothing; open, lost, won, void before and after it was settled."""
    tokens = [str(uuid4()) for _ in range(5)]
    free = {"is_free_bet": True}
    return [
        *(p.bet("BetPlaced", bet, **free) for bet in tokens),
        p.bet(SETTLE, tokens[1], 1, payout=0, **free),
        p.bet(SETTLE, tokens[2], 1, payout=4_000, **free), p.money(PAY, tokens[2], 4_000),
        p.bet("BetVoided", tokens[3], 1, refund=1_000, previous_payout=0, was_settled=False, **free),
        p.bet(SETTLE, tokens[4], 1, payout=3_000, **free), p.money(PAY, tokens[4], 3_000),
        p.bet("BetVoided", tokens[4], 2, refund=1_000, previous_payout=3_000, was_settled=True, **free),
        p.money("WinningsReversed", tokens[4], 3_000),
    ]  # fmt: skip


def lives(p: Player) -> list[Event]:
    """Bets of every life, with cash and bonus money, and payments of every end."""
    won, cashed, void, again, deposit, back, out = (str(uuid4()) for _ in range(7))
    bonus = {"amount": 400, "bonus_amount": 600}
    return [
        p.bet("BetPlaced", won), p.money("StakeTaken", won, **bonus), p.bet(SETTLE, won, 1, payout=5_000),
        p.money(RELEASE, won, **bonus), p.money(PAY, won, 2_000, bonus_amount=3_000),
        *p.placed(cashed), p.bet("BetCashedOut", cashed, 1, payout=900), p.money(RELEASE, cashed),
        p.money(PAY, cashed, 900),
        *p.placed(void), p.bet("BetVoided", void, 1, refund=1_000, previous_payout=0, was_settled=False),
        p.money("StakeRefunded", void, was_settled=False),
        *p.placed(again), *p.settled(again), p.bet("BetResettled", again, 2, payout=2_000, previous_payout=5_000),
        p.money("WinningsReversed", again, 3_000),
        p.bet("BetVoided", again, 3, refund=1_000, previous_payout=2_000, was_settled=True),
        p.money("WinningsReversed", again, 2_000), p.money("StakeRefunded", again, was_settled=True),
        p.bet("BetResettled", again, 7, payout=1_500, previous_payout=1_000), p.money(PAY, again, 500),
        p.payment("initiated", deposit, 700), p.payment("completed", deposit, 700),
        p.payment("requested", out, 500), p.payment("paid", out, 500),
        p.payment("requested", back, 500), p.payment("reversed", back, 500),
        p.payment("requested", back, 500), p.payment("paid", back, 500),
    ]  # fmt: skip


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("what", [free_bets, lives])
def test_nothing_is_said_of_what_agrees(spine: Spine, what: Callable[[Player], list[Event]], full: bool) -> None:
    p = Player()
    told(spine, p.funded(), what(p), later())

    assert named(reconciled(full=full)) == set()


@pytest.mark.parametrize("full", [False, True])
def test_a_free_bet_staked_as_bonus_money_is_held_like_any_other(spine: Spine, full: bool) -> None:
    """Once the ledger has something of it, it has to be all of it."""
    p, bet = Player(), str(uuid4())
    placed = [p.bet("BetPlaced", bet, is_free_bet=True), p.money("StakeTaken", bet, 0, bonus_amount=900)]
    told(spine, p.funded(), placed, later())

    found = named(reconciled(full=full))

    assert {one for one in found if one[0] != "overdrawn"} == {
        ("open_bets", "difference", f"bet_id={bet}"), ("payouts", "warning", f"bet_id={bet}"),
    }  # fmt: skip


def test_what_a_dead_letter_may_tell_is_known(spine: Spine) -> None:
    """A bet or a step that did not keep its contract: not a word before somebody has seen to the letter."""
    p, unplaced, skipped = Player(), str(uuid4()), str(uuid4())
    broken = [p.bet("BetPlaced", unplaced), p.bet("BetResettled", skipped, 2, payout=3_000, previous_payout=5_000)]
    told(spine, p.funded(), p.placed(skipped), p.settled(skipped))
    spine.send_bytes(
        BETS,
        [frame(spine.registry.register(one.record), encode(one.record, one.body) + b"\0") for one in broken],
        key=p.id.encode(),
    )
    third = p.bet("BetResettled", skipped, 3, payout=0, previous_payout=3_000)
    told(spine, [p.bet(SETTLE, unplaced, 1, payout=0), third, p.money("WinningsReversed", skipped, 5_000)], later())

    known = {(one["check"], one["weight"], one["where"].partition(",")[0]) for one in reconciled(full=False).named}

    assert known == {("chain", "known", f"bet_id={unplaced}"), ("chain", "known", f"bet_id={skipped}")}
    assert spine.value("SELECT count(*) FROM reconcile_finding") == 0


def test_what_is_mended_ends_with_the_next_run(spine: Spine) -> None:
    """The bet that was missing comes after all: its settlement is read again, and the alert is closed."""
    p, bet = Player(), str(uuid4())
    settled = [p.bet(SETTLE, bet, 1, payout=0)]
    told(spine, p.funded(), settled, later())
    assert ("chain", "warning", f"bet_id={bet}") in named(reconciled(full=False))

    told(spine, [*p.placed(bet), p.money(RELEASE, bet)])

    assert named(reconciled(full=False)) == set()
    assert spine.value("SELECT count(*) FROM reconcile_finding WHERE ended_at IS NULL") == 0


@pytest.mark.parametrize("full", [False, True])
def test_what_a_person_had_skipped_in_mid_log_is_no_contradiction_and_is_said(spine: Spine, full: bool) -> None:
    p, bet = Player(), str(uuid4())
    told(spine, p.funded(), p.placed(str(uuid4())))
    spine.send([p.bet("BetPlaced", bet)])
    [(stream, topic, partition)] = spine.lag("trading")
    call_command(
        "streams", "skip", stream, topic, str(partition), "--to", "end", "--reason", "a test", stdout=StringIO()
    )
    told(spine, [p.money("StakeTaken", bet)], p.settled(bet), later())

    report = reconciled(full=full)

    assert (report.clean, {check for check, _, _ in named(report)}) == (True, {"known_gap"})
    assert "what is made of them lacks them" in report.named[0]["says"]
    shown, document = StringIO(), StringIO()
    call_command("status", stdout=shown)
    call_command("status", "--json", stdout=document)
    [lacks] = json.loads(document.getvalue())["skipped"]
    assert "! SKIPPED" in shown.getvalue()
    assert lacks.startswith("trading: bet-events lacks 1 messages, skipped by ")
    assert {"ggr", "bets"} <= set(lacks.partition("so do ")[2].split(", "))
    facts = Client().get("/health/facts").json()["topics"]
    assert {(one["stream"], one["topic"]): one["skipped_messages"] for one in facts}[stream, topic] == 1
    page = Client().get("/metrics").content.decode()
    assert 'pitboss_stream_skipped_messages{stream="trading",topic="bet-events"} 1.0' in page
    Gap.objects.update(accepted_at=datetime.now(UTC) - timedelta(days=31))
    assert read_health().skipped == []
