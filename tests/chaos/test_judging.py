"""The judge of a seed names what is lost, doubled, altered or out of order; the last line says which seeds failed."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.chaos.scene import Scene
from tests.chaos.verdict import Verdict, judged, line, summary
from tests.faults.load import Load, some_events
from tests.faults.oracle import Difference
from tests.reconcile.conftest import replica
from tests.spine import Spine

EVENTS = 1_500
REPEATED = "StakeTaken"

# What is done to the tables, and what has to be said of it: the kind, and where.
PLANTED = {
    "a row is gone": (
        "DELETE FROM wallet_round WHERE id = (SELECT min(id::text)::uuid FROM wallet_round)", "lost", "wallet_round",
    ),
    "an amount is another": (
        "UPDATE trading_bet SET stake = stake + 1 WHERE id = (SELECT min(id::text)::uuid FROM trading_bet)",
        "altered", "trading_bet",
    ),
    "a balance is more": (
        "UPDATE wallet_balance SET credits = credits + 1 WHERE (account_id, partition) ="
        " (SELECT account_id, partition FROM wallet_balance ORDER BY 1, 2 LIMIT 1)", "doubled", "wallet_balance",
    ),
    "a fact of the log is gone": (
        "DELETE FROM wallet_transaction WHERE source_offset ="
        " (SELECT max(source_offset) FROM wallet_transaction WHERE source_partition = 0) AND source_partition = 0",
        "lost", "('wallet-transactions', 0, ",
    ),
    "a repeat is taken for the event": (
        "WITH r AS (SELECT topic, partition, \"offset\" FROM streams_repeat ORDER BY \"offset\" DESC LIMIT 1),"
        " moved AS (UPDATE wallet_transaction t SET source_offset = r.\"offset\" FROM r WHERE t.event_id = %(repeated)s"
        " RETURNING 1)"
        " UPDATE streams_repeat SET \"offset\" = %(first)s FROM r WHERE streams_repeat.\"offset\" = r.\"offset\"",
        "reordered", "wallet-transactions[",
    ),
    "an offset is behind": (
        "UPDATE streams_offset SET next = next - 1 WHERE topic = 'game-rounds' AND partition = 0",
        "lost", "game-rounds[0]",
    ),
    "an offset is ahead": (
        "UPDATE streams_offset SET next = next + 1 WHERE topic = 'bet-events' AND partition = 0",
        "doubled", "bet-events[0]",
    ),
    "a dead letter is gone": ("DELETE FROM streams_deadletter", "lost", "streams_deadletter"),
}  # fmt: skip


def scene_of(spine: Spine, sent: list[Any], bad: int) -> Scene:
    """What the judge asks of a scene and its load."""
    load = cast(Load, SimpleNamespace(sent=sent, bad=bad, clashes=[]))
    return Scene(stack=cast(Any, None), spine=spine, load=load, rng=random.Random(0), output=1)


def test_each_fault_that_is_planted_is_named(spine: Spine) -> None:
    sent = list(some_events(7, EVENTS))
    repeated = next(event for event in sent if event.record == REPEATED)
    spine.worker("all")
    spine.send(sent)
    spine.send_bytes("wallet-transactions", [b"nobody can read this"])
    spine.wait_drained()
    spine.send([repeated])
    spine.wait_drained()
    scene = scene_of(spine, [*sent, repeated], bad=1)
    scene.wait_relayed()
    spine.wait_drained()
    assert judged(scene, (), 0) == []
    (first,) = spine.rows(
        "SELECT source_offset FROM wallet_transaction WHERE event_id = %s", repeated.body["event_id"]
    )[0]

    with replica(spine) as connection:
        for name, (query, *_) in PLANTED.items():
            done = connection.execute(query.encode(), {"repeated": repeated.body["event_id"], "first": first})
            assert done.rowcount == 1, name
    found = judged(scene, (), 0)

    for name, (_, kind, where) in PLANTED.items():
        assert any(one.kind == kind and one.where.startswith(where) for one in found), (name, list(map(str, found)))


FAILED = Verdict(sent=5, kinds=["worker killed"], faults=["worker killed 3.0"], failed="TimeoutError: b", kept="/logs")


@pytest.mark.parametrize(("kind", "counts"), [("lost", (1, 0, 0)), ("doubled", (0, 1, 0)), ("reordered", (0, 0, 1))])
def test_a_seed_with_a_difference_has_not_passed(kind: str, counts: tuple[int, int, int]) -> None:
    verdict = Verdict(differences=[Difference(kind, "trading_bet", "a row")])

    assert not verdict.passed
    assert verdict.counts == counts
    assert f"{kind}: trading_bet: a row" in line(4, verdict, 1.0)


def test_a_row_whose_newest_version_has_not_won_was_reordered() -> None:
    assert Verdict(differences=[Difference("altered", "trading_market", "status")]).counts == (0, 0, 1)


def test_a_seed_that_did_not_end_has_failed_whatever_it_lost() -> None:
    assert not FAILED.passed
    assert line(3, FAILED, 9.0).endswith("lost 0 doubled 0 reordered 0 FAILED: TimeoutError: b")


def test_the_last_line_begins_with_the_seeds_that_failed() -> None:
    well = Verdict(kinds=["worker killed", "clash"], recoveries=[1.0, 2.0])
    odd = Verdict(differences=[Difference("lost", "trading_bet", "a row")])

    drawn, told = summary({1: well, 3: FAILED, 4: odd}).splitlines()

    assert drawn == "drawn: clash 1, worker killed 2"
    assert told == (
        "FAILED 2 of 3: seed 3 (TimeoutError: b; logs in /logs); seed 4 (1 differences);"
        " lost 1 doubled 0 reordered 0 recovery p50 2.0 p99 2.0 max 2.0 s"
    )
    assert summary({1: well}).splitlines()[1].startswith("1 seeds passed; lost 0 doubled 0 reordered 0 ")
    assert "2 messages were read differently" in summary({1: well}, differing=2)
