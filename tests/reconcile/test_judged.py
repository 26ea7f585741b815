"""A finding ends where a run has judged its place and found nothing, and nowhere else; what was left alone is said."""

from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from backoffice.contracts.catalogue import dead_letter_topic
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile import checker, differences
from backoffice.reconcile.messages.log import Log
from backoffice.reconcile.models import Finding, Run
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.streams.kafka.offsets import Answers
from tests.reconcile.conftest import Reconcile, changed
from tests.reconcile.lives import BETS, PAY, SETTLE, Player, later, named, reconciled, told
from tests.spine import Spine
from trading import payouts

ALERTS = "SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'"


def standing() -> list[tuple[str, str]]:
    """Check and weight of the findings that stand open."""
    found = Finding.objects.filter(ended_at=None).values_list("difference__check", "difference__weight")
    return sorted((str(check), str(weight)) for check, weight in found)


def at_rows() -> set[UUID]:
    """The open findings of rows that are not what their messages say."""
    return set(Finding.objects.filter(ended_at=None, difference__check="rows").values_list("id", flat=True))


def left_open(said: list[dict[str, object]]) -> set[str]:
    """Of which check a run says that it could not judge what stands open."""
    return {str(one["where"]).partition(" ")[0] for one in said if one["check"] == "not_judged"}


def runs(number: int) -> None:
    for _ in range(number):
        run_once(full=False, clock=SystemClock())


def skip_one(spine: Spine, p: Player) -> None:
    """A person lets trading go on behind a message that is nothing to the bets before it."""
    spine.send([p.bet("BetPlaced", str(uuid4()))])
    [(stream, topic, partition)] = spine.lag("trading")
    words = ("skip", stream, topic, str(partition), "--to", "end", "--reason", "a test")
    call_command("streams", *words, stdout=StringIO())


def in_another_partition(spine: Spine, bet: str) -> Player:
    """Somebody who placed a bet hours after it, and whose bets come through another partition."""
    mine = spine.value("SELECT source_partition FROM trading_bet WHERE id = %s", bet)
    while True:
        other = Player(hours=2)
        told(spine, other.funded(), other.placed(str(uuid4())))
        if spine.value("SELECT source_partition FROM trading_bet WHERE player_id = %s", other.id) != mine:
            return other


@pytest.mark.parametrize("full", [False, True])
def test_a_step_at_odds_stays_open_while_another_partition_lags(spine: Spine, full: bool) -> None:
    p, bet = Player(hours=1), str(uuid4())
    told(spine, p.funded(), [p.bet("BetPlaced", bet), p.money("StakeTaken", bet)])
    other = in_another_partition(spine, bet)
    told(spine, [p.bet(SETTLE, bet, 1, payout=0, stake=100_000), p.money("StakeReleased", bet)])
    assert ("chain", "warning", f"bet_id={bet}") in named(reconciled(full=full))
    before = standing(), spine.value(ALERTS)
    spine.send([other.bet("BetPlaced", str(uuid4()))])

    report = reconciled(full=full)

    assert (standing(), spine.value(ALERTS)) == before
    assert "chain" in left_open(report.named)


@pytest.mark.usefixtures("whole_rounds")
def test_payouts_stay_open_once_something_was_skipped_until_they_are_right(spine: Spine) -> None:
    p, twice, untaken = Player(), str(uuid4()), str(uuid4())
    paid = [*p.placed(twice), *p.settled(twice), p.money(PAY, twice, 5_000)]
    told(spine, p.funded(), paid, [p.bet("BetPlaced", untaken)], later())
    runs(1)
    found = [("open_bets", "difference"), ("payouts", "warning"), ("payouts", "warning")]
    assert standing() == found
    before = spine.value(ALERTS)
    skip_one(spine, p)

    runs(4)
    for full in (False, True):
        report = reconciled(full=full)
        assert (report.clean, left_open(report.named)) == (None, {"open_bets", "payouts"})
    assert (standing(), spine.value(ALERTS)) == (found, before)

    told(spine, [p.money("WinningsReversed", twice, 5_000), p.money("StakeTaken", untaken)])
    runs(4)
    assert standing() == []
    assert reconciled(full=True).clean


@pytest.mark.usefixtures("whole_rounds")
def test_payouts_stay_open_while_what_they_go_by_lags(spine: Spine) -> None:
    p, bet = Player(hours=6), str(uuid4())
    told(spine, p.funded(), [p.bet("BetPlaced", bet)], later())
    runs(1)
    assert ("payouts", "warning") in standing()
    # Of just now: the ledger may have more to tell of it.
    told(spine, [Player(hours=0).bet(SETTLE, bet, 1, payout=0, player_id=p.id)])

    runs(4)

    assert standing() == [("payouts", "warning")], "the stake is not held any more because the bet is over"
    assert "payouts" in left_open(Run.objects.latest("started_at").named)


def test_reading_an_offset_again_ends_nothing_that_a_walk_has_found(continued: Spine, reconcile: Reconcile) -> None:
    """It does not ask for it."""
    of_one = "(SELECT event_id FROM wallet_transfer GROUP BY 1 HAVING count(*) = 1 ORDER BY 1 LIMIT 1)"
    changed(continued, f"UPDATE wallet_transfer SET amount = amount + 1 WHERE event_id = {of_one}")
    assert reconcile("--full")[0] == 1
    at_offset = Finding.objects.filter(difference__check="ledger").exclude(difference__offsets=None)
    assert at_offset.count() == 1

    slow = {"rows_at_least": 1, "rows_at_most": 1}
    with override_settings(RECONCILE=settings.RECONCILE | slow):
        reconcile()

    assert at_offset.filter(ended_at=None).count() == 1


@pytest.mark.parametrize("full", [False, True])
def test_a_dead_letter_without_a_copy_stays_open_while_the_copies_cannot_be_read(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    spine.send_bytes(BETS, [b"rubbish"], partition=0)
    spine.drain("trading")
    spine.rows("DELETE FROM streams_outbox RETURNING 1")
    reconciled(full=full)
    assert standing() == [("dead_letters", "difference")]
    asked, copies = Log._asked, f"{spine.prefix}{dead_letter_topic(BETS)}"

    def without_copies(self: Log, topics: set[str], *more: object) -> Answers:
        answers = asked(self, topics, *more)  # type: ignore[arg-type]
        parts = answers.told.pop(copies, {})
        return Answers(answers.told, answers.untold | {copies: dict.fromkeys(parts or [0], "no leader")})

    monkeypatch.setattr(Log, "_asked", without_copies)
    report = reconciled(full=full)

    assert report.clean is None
    assert ("dead_letters", "difference") in standing()
    assert "dead_letters" in left_open(report.named)


@pytest.mark.parametrize("full", [False, True])
def test_what_stands_at_a_message_that_cannot_be_compared_stays_open(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    p, bet = Player(), str(uuid4())
    told(spine, p.funded(), p.placed(bet))
    spine.rows("UPDATE trading_bet SET stake = stake + 1 RETURNING 1")
    reconciled(full=full)
    before = at_rows()
    assert len(before) == 1

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(checker, "flatten", failing)
        reconciled(full=full)

    assert at_rows() == before, "what the message made is not known"


@pytest.mark.usefixtures("whole_rounds")
@pytest.mark.parametrize("rows", [1, 2])
def test_what_comes_after_the_rows_that_a_query_lists_stays_open(
    spine: Spine, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    p = Player()
    told(spine, p.funded(), [p.bet("BetPlaced", str(uuid4())) for _ in range(4)], later())
    runs(1)
    found = standing()
    assert found.count(("payouts", "warning")) == 4
    monkeypatch.setattr(payouts, "LISTED", rows)
    monkeypatch.setattr(differences, "LISTED", rows)

    runs(4)

    assert standing().count(("payouts", "warning")) == 4
