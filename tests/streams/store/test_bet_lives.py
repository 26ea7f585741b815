"""Whatever becomes of bets, in any order and however often it is told: the ledger balances and the player is paid once.

The lives are drawn: settled, voided, cashed out, settled again, as often as it comes, by a platform that says what each
step changes. Then the tables are held against the end of each life alone.
"""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.contracts.examples import MOMENT
from backoffice.kernel.clock import microseconds
from backoffice.kernel.ids import derived_uuid7
from backoffice.simulator.events import bets, wallet
from backoffice.simulator.events.envelope import Event, Head
from tests.streams.stored import Log, Logged, Store, log_of

DEPOSIT, FREE_MONEY = 10**9, 10**7
PLAYER = str(derived_uuid7(MOMENT, "player"))
STEPS = st.one_of(
    st.tuples(st.just("settle"), st.one_of(st.just(0), st.integers(1, 10**6))),
    st.tuples(st.just("cash out"), st.integers(1, 10**6)),
    st.tuples(st.just("void"), st.just(0)),
    st.tuples(st.just("settle again"), st.one_of(st.just(0), st.integers(1, 10**6))),
)
_LEG: bets.BetLeg = {
    "leg_no": 1, "sport": "football", "sport_event_id": "match", "market_id": "1x2", "outcome_id": "1", "odds": 2_000,
    "is_in_play": False,
}  # fmt: skip
_RESULT: bets.LegResult = {"leg_no": 1, "result": "won", "void_factor": 0, "dead_heat_factor": 1_000}
LIVES = st.lists(st.tuples(st.booleans(), st.integers(1, 10**5), st.lists(STEPS, max_size=7)), min_size=1, max_size=6)


class Bet:
    """A bet on the platform. ``paid``: what it has paid by now, None while it is open. A free one stakes a bonus."""

    def __init__(self, number: int, stake: int, *, is_free: bool) -> None:
        self.id = _id("bet", str(number))
        self.stake = stake
        self.is_free = is_free
        self.paid: int | None = None
        self.is_void = False
        self._steps = 0
        self._events = 0

    def placed(self) -> Iterator[Event]:
        yield bets.bet_placed(
            self._head(), bet_id=self.id, player_id=PLAYER, currency="EUR", stake=self.stake, kind="single",
            system_size=1, channel="web", is_in_play=False, is_free_bet=self.is_free, potential_payout=self.stake * 2,
            legs=[_LEG],
        )  # fmt: skip
        yield wallet.stake_taken(self._head(), **self._play(self.stake))

    def step(self, what: str, payout: int) -> Iterator[Event]:
        """What the platform tells of the step; nothing where it is not possible as things stand.

        A free bet that was void has been given back: there is nothing to settle any more.
        """
        if self.paid is None:
            if what == "settle":
                yield from self._settle(payout)
            elif what == "cash out":
                yield from self._cash_out(payout)
            elif what == "void":
                yield from self._void(0, was_settled=False)
        elif what == "void" and not self.is_void:
            yield wallet.winnings_reversed(self._head(), **self._play(self.paid))
            yield from self._void(self.paid, was_settled=True)
        elif what == "settle again" and not (self.is_void and self.is_free):
            yield from self._settle_again(self.paid, payout)

    def _settle(self, payout: int) -> Iterator[Event]:
        yield bets.bet_settled(
            self._head(), payout=payout, is_free_bet=self.is_free, legs=[_RESULT], **self._settlement()
        )
        yield from self._end(payout)

    def _cash_out(self, payout: int) -> Iterator[Event]:
        yield bets.bet_cashed_out(self._head(), payout=payout, is_free_bet=self.is_free, **self._settlement())
        yield from self._end(payout)

    def _end(self, payout: int) -> Iterator[Event]:
        self.paid = payout
        yield wallet.stake_released(self._head(), **self._play(self.stake))
        yield wallet.winnings_paid(self._head(), **self._play(payout))

    def _void(self, paid: int, *, was_settled: bool) -> Iterator[Event]:
        self.paid, self.is_void = self.stake, True
        yield bets.bet_voided(
            self._head(), refund=self.stake, previous_payout=paid, was_settled=was_settled, reason="palpable error",
            is_free_bet=self.is_free, **self._settlement(),
        )  # fmt: skip
        yield wallet.stake_refunded(self._head(), was_settled=was_settled, **self._play(self.stake))

    def _settle_again(self, paid: int, payout: int) -> Iterator[Event]:
        self.paid, self.is_void = payout, False
        yield bets.bet_resettled(
            self._head(), payout=payout, previous_payout=paid, reason="wrong scorer", legs=[_RESULT],
            **self._settlement(),
        )  # fmt: skip
        told = wallet.winnings_paid if payout >= paid else wallet.winnings_reversed
        yield told(self._head(), **self._play(abs(payout - paid)))

    def _settlement(self) -> bets.Settlement:
        self._steps += 1
        return {
            "bet_id": self.id, "player_id": PLAYER, "currency": "EUR", "stake": self.stake,
            "settlement_no": self._steps,
        }  # fmt: skip

    def _play(self, amount: int) -> wallet.Play:
        cash, bonus = (0, amount) if self.is_free else (amount, 0)
        return {
            "player_id": PLAYER, "currency": "EUR", "amount": cash, "bonus_amount": bonus, "vertical": "sports",
            "bet_id": self.id,
        }  # fmt: skip

    def _head(self) -> Head:
        self._events += 1
        return _head(self.id, str(self._events))


@given(LIVES, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_life_of_bets_leaves_the_ledger_balanced_and_the_player_paid_once(
    store: Store, lives: list[tuple[bool, int, list[tuple[str, int]]]], rng: random.Random
) -> None:
    store.empty()
    placed = [Bet(number, stake, is_free=is_free) for number, (is_free, stake, _) in enumerate(lives)]
    told = [
        list(chain(bet.placed(), *(bet.step(*step) for step in steps)))
        for bet, (_, _, steps) in zip(placed, lives, strict=True)
    ]

    store.take(_told_twice(log_of([*_funded(), *_interleaved(told, rng)]), rng), rng)

    assert _one(store, "SELECT sum(debits) - sum(credits) FROM wallet_balance") == 0
    assert _one(store, "SELECT count(*) FROM streams_deadletter") == 0
    assert _balance(store, "cash") == DEPOSIT + sum(_gain(bet) for bet in placed if not bet.is_free)
    assert _balance(store, "bonus") == FREE_MONEY + sum(_gain(bet) for bet in placed if bet.is_free)
    assert _balance(store, "open_bets") == sum(bet.stake for bet in placed if bet.paid is None)
    assert _balance(store, "revenue") == -sum(_gain(bet) for bet in placed if bet.paid is not None)
    assert _newest_payouts(store) == {bet.id: bet.paid for bet in placed if bet.paid is not None}
    assert _revenue_told(store) == sum(_hold(bet) for bet in placed if bet.paid is not None)


def _gain(bet: Bet) -> int:
    """What the bet has changed for the player: the stake is gone, and what was paid in all has come."""
    return (bet.paid or 0) - bet.stake


def _hold(bet: Bet) -> int:
    """GGR of a bet that has ended. A free bet's stake was nobody's money, and given back it has cost nothing."""
    if bet.is_free:
        return 0 if bet.is_void else -(bet.paid or 0)
    return -_gain(bet)


def _funded() -> Iterator[Event]:
    yield wallet.deposit_completed(
        _head("deposit"), player_id=PLAYER, currency="EUR", amount=DEPOSIT, payment_id=_id("payment"), method="card",
        provider="clearpay", instrument_id="card-1",
    )  # fmt: skip
    yield wallet.bonus_credited(
        _head("bonus"), player_id=PLAYER, currency="EUR", amount=FREE_MONEY, bonus_id=_id("bonus of the player")
    )


def _interleaved(told: list[list[Event]], rng: random.Random) -> list[Event]:
    """The lives mixed; each in its own order."""
    whose = [number for number, events in enumerate(told) for _ in events]
    rng.shuffle(whose)
    sources = [iter(events) for events in told]
    return [next(sources[number]) for number in whose]


def _told_twice(log: Log, rng: random.Random) -> Log:
    """Some messages come once more, later: nobody promised that they come only once."""
    twice: Log = {}
    for topic, messages in log.items():
        again = rng.sample(messages, len(messages) // 3)
        ends = {one.partition: one.offset + 1 for one in messages}
        twice[topic] = list(messages)
        for one in again:
            twice[topic].append(Logged(one.partition, ends[one.partition], one.value))
            ends[one.partition] += 1
    return twice


def _balance(store: Store, kind: str) -> int:
    return _one(
        store,
        "SELECT coalesce(sum(credits - debits), 0)::bigint FROM wallet_balance b"
        f" JOIN wallet_account a ON a.id = b.account_id WHERE kind = '{kind}'",
    )


def _newest_payouts(store: Store) -> dict[str, int]:
    rows = store.connection.execute(
        "SELECT DISTINCT ON (bet_id) bet_id::text, payout FROM trading_settlement ORDER BY bet_id, settlement_no DESC"
    )
    return {str(bet): int(str(payout)) for bet, payout in rows}


def _revenue_told(store: Store) -> int:
    return _one(store, "SELECT coalesce(sum(amount), 0)::bigint FROM metrics_window WHERE metric = 'ggr'")


def _one(store: Store, query: str) -> int:
    row: Any = store.connection.execute(query.encode()).fetchone()
    return int(row[0])


def _head(*names: str) -> Head:
    at = MOMENT + timedelta(seconds=1)
    return {"event_id": _id(*names), "occurred_at": microseconds(at), "brand": "brand", "jurisdiction": "MT"}


def _id(*names: str) -> str:
    return str(derived_uuid7(MOMENT, *names))
