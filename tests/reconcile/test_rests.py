"""Where more was found than is noted silence ends nothing: a rest ends where all was judged and nothing is left."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from backoffice.contracts.catalogue import TOPICS, dead_letter_topic
from backoffice.contracts.codec import encode, frame
from backoffice.reconcile import differences, rests
from backoffice.reconcile.checks.unseen import unseen_messages
from backoffice.reconcile.differences import Unjudged
from backoffice.reconcile.messages.log import Chunk, Log
from backoffice.reconcile.models import Finding, Rest, Run, Walk
from backoffice.reconcile.runs.run import Report
from backoffice.reconcile.telling import standing
from backoffice.streams.kafka.offsets import Answers
from tests.reconcile.conftest import Reconcile, Tamper, changed, columns_of, events_of
from tests.reconcile.lives import Player, later, reconciled, told
from tests.reconcile.test_plan import CUT, checked, place
from tests.reconcile.test_silence import taken
from tests.spine import Spine
from trading import payouts

pytestmark = pytest.mark.usefixtures("whole_rounds")
FEW = 3
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
TWINS = "DELETE FROM streams_outbox WHERE record = '' AND headers ->> 'partition' IS NOT NULL"
MEND_TWINS = (
    "INSERT INTO streams_outbox ({0}) OVERRIDING SYSTEM VALUE SELECT {0} FROM kept.streams_outbox WHERE record = ''"
    " AND headers ->> 'partition' IS NOT NULL"
)
BALANCES = "UPDATE wallet_balance SET debits = debits {} 1 WHERE partition = 0"
LAGS = "UPDATE streams_offset SET {} WHERE stream = 'wallet' AND topic = 'wallet-transactions' AND partition = 0"
FORGED = (
    "INSERT INTO trading_market SELECT (jsonb_populate_record(m, jsonb_build_object('id', 'forged' || n))).*"
    " FROM trading_market m, generate_series(1, 9) n WHERE m.id = (SELECT min(id) FROM trading_market)"
)
WINDOWS = "UPDATE metrics_window SET count = count {} 7 WHERE topic = 'odds-feed' AND metric = 'events'"


@pytest.fixture(autouse=True)
def few_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "LISTED", FEW)
    monkeypatch.setattr(payouts, "LISTED", FEW)


def of_check(check: str) -> dict[str, int]:
    """About how many there are, by place; what nobody has looked at left out."""
    return dict(Rest.objects.filter(fault=check, number__gt=0).values_list("place", "number"))


def runs(number: int, *, full: bool = False) -> Report:
    for _ in range(number):
        report = reconciled(full=full)
    return report


def untold(monkeypatch: pytest.MonkeyPatch, topic: str, partitions: set[int]) -> Callable[[], None]:
    """Kafka has no leader for these; returns what brings them back."""
    asked = Log._asked

    def without(self: Log, topics: set[str], *more: object) -> Answers:
        answers = asked(self, topics, *more)  # type: ignore[arg-type]
        parts = answers.told.get(topic, {})
        gone = {partition: "it has no leader" for partition in partitions if parts.pop(partition, None)}
        return Answers(answers.told, answers.untold | {topic: gone})

    monkeypatch.setattr(Log, "_asked", without)
    return partial(monkeypatch.setattr, Log, "_asked", asked)


def test_dead_letters_stay_a_rest_while_their_copies_cannot_be_read(
    continued: Spine, meddle: Tamper, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddle(TWINS)
    reconcile()
    found, stand = of_check("dead_letters"), standing()
    assert len(found) == 3
    topics = [f"{continued.prefix}{dead_letter_topic(topic)}" for topic in TOPICS]
    back = [untold(monkeypatch, topic, {0, 1}) for topic in topics]

    for _ in range(2):
        reconcile()
        assert (of_check("dead_letters"), standing()) == (found, stand)

    back[0]()
    meddle(MEND_TWINS.format(", ".join(f'"{name}"' for name in columns_of(continued, "streams_outbox"))))
    for _ in range(2):
        reconcile()
    assert (of_check("dead_letters"), standing().differences.count) == ({}, 0)


def lags(spine: Spine) -> None:
    """The ledger's stream stands still in a partition, since before all that is told."""
    other = Player().funded()[0]
    spine.rows(LAGS.format("newest_at = now() - interval '1 day'") + " RETURNING 1")
    value = frame(spine.registry.register(other.record), encode(other.record, other.body))
    spine.send_bytes("wallet-transactions", [value], partition=0)


@pytest.mark.parametrize("full", [False, True])
def test_what_a_walk_has_found_stays_a_rest_while_a_partition_lags(spine: Spine, full: bool) -> None:
    p, bets = Player(), [str(uuid4()) for _ in range(3 * FEW)]
    told(spine, p.funded(), [p.bet("BetPlaced", bet) for bet in bets], later())
    runs(1)
    found = of_check("open_bets")
    assert list(found.values()) == [2 * FEW]
    assert of_check("payouts")
    lags(spine)

    runs(4, full=full)

    assert of_check("open_bets") == found
    assert of_check("payouts")
    spine.drain("wallet", "trading")
    told(spine, [p.money("StakeTaken", bet) for bet in bets], later())
    runs(5)
    assert (list(Rest.objects.all()), Finding.objects.filter(ended_at=None).count()) == ([], 0)


def test_a_walk_that_has_no_turn_ends_no_rest(spine: Spine) -> None:
    """Nothing of what it goes by is stored, as while a stream is made anew."""
    p, bets = Player(), [str(uuid4()) for _ in range(3 * FEW)]
    told(spine, p.funded(), [p.bet("BetPlaced", bet) for bet in bets], later())
    runs(1)
    found = of_check("open_bets")
    changed(spine, "DELETE FROM streams_offset WHERE stream IN ('trading', 'wallet')")

    runs(3)

    assert of_check("open_bets") == found


def test_sums_stay_a_rest_while_kafka_does_not_tell_of_a_partition(
    continued: Spine, meddle: Tamper, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They must only not fall short then, and they are too many."""
    reconcile()
    meddle(BALANCES.format("+"))
    reconcile()
    found = of_check("balances")
    assert found
    back = untold(monkeypatch, f"{continued.prefix}wallet-transactions", {0})

    for _ in range(4):
        reconcile()

    assert of_check("balances") == found
    back()
    meddle(BALANCES.format("-"))
    for _ in range(5):
        reconcile()
    assert of_check("balances") == {}


def test_what_a_log_without_its_beginning_does_not_tell_stays_a_rest(spine: Spine) -> None:
    spine.send(events_of(1_000))
    spine.drain()
    runs(1)
    changed(spine, FORGED)
    changed(spine, WINDOWS.format("+"))
    runs(1)
    found = of_check("state"), of_check("windows")
    assert all(found)
    taken(spine, lambda topic, end: int(topic == "odds-feed" and end > 1))

    reconciled(full=True)

    assert (of_check("state"), of_check("windows")) == found
    changed(spine, "DELETE FROM trading_market WHERE id LIKE 'forged%'")
    changed(spine, WINDOWS.format("-"))
    runs(5)
    assert list(Rest.objects.all()) == []


def rest(**changes: Any) -> Rest:
    usual = {
        "weight": "difference", "stream": "trading", "topic": "bet-events", "fault": "rows", "first": 10, "last": 40,
        "place": "trading/bet-events/3/0", "number": 5, "first_seen_at": NOW, "last_seen_at": NOW,
    }  # fmt: skip
    return Rest(**usual | changes)


def test_of_what_compaction_took_nobody_knows_whether_it_was_of_a_rest() -> None:
    part = place(topic="market-prices", checked=checked(100)).slice(0, 50, is_new=False)
    chunk = Chunk(part, 0, 50, dict.fromkeys(set(range(50)) - {20}, (b"", b"")))
    there, elsewhere = rest(topic="market-prices"), rest(topic="market-prices", first=30)

    (left,) = unseen_messages(chunk, [], [rests.as_standing(one) for one in (there, elsewhere)])

    assert (left.offsets, left.may_be(rests.as_standing(there))) == ((20, 20), True)


@pytest.mark.usefixtures("spine")
@pytest.mark.parametrize("changes", [{}, {"following": 30}, {"gaps": (CUT,)}, {"generation": 1}, {"low": 11}])
def test_what_is_not_in_the_log_that_was_read_ends_no_rest(changes: dict[str, Any]) -> None:
    """Not all of it is stored, or the log was cut off, made anew or has lost its beginning since."""
    rest(last=40 if "gaps" not in changes else 70).save(force_insert=True)
    position = place(checked=checked(100), **changes)

    rests.end_all(NOW + timedelta(hours=1), [], [position], NOW)

    assert Rest.objects.exists() is bool(changes)
    parts = [(again.part.start, again.part.end) for again in rests.again([position], 1_000)]
    read = {"following": [(10, 30)], "low": [(11, 40)]}
    assert parts == read.get("".join(changes), [])


@pytest.mark.usefixtures("spine")
def test_what_could_not_be_judged_of_a_rest_is_read_again_when_all_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rests, "_AT_ONCE", 1)
    Rest.objects.bulk_create([rest(), rest(fault="replay", last_seen_at=NOW + timedelta(hours=1))])
    (first,) = rests.again([place(checked=checked(100))], 10)
    left = [
        unjudged((25, 25)),
        unjudged((17, 17)),
        unjudged((15, 15)),
        unjudged((12, 12), partition=4),
        unjudged((12, 12), check="legs"),
    ]

    rests.move_on([first], left, NOW)
    said = rests.leave_open(left, Run(full=False, started_at=LATER), NOW + timedelta(hours=2), lambda _: True)

    (judged,) = Rest.objects.filter(fault="rows")
    assert (judged.first, judged.last, judged.number, judged.left) == (20, 40, 5, {"first": 15, "last": 18})
    assert [one.weight for one in said] == ["known"]
    (following,) = rests.again([place(checked=checked(100))], 10)
    assert following.rest.fault == "replay", "it keeps no other from being read"
    for until, expected in ((40, (15, 18, 5)), (18, (18, 18, 0))):
        Rest.objects.exclude(fault="rows").delete()
        (again,) = rests.again([place(checked=checked(100))], 100)
        assert again.part.end == until
        rests.move_on([again], [], NOW)
        judged.refresh_from_db()
        assert (judged.first, judged.last, judged.number) == expected


def walked(rounds: int) -> None:
    Walk.objects.update_or_create(name="open bets in table", defaults={"rounds": rounds, "round_began_at": NOW})


@pytest.mark.usefixtures("spine")
def test_what_was_judged_of_a_walk_is_not_of_its_rest_though_it_is_under_way_later() -> None:
    rest(place="open bets in table", first=None, last=None, rounds=0).save(force_insert=True)
    of_each = [Unjudged("rows", "it may be under way", "bet-events", where=where) for where in "abc"]
    rounds = [of_each[:1], of_each[:2], of_each[:2], of_each[1:], [], of_each[1:]]

    said = []
    for number, left in enumerate(rounds):
        walked(number)
        said.append(len(rests.leave_open(left, Run(full=False, started_at=LATER), NOW, lambda _: True)))
        walked(number + 1)
        rests.end_walked(NOW)

    assert said == [1, 1, 1, 1, 0, 0]
    assert not Rest.objects.exists()


@pytest.mark.usefixtures("spine")
@pytest.mark.parametrize("changes", [{}, {"place": "open bets in table", "first": None, "last": None, "rounds": 0}])
def test_what_could_not_be_judged_when_a_rest_was_found_is_not_of_it(changes: dict[str, Any]) -> None:
    """As a bet is under way for ever of which nothing is told any more."""
    rest(**changes).save(force_insert=True)
    under_way = [unjudged((15, 15)) if not changes else Unjudged("rows", "it is under way", "bet-events", where="a")]

    for number, began in enumerate((NOW, LATER, LATER)):
        walked(number)
        assert rests.leave_open(under_way, Run(full=False, started_at=began), began, lambda _: True) == []
        rests.move_on(rests.again([place(checked=checked(100))], 100), under_way, LATER)
        rests.end_read(LATER)
        rests.end_walked(LATER)

    assert not Rest.objects.exists()


@pytest.mark.usefixtures("spine")
@pytest.mark.parametrize("where", ["a", ""])
def test_a_run_over_everything_has_but_one_round(where: str) -> None:
    rest(place="open bets in table", first=None, last=None, rounds=0).save(force_insert=True)
    walked(7)
    later = NOW + timedelta(hours=1)

    rests.leave_open([Unjudged("rows", "", where=where)], Run(full=True, started_at=LATER), later, lambda _: True)
    rests.end_all(later, ["open bets in table"], [], later)
    assert Rest.objects.exists()

    for number in (8, 9):
        walked(number)
        rests.end_walked(later)
        assert Rest.objects.exists() is (number < 9)


@pytest.mark.usefixtures("spine")
def test_what_the_log_has_lost_keeps_no_other_from_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rests, "_AT_ONCE", 2)
    lost = [rest(fault=fault) for fault in ("legs", "payouts", "rows")]
    later = {"last_seen_at": NOW + timedelta(hours=1)}
    Rest.objects.bulk_create(
        [*lost, rest(fault="chain", last=60, **later), rest(fault="replay", first=50, last=90, **later)]
    )
    position = place(low=50, checked=checked(100))

    rests.move_on(rests.again([position], 1_000), [], NOW + timedelta(hours=2))

    assert dict(Rest.objects.filter(place=rest().place, last__gt=50).values_list("fault", "first")) == {
        "chain": 10, "replay": 90,
    }  # fmt: skip


def unjudged(offsets: tuple[int, int], *, check: str = "rows", partition: int = 3) -> Unjudged:
    return Unjudged(check, "it may be later", "bet-events", partition, offsets, stream="trading")
