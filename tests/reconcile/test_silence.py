"""That a run says nothing of a place ends no finding there: it may see less than the run that found it."""

from collections.abc import Callable
from io import StringIO
from uuid import UUID, uuid4

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management import call_command

from backoffice.reconcile.models import Finding
from tests.faults.test_lost_logs import made_anew
from tests.reconcile.altering import altered, columns_of
from tests.reconcile.conftest import changed, events_of, garbage, replica
from tests.reconcile.lives import BETS, PAY, Player, later, named, reconciled, told
from tests.reconcile.test_every_column import EXEMPT, OF_LETTERS, TABLES
from tests.spine import Spine

pytestmark = pytest.mark.usefixtures("whole_rounds")
FORGED = (
    "INSERT INTO trading_market SELECT (jsonb_populate_record(m, jsonb_build_object('id', 'forged'))).*"
    " FROM trading_market m LIMIT 1"
)
WINDOW = (
    "UPDATE metrics_window SET count = count {} 7 WHERE ctid = (SELECT ctid FROM metrics_window"
    " WHERE topic = 'odds-feed' AND metric = 'events' ORDER BY minute, key, partition LIMIT 1)"
)
BEYOND = (
    "INSERT INTO trading_bet SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(),"
    " 'event_id', gen_random_uuid(), 'stake', 0, 'source_partition', 1 - source_partition,"
    " 'source_offset', 1000000))).* FROM trading_bet b"
)


def standing() -> set[UUID]:
    return set(Finding.objects.filter(ended_at=None).values_list("id", flat=True))


def checks() -> list[str]:
    return sorted(str(one) for one in Finding.objects.filter(ended_at=None).values_list("difference__check", flat=True))


def taken(spine: Spine, upto: Callable[[str, int], int]) -> None:
    """What the logs have below these offsets, by topic and end, is gone."""
    gone = [TopicPartition(f"{spine.prefix}{t}", part, upto(t, end)) for (t, part), end in spine.ends().items() if end]
    admin = AdminClient({**settings.KAFKA})
    for done in admin.delete_records([one for one in gone if one.offset]).values():
        done.result(30)


def runs(number: int) -> None:
    for _ in range(number):
        reconciled(full=False)


def test_what_a_log_without_its_beginning_does_not_tell_stays_open(spine: Spine) -> None:
    spine.send(events_of(1_000))
    spine.drain()
    reconciled(full=False)
    for statement in (FORGED, WINDOW.format("+")):
        with replica(spine) as connection:
            connection.execute(statement)
    reconciled(full=False)
    found = standing()
    assert checks() == ["state", "windows"]
    taken(spine, lambda topic, end: int(topic == "odds-feed" and end > 1))

    report = reconciled(full=True)

    assert (standing(), report.clean) == (found, None)
    assert {one["where"].partition(" ")[0] for one in report.named if one["check"] == "not_judged"} == set(checks())

    changed(spine, "DELETE FROM trading_market WHERE id = 'forged'")
    changed(spine, WINDOW.format("-"))
    reconciled(full=True)
    assert checks() == ["windows"], "whether a row stands is seen, whatever the log has"
    runs(4)
    assert checks() == [], "the books of the runs by the clock know all"


def test_every_altered_row_stays_open_when_the_logs_have_lost_its_message(spine: Spine) -> None:
    """One of each table that the streams write: whichever check has found it, it must not take its own silence for an
    answer."""
    spine.send(events_of(2_700))
    garbage(spine)
    spine.drain()
    columns = columns_of(spine, TABLES, EXEMPT)
    of_each = {table: [each for each in columns if each.table == table] for table in TABLES}
    altered(spine, [each[len(each) // 2] for each in of_each.values()], OF_LETTERS, nulls=False)
    report = reconciled(full=True)
    assert report.total == len(report.differences), "all are listed"
    found = standing()
    assert len(found) > len(TABLES) // 2

    taken(spine, lambda _, end: end - 1)
    reconciled(full=True)
    assert [str(Finding.objects.get(id=one).difference) for one in found - standing()] == []

    runs(4)
    assert [str(Finding.objects.get(id=one).difference) for one in found - standing()] == []


def test_behind_the_end_of_an_empty_partition_a_run_over_everything_looks(spine: Spine) -> None:
    p = Player()
    told(spine, p.funded(), p.placed(str(uuid4())))
    changed(spine, BEYOND)
    runs(1)
    found = standing()
    assert checks() == ["rows"]

    assert reconciled(full=True).clean is False
    assert standing() == found

    changed(spine, "DELETE FROM trading_bet WHERE source_offset = 1000000")
    reconciled(full=True)
    assert checks() == []


def test_a_row_of_a_former_topic_is_not_judged_by_the_new_one(spine: Spine) -> None:
    p, bet = Player(), str(uuid4())
    told(spine, p.funded(), p.placed(bet), later())
    reconciled(full=False)
    changed(spine, "UPDATE trading_bet SET stake = stake + 777 WHERE id = %s", bet)
    reconciled(full=True)
    found = set(Finding.objects.filter(ended_at=None, difference__check="rows").values_list("id", flat=True))
    assert len(found) == 1
    made_anew(spine, 2, BETS)
    spine.ends()
    call_command("streams", "adopt", "trading", BETS, "--reason", "a test", stdout=StringIO())

    for full in (False, False, False, True):
        report = reconciled(full=full)
        assert report.clean is not True
        assert found <= standing()


def test_a_dead_letter_of_the_player_closes_nothing_that_stands_open(spine: Spine) -> None:
    p, q, paid, astray = Player(), Player(), str(uuid4()), str(uuid4())
    told(spine, p.funded(), q.funded(), [*p.placed(paid), *p.settled(paid), p.money(PAY, paid, 5_000)],
         [*p.placed(astray), q.money("StakeTaken", astray, 9_000)], later())  # fmt: skip
    reconciled(full=True)
    found = standing()
    bets = {("payouts", "warning", f"bet_id={bet}") for bet in (paid, astray)}
    assert bets == {one for one in named(reconciled(full=True)) if one[0] == "payouts"}
    spine.send_bytes("wallet-transactions", [b"rubbish"], key=p.id.encode())
    spine.drain("wallet", "trading")

    for full in (True, False, False, False):
        report = reconciled(full=full)
        assert found <= standing()

    assert ("payouts", "warning", f"bet_id={astray}") in named(report), "no message that is missing does that"
    assert ("payouts", "known", f"bet_id={paid}") in named(report)
