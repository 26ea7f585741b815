"""Nothing can hide behind a repeat or a dead letter; what is no difference is named."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pyarrow as pa
import pytest
from django.conf import settings
from django.test import override_settings

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.clock import SystemClock
from backoffice.kernel.ids import uuid7
from backoffice.reconcile import declared
from backoffice.reconcile.declared import Description
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.streams.store.projection import STREAMS, Stream
from tests.spine import Spine
from tests.streams.arriving import NOW, event_of

WALLET, BETS = "wallet-transactions", "bet-events"
RNG = random.Random(3)
PLAYER = str(uuid7(RNG, NOW))


def new_id() -> str:
    return str(uuid7(RNG, NOW))


def sent(spine: Spine, topic: str, *events: tuple[str, dict[str, object]]) -> None:
    values = [
        frame(spine.registry.register(record), encode(record, event_of(record, **body))) for record, body in events
    ]
    spine.send_bytes(topic, values, key=PLAYER.encode(), partition=0)


def stake(amount: int, **changes: object) -> tuple[str, dict[str, object]]:
    body = {"event_id": new_id(), "player_id": PLAYER, "amount": amount, "bonus_amount": 0, "vertical": "slots"}
    return "StakeTaken", body | changes


def found(*, full: bool = False) -> list[tuple[str, object]]:
    report = run_once(full=full, clock=SystemClock())
    return [(difference["check"], difference["offsets"]) for difference in report.differences]


def hidden(spine: Spine, partition: int, offset: int, record: str) -> None:
    """A dead letter is taken away, and a repeat is put into its place."""
    with_letter = spine.rows(
        "WITH gone AS (DELETE FROM streams_deadletter WHERE partition = %s AND \"offset\" = %s RETURNING stream, topic)"
        " INSERT INTO streams_repeat SELECT stream, topic, %s, %s, %s, now() FROM gone RETURNING 1",
        partition, offset, partition, offset, record,
    )  # fmt: skip
    assert with_letter == [(1,)]


@pytest.mark.parametrize("noted", ["StakeTaken", "WinningsPaid"])
def test_winnings_under_the_id_of_a_stake_cannot_pass_for_a_repeat(spine: Spine, noted: str) -> None:
    taken = stake(1_000)
    winnings = {"event_id": taken[1]["event_id"], "player_id": PLAYER, "amount": 50_000, "bonus_amount": 0}
    sent(spine, WALLET, ("DepositCompleted", {"event_id": new_id(), "player_id": PLAYER, "amount": 9_000}), taken,
         ("WinningsPaid", winnings | {"vertical": "slots"}))  # fmt: skip
    spine.drain("wallet")
    assert found() == []
    hidden(spine, 0, 2, noted)

    assert ("repeats", [2, 2]) in found(full=True)


def test_another_amount_under_one_id_cannot_pass_for_a_repeat(spine: Spine) -> None:
    event_id = new_id()
    deposits: list[tuple[str, dict[str, object]]] = [
        ("DepositCompleted", {"event_id": event_id, "player_id": PLAYER, "amount": amount}) for amount in (1_000, 9_000)
    ]
    sent(spine, WALLET, *deposits, deposits[0])
    spine.drain("wallet")
    assert found() == []
    hidden(spine, 0, 1, "DepositCompleted")

    assert found(full=True) == [("repeats", [1, 1])]


def test_a_row_cannot_pass_for_a_repeat_of_itself(spine: Spine) -> None:
    sent(spine, WALLET, ("DepositCompleted", {"event_id": new_id(), "player_id": PLAYER, "amount": 1_000}))
    spine.drain("wallet")
    spine.rows(
        "INSERT INTO streams_repeat SELECT 'wallet', %s, 0, 0, record, now() FROM wallet_transaction RETURNING 1",
        WALLET,
    )

    assert ("repeats", [0, 0]) in found()


def test_a_repeat_of_nothing_is_found(spine: Spine) -> None:
    sent(spine, WALLET, ("DepositCompleted", {"event_id": new_id(), "player_id": PLAYER, "amount": 1_000}))
    spine.drain("wallet")
    spine.rows("INSERT INTO streams_repeat VALUES ('wallet', %s, 0, 0, 'StakeTaken', now()) RETURNING 1", WALLET)

    checks = {check for check, _ in found()}

    # The row is left without its message as well.
    assert {"repeats", "rows"} <= checks


def test_an_account_below_zero_is_named_and_is_no_difference(spine: Spine) -> None:
    sent(spine, WALLET, stake(5_000))
    spine.drain("wallet")

    report = run_once(full=False, clock=SystemClock())

    assert report.clean
    (named,) = report.named
    assert (named["check"], named["weight"]) == ("overdrawn", "warning")
    assert (named["postgres"]["player_id"], named["postgres"]["balance"]) == (PLAYER, -5_000)
    assert spine.value("SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'") == 1


@pytest.fixture
def soon() -> Iterator[None]:
    """What one topic tells is told by the other within a minute."""
    with override_settings(RECONCILE=settings.RECONCILE | {"topics_apart": 60.0}):
        yield


def bet(minutes: int, amount: int, *, with_stake: bool = True, with_bet: bool = True, bet_id: str = "") -> list[
    tuple[str, str, dict[str, object]]
]:  # fmt: skip
    at, bet_id = NOW + timedelta(minutes=minutes), bet_id or new_id()
    shared = {"player_id": PLAYER, "bet_id": bet_id, "currency": "EUR", "occurred_at": at}
    placed = shared | {"event_id": new_id(), "stake": amount, "is_free_bet": False}
    taken = shared | {"event_id": new_id(), "amount": amount - 100, "bonus_amount": 100, "vertical": "sports"}
    return [(BETS, "BetPlaced", placed)] * with_bet + [(WALLET, "StakeTaken", taken)] * with_stake


def told(spine: Spine, *parts: list[tuple[str, str, dict[str, object]]]) -> None:
    for topic in (BETS, WALLET):
        sent(spine, topic, *[(record, body) for part in parts for of, record, body in part if of == topic])
    spine.drain("wallet", "trading")


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(("amount", "with_stake", "with_bet"), [(1_000, False, True), (2_000, True, False)])
def test_open_bets_and_the_ledger_tell_the_same(spine: Spine, amount: int, with_stake: bool, with_bet: bool) -> None:
    bet_id = new_id()
    lost = bet(1, amount, with_stake=with_stake, with_bet=with_bet, bet_id=bet_id)

    told(spine, bet(0, 3_000), lost, bet(30, 700))

    report = run_once(full=False, clock=SystemClock())
    (difference,) = report.differences
    assert (difference["check"], difference["where"]) == ("open_bets", f"bet_id={bet_id}")
    assert difference["postgres"] == {"staked": amount * with_bet, "held": amount * with_stake}


@pytest.mark.usefixtures("soon")
def test_a_bet_whose_stake_is_still_on_its_way_is_no_difference(spine: Spine) -> None:
    told(spine, bet(0, 3_000), bet(30, 1_000, with_stake=False))

    assert found() == []
    assert found(full=True) == []


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("state", "names_it", "is_known"),
    [
        ("open", False, True), ("discarded", False, False), ("discarded", True, True), ("replayed", True, False),
        ("replayed just now", False, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("written", [str.lower, str.upper])
def test_dead_letters_excuse_what_they_may_be(
    spine: Spine, state: str, names_it: bool, is_known: bool, written: Callable[[str], str]
) -> None:
    """A player's letters, of which one was handled long ago, do not hide another bet's difference for ever."""
    bet_id = new_id()
    told(spine, bet(0, 3_000), bet(1, 1_000, with_stake=False, bet_id=bet_id), bet(30, 700))
    record, body = stake(1_000, player_id=written(PLAYER), **({"bet_id": written(bet_id)} if names_it else {}))
    broken = frame(spine.registry.register(record), encode(record, event_of(record, **body)) + b"\0")
    spine.send_bytes(WALLET, [broken], key=written(PLAYER).encode(), partition=0)
    spine.drain("wallet")
    name, _, just_now = state.partition(" ")
    at = NOW + timedelta(hours=1 if just_now else -1)
    spine.rows(
        "UPDATE streams_deadletter SET state = %s, resolved_at = %s, resolved_by = 'ana', note = 'known' RETURNING 1",
        name, at,
    )  # fmt: skip

    report = run_once(full=False, clock=SystemClock())

    open_bets = [one for one in (*report.differences, *report.named) if one["check"] == "open_bets"]
    assert [(one["where"], one["weight"]) for one in open_bets] == [
        (f"bet_id={bet_id}", "known" if is_known else "difference")
    ]


@pytest.fixture
def settlers() -> Iterator[Stream]:
    """A second stream on bets that takes only some records, and keeps a window of its own."""
    stream = Stream("settlers")

    @stream.project("BetPlaced", into="streams_event", key=("stream", "event_id"), fact=True)
    def placed(events: pa.Table) -> pa.Table:
        return events.select(["event_id", "occurred_at"])

    declared.describe(Description("settlers"))
    yield stream
    del STREAMS["settlers"]
    del declared._DESCRIBED["settlers"]


@pytest.mark.parametrize("full", [False, True])
def test_two_streams_on_one_topic_are_each_compared(spine: Spine, settlers: Stream, full: bool) -> None:
    told(spine, bet(0, 3_000), bet(1, 500), bet(2, 700))
    spine.drain(settlers.name)
    assert found(full=full) == []
    spine.rows("DELETE FROM streams_event WHERE stream = %s AND source_offset = 1 RETURNING 1", settlers.name)

    report = run_once(full=True, clock=SystemClock())

    (difference,) = report.differences
    assert (difference["stream"], difference["check"], difference["offsets"]) == (settlers.name, "rows", [1, 1])
    assert report.checked[BETS] == 6
