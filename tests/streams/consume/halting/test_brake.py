"""What too many bad messages lead to: a halt for money, a diversion for prices, for a fault of ours always a halt."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from backoffice.contracts.codec import decode
from backoffice.contracts.definitions import schema
from backoffice.kernel.clock import FixedClock
from backoffice.kernel.text import storable
from backoffice.streams.clocks import PostgresClock
from backoffice.streams.consume.batch import Batch, DeadLetter
from backoffice.streams.consume.deadletters import store_dead
from backoffice.streams.consume.halting import diverting, halts
from backoffice.streams.consume.halting.brake import Brake
from backoffice.streams.consume.halting.diverting import Letter
from backoffice.streams.consume.halting.halts import Past
from backoffice.streams.consume.lane import Lane, Limits
from backoffice.streams.database import Connection
from backoffice.streams.store import offsets
from tests.streams.arriving import NOW, event_of, message
from tests.streams.stored import Store
from trading.doubts import doubted_until
from trading.models import ProviderSuspension
from trading.suspending import Providers, judge_silence

LIMITS = Limits(
    batch_size=100,
    batch_bytes=1_000_000,
    linger=0.05,
    dead_letter_window=50,
    dead_letter_ratio=0.2,
    dead_letter_minimum=5,
    stall=60.0,
)
MONEY, ODDS = "wallet-transactions", "odds-feed"
BAD = DeadLetter("its amount is wrong")
UNFORESEEN = DeadLetter("its row cannot be made", late=True)


def brake(topic: str) -> Brake:
    return Brake(Lane("a stream", topic, "", {}, LIMITS, FixedClock(NOW)))


def batch(topic: str, messages: int, bad: dict[int, DeadLetter] | None = None, start: int = 0, key: str = "k") -> Batch:
    made = Batch(topic)
    for offset in range(start, start + messages):
        made.add(partition=0, offset=offset, key=key.encode(), value=b"?", start=start)
    made.dead = bad or {}
    return made


def every(messages: int, step: int, dead: DeadLetter = BAD) -> dict[int, DeadLetter]:
    return dict.fromkeys(range(0, messages, step), dead)


def diversions(store: Store) -> list[tuple[Any, ...]]:
    return store.connection.execute("SELECT partition, sources, ended_by FROM streams_diversion ORDER BY id").fetchall()


def told(store: Store, kind: str) -> list[tuple[Any, ...]]:
    """The alerts of a kind: which, what became of it."""
    rows = store.connection.execute("SELECT value FROM streams_outbox WHERE record = 'ComplianceAlert' ORDER BY id")
    alerts = [decode(bytes(value), schema("ComplianceAlert")) for (value,) in rows]
    return [(alert["alert_id"], alert["status"]) for alert in alerts if alert["kind"] == kind]


def test_few_bad_messages_among_many_stop_nothing() -> None:
    wallet = brake(MONEY)

    for start in range(0, 10_000, 500):
        part = batch(MONEY, 500, {7: BAD}, start)
        assert wallet.stops_at(part, 0) is None
        assert not wallet.count(part, 0)


def test_one_bad_of_three_stops_nothing_and_a_quiet_partition_loses_few() -> None:
    wallet = brake(MONEY)
    assert wallet.stops_at(batch(MONEY, 3, {1: BAD}), 0) is None
    wallet.count(batch(MONEY, 3, {1: BAD}), 0)

    assert wallet.stops_at(batch(MONEY, 30, every(30, 1), 3), 0) == 3


def test_money_stops_before_the_message_that_is_one_too_many() -> None:
    assert brake(MONEY).stops_at(batch(MONEY, 20, every(20, 2)), 0) == 8


def test_what_a_person_has_accepted_does_not_count() -> None:
    wallet = brake(MONEY)
    wallet.begin({0: Past(accepted=20)})
    mixed = batch(MONEY, 40, every(40, 1))

    assert wallet.stops_at(batch(MONEY, 20, every(20, 1)), 0) is None
    assert wallet.stops_at(mixed, 0) == 24
    assert not wallet.count(batch(MONEY, 20, every(20, 1)), 0)


@pytest.mark.parametrize("topic", [MONEY, ODDS])
def test_what_only_storing_found_stops_a_partition_whatever_its_topic_is(store: Store, topic: str) -> None:
    assert brake(topic).count(batch(topic, 10, every(10, 1, UNFORESEEN)), 0)

    ((cause, offset, reason),) = stops(store)
    assert (cause, offset) == ("bad messages", 10)
    assert "its row cannot be made" in reason


def test_a_partition_goes_on_from_what_it_has_behind_it(store: Store) -> None:
    offsets.begin(store.connection, "a stream", MONEY, {0: 100}, NOW)
    for offset in (20, 60, 70, 80, 90):
        store.connection.execute(
            'INSERT INTO streams_deadletter (stream, topic, partition, "offset", standing_offset, record, reason,'
            " died_at, state) VALUES ('a stream', %s, 0, %s, %s, '', 'bad', %s, 'open')",
            [MONEY, offset, offset, NOW],
        )

    (past,) = halts.pasts(store.connection, "a stream", MONEY, {0: 100}, 50).values()

    assert past == Past(seen=50, bad=(10, 20, 30, 40))
    wallet = brake(MONEY)
    wallet.begin({0: past})
    assert wallet.stops_at(batch(MONEY, 12, {0: BAD, 1: BAD, 2: BAD, 3: BAD, 4: BAD, 5: BAD, 6: BAD}, 100), 0) == 6


def suspended() -> set[str]:
    return set(ProviderSuspension.objects.filter(ended_at=None).values_list("provider", flat=True))


def stored(store: Store, brake: Brake, part: Batch) -> bool:
    """Whether the partition halts behind a batch that was stored."""
    store_dead(store.connection, "a stream", part, NOW)
    return brake.count(part, 0)


def stops(store: Store) -> list[tuple[Any, ...]]:
    return store.connection.execute('SELECT cause, "offset", reason FROM streams_halt').fetchall()


def acts(store: Store) -> list[dict[str, Any]]:
    rows = store.connection.execute("SELECT value FROM streams_outbox WHERE record = 'OperatorAction' ORDER BY id")
    return [decode(bytes(value), schema("OperatorAction")) for (value,) in rows]


def test_prices_go_on_and_their_sender_is_suspended_with_one_alert(feeds: Store) -> None:
    odds = brake(ODDS)
    part = batch(ODDS, 20, every(20, 2), key="m2")

    assert odds.stops_at(part, 0) is None
    assert not stored(feeds, odds, part)
    assert not stored(feeds, odds, batch(ODDS, 20, every(20, 2), 20, key="m2"))

    assert diversions(feeds) == [(0, ["theirs"], "")]
    assert suspended() == {"theirs"}
    assert [status for _, status in told(feeds, diverting.ALERT)] == ["opened"]


def test_it_ends_when_few_are_bad_again(feeds: Store) -> None:
    odds = brake(ODDS)
    stored(feeds, odds, batch(ODDS, 20, every(20, 2), key="m2"))

    stored(feeds, odds, batch(ODDS, 60, start=20))

    assert diversions(feeds) == [(0, ["theirs"], "stream")]
    assert suspended() == set()
    alerts = told(feeds, diverting.ALERT)
    assert [status for _, status in alerts] == ["opened", "closed"]
    assert alerts[0][0] == alerts[1][0]
    suspending, releasing = acts(feeds)
    assert (suspending["action"], releasing["action"]) == ("provider_suspended", "provider_released")
    assert suspending["subject_id"] == releasing["subject_id"] == "theirs"
    believed_since = {"theirs": json.loads(releasing["details"])["markets_believed_since"]}
    assert believed_since == {name: until.isoformat() for name, until in doubted_until().items()}


@pytest.mark.parametrize("first", ["silence", "bad messages"])
def test_a_sender_is_told_as_released_with_the_last_cause(feeds: Store, first: str) -> None:
    odds = brake(ODDS)
    since = PostgresClock().now() - timedelta(hours=1)
    ProviderSuspension.objects.create(provider="theirs", cause="silence", reason="silent", since=since)
    stored(feeds, odds, batch(ODDS, 20, every(20, 2), key="m2"))
    feeds.connection.execute("UPDATE trading_market SET version_taken_at = now(), version_appended_at = now()")
    ends: dict[str, Callable[[], object]] = {
        "silence": lambda: judge_silence(PostgresClock().now()),
        "bad messages": lambda: stored(feeds, odds, batch(ODDS, 60, start=20)),
    }

    ends.pop(first)()
    assert suspended() == {"theirs"}
    assert [act["action"] for act in acts(feeds)] == ["provider_suspended"]

    (last,) = ends.values()
    last()
    assert suspended() == set()
    assert [act["action"] for act in acts(feeds)] == ["provider_suspended", "provider_released"]


@pytest.mark.parametrize("broker", [timedelta(minutes=5), timedelta(days=400)])
def test_it_ends_by_postgres_clock_whatever_the_log_and_our_own_clock_say(feeds: Store, broker: timedelta) -> None:
    odds, at = brake(ODDS), NOW + broker
    offsets.begin(feeds.connection, "a stream", ODDS, {0: 0, 1: 0}, NOW)
    feeds.connection.execute(
        "UPDATE streams_offset SET logged = %s + partition WHERE stream = 'a stream'", [at.timestamp() * 1_000]
    )
    odds._lane.skew.hear(int(at.timestamp() * 1_000))
    before = PostgresClock().now()
    stored(feeds, odds, batch(ODDS, 20, every(20, 2), key="m2"))
    stored(feeds, odds, batch(ODDS, 60, start=20))

    (ended_at,) = feeds.connection.execute("SELECT ended_at FROM streams_diversion").fetchall()[0]
    assert before <= ended_at <= PostgresClock().now()
    assert doubted_until() == {"theirs": ended_at + settings.CLOCK_FAST}


def test_a_sender_who_cannot_be_told_suspends_nobody(feeds: Store) -> None:
    stored(feeds, brake(ODDS), batch(ODDS, 20, every(20, 1), key="who"))

    assert diversions(feeds) == [(0, [], "")]
    assert suspended() == set()


def test_a_sender_of_few_among_the_bad_is_believed(feeds: Store) -> None:
    part = batch(ODDS, 20, every(20, 1), key="m2")
    part.keys[0] = b"m1"

    stored(feeds, brake(ODDS), part)

    assert suspended() == {"theirs"}


def test_a_worker_that_begins_judges_the_senders_of_what_was_bad_before(feeds: Store) -> None:
    offsets.begin(feeds.connection, "a stream", ODDS, {0: 50}, NOW)
    first, second = brake(ODDS), brake(ODDS)
    stored(feeds, first, batch(ODDS, 50, dict.fromkeys(range(40, 50), BAD), key="m2"))
    assert suspended() == set()

    second.begin(halts.pasts(feeds.connection, "a stream", ODDS, {0: 50}, LIMITS.dead_letter_window))
    stored(feeds, second, batch(ODDS, 1, {0: BAD}, 50, key="m1"))

    assert suspended() == {"theirs"}


def test_senders_are_judged_by_no_more_than_what_counts(feeds: Store) -> None:
    odds = brake(ODDS)
    stored(feeds, odds, batch(ODDS, 50, dict.fromkeys(range(10), BAD), key="m1"))
    stored(feeds, odds, batch(ODDS, 50, dict.fromkeys(range(39, 50), BAD), 50, key="m2"))

    assert suspended() == {"theirs"}


NAMES = {"nul": "ev\0il", "long": "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 3_000, "surrogate": "ev\ud800il"}


class Named:
    """Senders all of one name; with ``suspending`` raised when they are to be suspended."""

    def __init__(self, name: str, suspending: BaseException | None = None) -> None:
        self.name, self.suspending, self.suspended = name, suspending, list[str]()

    def named(self, _: Connection, letters: Sequence[Letter]) -> list[str]:
        return [self.name for _ in letters]

    def suspend(self, _: Connection, names: Sequence[str], *told: object) -> None:
        if self.suspending:
            raise self.suspending
        assert told
        self.suspended += names

    def release(self, *_: object) -> None: ...

    def changed(self) -> None: ...


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_name_of_a_sender_keeps_its_messages_from_being_diverted(
    feeds: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    senders = Named(name)
    monkeypatch.setitem(diverting._SENDERS, ODDS, senders)

    assert not stored(feeds, brake(ODDS), batch(ODDS, 20, every(20, 2)))

    ((_, (kept,), ended_by),) = diversions(feeds)
    assert (kept, ended_by) == (storable(name, 128), "")
    assert senders.suspended == [kept]
    assert [status for _, status in told(feeds, diverting.ALERT)] == ["opened"]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("quoted", ["the reason", "the record"])
def test_nothing_that_a_reason_quotes_keeps_a_partition_from_being_halted(store: Store, name: str, quoted: str) -> None:
    dead = DeadLetter(f"{name} is no record") if quoted == "the reason" else DeadLetter("bad", record=name)
    part = batch(MONEY, 20, every(20, 1, dead))
    store_dead(store.connection, "a stream", part, NOW)

    assert brake(MONEY).stop(0, 5, dead)

    ((cause, offset, reason),) = stops(store)
    assert (cause, offset) == ("bad messages", 5)
    assert reason.endswith("Mend the producer or the contract, then resume it.")
    assert [status for _, status in told(store, halts.ALERT)] == ["opened"]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_fault_whose_words_no_table_takes_halts_all_the_same(store: Store, name: str) -> None:
    brake(MONEY).halt({0: 5}, halts.Cause.UNSTORABLE, f"It cannot be stored: {name}")

    ((cause, offset, _),) = stops(store)
    assert (cause, offset) == ("unstorable", 5)
    assert [status for _, status in told(store, halts.ALERT)] == ["opened"]


def test_a_diversion_that_fails_halts_the_partition(feeds: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(diverting._SENDERS, ODDS, Named("theirs", suspending=ValueError("a fault of ours\0")))

    assert stored(feeds, brake(ODDS), batch(ODDS, 20, every(20, 2)))

    ((cause, offset, reason),) = stops(feeds)
    assert (cause, offset) == ("unstorable", 20)
    assert "a fault of ours" in reason
    assert diversions(feeds) == []
    assert [status for _, status in told(feeds, halts.ALERT)] == ["opened"]


@pytest.mark.parametrize("name", ["their\0s", "theirs" * 20])
def test_a_provider_that_garbles_its_name_is_known_by_its_matches(feeds: Store, name: str) -> None:
    update = event_of("MarketUpdate", market_id="m2", sport_event_id="m2", provider=name)
    letters = [Letter(key, message("MarketUpdate", update), None) for key in (b"m2", b"a match that nobody knows")]
    providers = Providers()
    providers._registry = feeds.writers  # type: ignore[assignment]

    assert providers.named(feeds.connection, letters) == ["theirs", name]
