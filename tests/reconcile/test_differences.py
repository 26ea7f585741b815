"""What was found: each finding once whatever its figures are, all counted, the first of them kept."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from django.db.backends.utils import CursorWrapper

from backoffice.reconcile.checks import letters
from backoffice.reconcile.checks.comparing import shown
from backoffice.reconcile.checks.tallies import Tally
from backoffice.reconcile.checks.unseen import UNNAMED, unnamed, unseen_sums
from backoffice.reconcile.checks.wants import Want
from backoffice.reconcile.differences import NOT_JUDGED, Difference, Unjudged, Weight, beyond
from backoffice.reconcile.findings import Findings
from backoffice.reconcile.messages.log import Chunk, Slice
from backoffice.reconcile.models import Finding
from backoffice.reconcile.telling import tell
from backoffice.streams.store.projection import STREAMS

# So many are kept of each kind.
LISTED = 100

LOST = Difference(
    "lost", "The row is not there.", "bet-events", 3, "BetPlaced", (7, 9), "id=1", {"stake": 5}, {"stake": 6},
    stream="trading",
)  # fmt: skip


def found(number: int, **changes: Any) -> Difference:
    return replace(LOST, offsets=(number, number), **changes)


@pytest.mark.parametrize(
    "figures",
    [{"says": "Otherwise."}, {"kafka": None}, {"postgres": {"stake": 7}}, {"weight": Weight.WARNING}],
)
def test_a_finding_is_the_same_whatever_its_figures_are_by_then(figures: dict[str, Any]) -> None:
    assert replace(LOST, **figures).fingerprint() == LOST.fingerprint()


@pytest.mark.parametrize(
    "place",
    [
        {"check": "altered"}, {"stream": "players"}, {"topic": "odds-feed"}, {"partition": 4}, {"partition": None},
        {"record": "BetSettled"}, {"offsets": (7, 8)}, {"offsets": None}, {"where": "id=2"},
    ],
)  # fmt: skip
def test_another_place_is_another_finding(place: dict[str, Any]) -> None:
    assert replace(LOST, **place).fingerprint() != LOST.fingerprint()


def test_the_id_of_a_finding_stays_as_it_is() -> None:
    """It stands in tables: another way to derive it would tell of every finding anew."""
    assert str(LOST.fingerprint()) == "acbc370a-df99-fb99-18c6-d3ca2848b61c"


@pytest.mark.parametrize("weight", Weight)
@pytest.mark.parametrize("offsets", [(7, 9), (0, 0), None])
def test_a_finding_comes_back_from_json_as_it_was(weight: Weight, offsets: tuple[int, int] | None) -> None:
    finding = replace(LOST, weight=weight, offsets=offsets)

    told = json.loads(json.dumps(finding.as_json()))

    assert told == finding.as_json()
    assert Difference.from_json(told) == finding
    assert told["weight"] == weight.value
    assert told["offsets"] == (list(offsets) if offsets else None)


def test_weights_are_stored_by_these_words() -> None:
    assert [weight.value for weight in Weight] == ["difference", "warning", "known"]


def test_a_finding_is_a_line_for_who_watches() -> None:
    assert Difference("ends_early", "It ends.", "odds-feed").line() == "difference (ends_early) odds-feed: It ends."
    bare = Difference("open_bets", "Balances differ.", where="account=1", postgres=0)

    assert LOST.line() == (
        "difference (lost) bet-events[3]@7 BetPlaced id=1: The row is not there."
        "; Kafka: {'stake': 5}, Postgres: {'stake': 6}"
    )
    assert bare.line() == "difference (open_bets) account=1: Balances differ."
    assert replace(bare, kafka=5, weight=Weight.KNOWN).line() == (
        "known (open_bets) account=1: Balances differ.; Kafka: 5, Postgres: 0"
    )
    assert replace(bare, topic="odds-feed", partition=0).line().startswith("difference (open_bets) odds-feed[0] acc")
    assert replace(bare, topic="odds-feed").line().startswith("difference (open_bets) odds-feed account=1")
    assert replace(bare, postgres=5).line().endswith("; Kafka: None, Postgres: 5")


def test_what_is_met_again_is_counted_once() -> None:
    findings = Findings()
    for finding in (found(1), found(2), found(1, says="Still not.")):
        findings.add(finding)

    assert findings.total == 2
    assert findings.listed == [found(1), found(2)]


def test_all_are_counted_and_the_first_are_kept() -> None:
    findings = Findings()
    for number in range(LISTED + 5):
        findings.add(found(number))
        findings.add(found(number, check="late", weight=Weight.WARNING))

    assert findings.by_check == {"lost": LISTED + 5}
    assert findings.named_by_check == {"late": LISTED + 5}
    assert [finding.offsets for finding in findings.listed] == [(number, number) for number in range(LISTED)]
    assert [finding.offsets for finding in findings.named] == [(number, number) for number in range(LISTED)]


@pytest.mark.parametrize("weight", [Weight.WARNING, Weight.KNOWN])
def test_what_is_no_difference_is_named_and_not_counted_among_them(weight: Weight) -> None:
    findings = Findings()
    findings.add(found(1, weight=weight))

    assert (findings.total, findings.listed, findings.named) == (0, [], [found(1, weight=weight)])
    assert findings.named_by_check == {"lost": 1}


def test_more_of_what_a_query_only_counted() -> None:
    findings = Findings()
    findings.add(found(1))
    findings.more("lost", 40)
    findings.more("altered", 2)

    assert (findings.total, findings.by_check, len(findings.listed)) == (43, {"lost": 41, "altered": 2}, 1)


def test_what_was_found_beside_is_taken_in() -> None:
    mine, theirs = Findings(), Findings()
    for number in range(LISTED - 1):
        mine.add(found(number))
        mine.add(found(number, check="late", weight=Weight.WARNING))
    for number in range(3):
        theirs.add(found(number, topic="odds-feed"))
        theirs.add(found(number, topic="odds-feed", check="known", weight=Weight.KNOWN))

    mine.merge(theirs)
    mine.add(found(0, topic="odds-feed"))

    assert mine.by_check == {"lost": LISTED + 2}
    assert mine.named_by_check == {"late": LISTED - 1, "known": 3}
    assert (len(mine.listed), len(mine.named)) == (LISTED + 2, LISTED - 1 + 3)
    assert mine.listed[-3] == found(0, topic="odds-feed")
    assert mine.named[-3] == found(0, topic="odds-feed", check="known", weight=Weight.KNOWN)


def test_a_run_that_goes_on_knows_what_it_found_before() -> None:
    findings = Findings()

    of_lost, counts = found(1).kind, {found(1).kind: 150, found(3, weight=Weight.KNOWN).kind: 1}
    findings.restore([found(1), found(2)], [found(3, weight=Weight.KNOWN)], counts)
    findings.add(found(2))
    findings.add(found(4))

    assert (findings.total, findings.counts[of_lost]) == (151, 151)
    assert findings.listed == [found(1), found(2), found(4)]
    assert findings.named == [found(3, weight=Weight.KNOWN)]


def test_what_a_run_that_goes_on_had_listed_takes_no_room_of_what_is_new() -> None:
    findings = Findings(standing=[])
    findings.restore([found(number) for number in range(LISTED)], [], {found(1).kind: LISTED + 7})
    for number in range(LISTED + 5):
        findings.add(found(1_000 + number))

    (kind,) = findings.take_cut()
    assert kind.kind == found(1).kind
    assert findings.listed[LISTED:] == [found(1_000 + number) for number in range(LISTED)]
    (counted,) = findings.counts_as_json()
    assert (counted["found"], counted["listed"]) == (2 * LISTED + 12, len(findings.listed))


def test_a_run_that_goes_on_knows_that_a_difference_could_not_be_judged_whatever_else_was_not() -> None:
    findings = Findings()
    left = [
        Difference(NOT_JUDGED, "It stands open.", where=str(number), weight=Weight.KNOWN,
                   postgres={"weight": str(Weight.DIFFERENCE if number > LISTED else Weight.WARNING)})
        for number in range(LISTED + 3)
    ]  # fmt: skip
    for one in left:
        findings.add(one)
    after = Findings()

    after.restore(findings.listed, findings.named, findings.counts)

    assert (findings.is_clean, after.is_clean) == (False, False)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("half \ud83d of a pair", "half ? of a pair"),
        ("x" * 1_001, "x" * 999 + "…"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (0.5, 0.5),
        (None, None),
        (True, True),
        (b"\0", "b'\\x00'"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime(2026, 3, 4, 5, 6, tzinfo=UTC), "2026-03-04 05:06:00+00:00"),
        ([1, ("a\0", {"b\0": 2})], [1, ["a\N{REPLACEMENT CHARACTER}", {"b\N{REPLACEMENT CHARACTER}": 2}]]),
    ],
)
@pytest.mark.usefixtures("house")
def test_whatever_a_message_says_can_be_kept(said: Any, kept: Any) -> None:
    finding = replace(LOST, kafka={"name": said}, postgres=said)

    tell([finding], datetime.now(UTC))

    told = Finding.objects.get(id=finding.fingerprint()).difference
    assert (told["kafka"], told["postgres"]) == ({"name": kept}, kept)
    Finding.objects.all().delete()


def may_be(unjudged: Unjudged, **changes: Any) -> bool:
    return unjudged.may_be(replace(LOST, **changes).as_json())


def test_what_was_seen_and_not_judged_may_be_its_own_finding_and_no_other() -> None:
    seen = Unjudged.of(replace(LOST, says="Otherwise.", weight=Weight.KNOWN, postgres=None), "it may be under way")

    assert may_be(seen)
    others: list[dict[str, Any]] = [
        {"check": "altered"}, {"stream": "players"}, {"topic": "odds-feed"}, {"partition": 4}, {"offsets": (10, 11)},
        {"where": "id=2"},
    ]  # fmt: skip
    assert [may_be(seen, **other) for other in others] == [False] * len(others)


@pytest.mark.parametrize(
    ("changes", "is_so"),
    [
        ({}, True), ({"check": "altered"}, True), ({"offsets": (9, 9)}, True), ({"offsets": (10, 12)}, False),
        ({"offsets": (5, 7)}, True),
        ({"offsets": (5, 6)}, False), ({"partition": 4}, False), ({"topic": "odds-feed"}, False),
        ({"offsets": None}, True), ({"offsets": None, "partition": None}, True),
        ({"offsets": None, "partition": 4}, False), ({"walk": "lost in trading_bet"}, False),
        ({"offsets": None, "walk": "lost in trading_bet"}, False),
    ],
)  # fmt: skip
def test_what_may_come_of_messages_is_all_that_stands_there_and_was_found_by_no_walk(
    changes: dict[str, Any], is_so: bool
) -> None:
    place = Unjudged("", "it cannot be compared", "bet-events", 3, (7, 9), stream="trading")

    assert may_be(place, **changes) is is_so


def test_of_several_faults_of_a_dead_letter_each_is_a_finding() -> None:
    at = Chunk(Slice(STREAMS["trading"], "bet-events", 0, 0, 9, is_new=True), 0, 9)
    no_reason, no_twin = (letters._at_offset(at, fault, 1) for fault in (letters.NO_REASON, letters.NO_TWIN))
    unsought = Unjudged.of(no_twin, "the topic cannot be read")

    assert no_reason.fingerprint() != no_twin.fingerprint()
    assert (unsought.may_be(no_twin.as_json()), unsought.may_be(no_reason.as_json())) == (True, False)


def test_what_was_found_in_another_log_of_the_name_is_another_finding() -> None:
    assert len({replace(LOST, log=log).fingerprint() for log in ("", "1/0", "1/1")}) == 3


@pytest.mark.parametrize("known", [0, 99, 100, 101])
def test_a_run_over_which_much_is_known_is_not_clean_where_a_difference_could_not_be_judged(known: int) -> None:
    findings = Findings()
    for number in range(known):
        findings.add(Difference("open_bets", "known", where=str(number), weight=Weight.KNOWN))

    findings.add(Difference(NOT_JUDGED, "It stands open.", postgres={"weight": "difference"}, weight=Weight.KNOWN))

    assert (findings.is_clean, findings.named[-1].check) == (False, NOT_JUDGED)


def test_what_could_not_be_judged_is_left_where_it_may_be_one_that_stands_open() -> None:
    findings = Findings(standing=[found(7).as_json()])
    for number in range(LISTED + 5):
        findings.leave(Unjudged.of(found(number), "under way"))

    assert findings.take_unjudged() == [Unjudged.of(found(7), "under way")]


@pytest.mark.parametrize("key", [("a", "b"), ("a, b=c", ""), ('"', "x=y"), ("", ""), ("a b: c", "\\")])
def test_a_finding_names_its_key_so_that_it_can_be_read(key: tuple[str, str]) -> None:
    want = Want("name", "table", ("one", "two"), ("count",))
    found = shown("state", "It differs.", want, None, dict(zip(want.key, key, strict=True)))

    assert found.key == key
    assert Difference.from_json(found.as_json()) == found


def test_no_two_keys_read_alike() -> None:
    want = Want("name", "table", ("one", "two"), ("count",))
    keys = [("a", "b, two=c"), ("a, two=b", "c"), ("a", "b"), ('"a"', "b")]
    found = [shown("state", "It differs.", want, None, dict(zip(want.key, key, strict=True))) for key in keys]

    assert len({one.fingerprint() for one in found}) == len(keys)


def test_what_two_states_of_one_row_are_found_to_be_are_two_findings() -> None:
    one = Difference("state", "It differs.", "player-events", where="id=1", table="players_player", key=("1",))

    assert len({replace(one, state=state).fingerprint() for state in ("", "status", "whose")}) == 3


def test_a_row_that_was_noted_without_its_key_is_left_unjudged() -> None:
    of_old: dict[str, Any] = {
        "check": "state", "table": "players_player", "topic": "player-events", "partition": None, "offsets": None,
        "where": "id=1", "stream": "players", "key": [],
    }  # fmt: skip
    others = [of_old | {"key": ["1"]}, of_old | {"check": "rows"}, of_old | {"check": "windows", "table": ""}]

    assert [one.why for one in unnamed([of_old, *others])] == [UNNAMED]


def test_a_sum_that_was_noted_without_its_key_is_not_asked_for() -> None:
    want = Want("name", "table", ("one", "two"), ("count", "amount"), adding=True)
    tally = Tally(want, "tally", "stream", "wallet", ("wallet",))
    of_old = {"check": "windows", "table": "table", "topic": "odds-feed", "partition": 0, "key": []}

    assert list(unseen_sums(cast(CursorWrapper, None), tally, [of_old], ["odds-feed/0"])) == []


def test_findings_of_before_there_were_names_of_walks_may_be_unjudged() -> None:
    former = LOST.as_json()
    del former["walk"]

    assert Unjudged("", "it cannot be compared", "bet-events", 3, (7, 9), stream="trading").may_be(former)
    assert Difference.from_json(former) == LOST


def test_of_more_than_are_listed_nothing_that_the_check_finds_is_judged() -> None:
    findings = Findings()
    for number in range(LISTED):
        findings.leave(Unjudged.of(found(number), "under way"))
    findings.leave(Unjudged.of(replace(LOST, check="altered"), "under way"))
    assert len(findings.take_unjudged()) == LISTED + 1
    assert findings.take_unjudged() == []

    for number in range(LISTED + 5):
        findings.leave(Unjudged.of(found(number), "under way"))

    taken = findings.take_unjudged()
    assert Unjudged("lost", "under way", "bet-events", stream="trading") in taken
    assert len(taken) <= 5


@pytest.mark.parametrize(("rows", "is_whole"), [(0, True), (LISTED, True), (LISTED + 1, False)])
def test_behind_the_rows_that_a_query_gives_nobody_has_looked(rows: int, is_whole: bool) -> None:
    assert [one.check for one in beyond("lost", range(rows))] == ([] if is_whole else ["lost"])


@pytest.mark.parametrize(("weight", "is_clean"), [(Weight.DIFFERENCE, False), (Weight.WARNING, True)])
def test_a_run_that_could_not_judge_a_difference_is_not_clean(weight: Weight, is_clean: bool) -> None:
    findings = Findings()
    assert findings.is_clean

    findings.add(Difference(NOT_JUDGED, "It stands open.", postgres={"weight": str(weight)}, weight=Weight.KNOWN))

    assert (findings.is_clean, findings.is_whole, findings.total) == (is_clean, True, 0)


def test_what_two_processes_have_met_is_counted_once() -> None:
    mine, others = Findings(), Findings()
    left = replace(LOST, check=NOT_JUDGED, weight=Weight.KNOWN, postgres={"weight": "difference"})
    for findings in (mine, others):
        for finding in (found(1), found(2, weight=Weight.WARNING), left):
            findings.add(finding)
    others.add(found(3))

    mine.merge(others)

    assert (mine.total, mine.by_check["lost"], mine.named_by_check["lost"], mine.left) == (2, 2, 1, 1)
    assert mine.listed == [found(1), found(3)]
    assert mine.named == [found(2, weight=Weight.WARNING), left]
    mine.add(found(3))
    assert mine.total == 2
