"""Keys are texts of the producers' choice: whatever letters they have, no two are taken for one."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.checks.comparing import shown
from backoffice.reconcile.checks.facts import as_line
from backoffice.reconcile.checks.wants import Want
from backoffice.reconcile.runs.run import reconcile as run_once
from backoffice.simulator.events.envelope import Event
from backoffice.streams.database import Connection, connect
from tests.reconcile.test_explained import BETS, new_id, sent
from tests.spine import Spine
from tests.trading.test_newest import HOME, offer, update

PRICES = "market-prices"


def told(spine: Spine, topic: str, event: Event, partition: int = 0) -> None:
    value = frame(spine.registry.register(event.record), encode(event.record, event.body))
    spine.send_bytes(topic, [value], key=event.key.encode(), partition=partition)


def differences(*, full: bool = False) -> list[tuple[str, str]]:
    report = run_once(full=full, clock=SystemClock(), anew=full)
    return [(difference["check"], difference["where"]) for difference in report.differences]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_two_keys_that_read_alike_when_joined_are_two(spine: Spine, full: bool, at_once: bool) -> None:
    told(spine, "odds-feed", update(5, "home", market_id="a\x1fb"))
    spine.drain("trading")
    assert at_once or differences(full=full) == []
    told(spine, "odds-feed", update(1, "b\x1fhome", market_id="a"))
    spine.drain("trading")

    assert differences(full=full) == []
    assert differences(full=full) == []

    spine.rows("UPDATE trading_outcome SET version = 4 WHERE market_id = 'a' RETURNING 1")
    assert ("state", "market_id=a, outcome_id=b\x1fhome") in differences(full=True)


def test_a_tombstone_takes_only_its_own_key_out_of_the_books(spine: Spine) -> None:
    for market in ("a", "a\x1fb", "a%"):
        told(spine, PRICES, offer(1, HOME, market_id=market))
    spine.drain("trading")
    assert differences() == []
    spine.send_bytes(PRICES, [None], key=b"a", partition=0)
    spine.drain("trading")

    assert differences() == []
    assert differences(full=True) == []

    for table in ("trading_price", "trading_offer"):
        spine.rows(f"DELETE FROM {table} WHERE market_id = %s RETURNING 1", "a\x1fb")
    assert len(differences(full=True)) == 2


def test_what_stands_on_the_other_side_of_a_separator_is_another_row(spine: Spine) -> None:
    leg = {"leg_no": 1, "sport": "x|y", "sport_event_id": "z", "market_id": "m|\\", "outcome_id": "None", "odds": 1500,
           "is_in_play": False}  # fmt: skip
    bet: tuple[str, dict[str, object]] = ("BetPlaced", {"event_id": new_id(), "bet_id": new_id(), "kind": "single",
           "system_size": 1, "brand": "a|b", "channel": "None", "legs": [leg]})  # fmt: skip
    sent(spine, BETS, bet)
    spine.drain("trading")
    assert differences(full=True) == []

    spine.rows("UPDATE trading_leg SET sport = 'x', sport_event_id = 'y|z' RETURNING 1")
    assert [check for check, _ in differences(full=True)] == ["legs"]


def test_a_row_as_one_text_tells_its_columns_apart() -> None:
    rows: list[list[object]] = [
        ["a", "b|c"], ["a|b", "c"], ["a\\|b", "c"], ["a\\", "b|c"], ["a", "\\|b|c"], ["a|", "b"], ["a", "|b"],
        [None, "a"], ["None", "a"], ["\\None", "a"], ["", "a"],
    ]  # fmt: skip

    assert len({as_line(row) for row in rows}) == len(rows)


def test_findings_of_two_rows_are_two_whatever_their_keys() -> None:
    want = Want("outcome", "trading_outcome", ("market_id", "outcome_id"), ())
    keys = [("a", "b, outcome_id=c"), ("a, outcome_id=b", "c"), ('"a"', "b"), ("a", "b")]
    found = [shown("state", "", want, None, {"market_id": one, "outcome_id": other}) for one, other in keys]

    assert len({difference.fingerprint() for difference in found}) == len(keys)
    assert found[-1].where == "market_id=a, outcome_id=b"


def test_findings_of_two_tables_are_two_where_their_keys_are_one() -> None:
    wants = [Want(table, f"trading_{table}", ("id",), ()) for table in ("market", "sportevent")]
    found = [shown("state", "", want, None, {"id": "a"}, topic="odds-feed") for want in wants]

    assert len({difference.fingerprint() for difference in found}) == 2


@pytest.fixture
def upgrading(database: str) -> Iterator[Connection]:
    with connect() as direct:
        yield direct


BEFORE = ("reconcile", "0009")
PLAYER = "018f3c2e-0000-7000-8000-000000000001"


def book(upgrading: Connection, *keys: tuple[str, str]) -> None:
    """Books of before, with a partition that was checked."""
    call_command("migrate", *BEFORE, verbosity=0)
    upgrading.execute("INSERT INTO reconcile_checked (stream, topic, partition, since, next, checked_at)"
                      " VALUES ('trading', 'odds-feed', 0, 0, 5, now())")  # fmt: skip
    for state, key in keys:
        query = "INSERT INTO reconcile_statetally VALUES (%s, %s, '[1, 0, 0]')"
        upgrading.execute(query, [state, key])
    call_command("migrate", verbosity=0)


def books(upgrading: Connection) -> list[tuple[object, ...]]:
    return upgrading.execute("SELECT state, key, rest FROM reconcile_statetally ORDER BY state, key").fetchall()


def test_books_of_before_are_carried_over(upgrading: Connection) -> None:
    book(
        upgrading,
        ("players_activity_player-events", f"{PLAYER}\x1fplayer-events"),
        ("trading_market_odds_feed", "a\x1fb"),
        ("trading_offer_market_prices deleted", "a\x1fb"),
        ("trading_price_market_prices", "a\x1fhome"),
        ("trading_price_market_prices deleted", "a\x1fb\x1fc"),
    )

    assert books(upgrading) == [
        ("players_activity_player-events", PLAYER, ["player-events"]),
        ("trading_market_odds_feed", "a\x1fb", []),
        ("trading_offer_market_prices deleted", "a\x1fb", []),
        ("trading_price_market_prices", "a", ["home"]),
        ("trading_price_market_prices deleted", "a\x1fb\x1fc", []),
    ]
    assert upgrading.execute("SELECT next FROM reconcile_checked").fetchall() == [(5,)]


def test_books_of_which_nobody_knows_what_their_keys_are_begin_anew(upgrading: Connection) -> None:
    book(upgrading, ("trading_outcome_odds_feed", "a\x1fb\x1fhome"), ("trading_market_odds_feed", "a"))

    assert books(upgrading) == []
    assert upgrading.execute("SELECT next FROM reconcile_checked").fetchall() == []


def test_the_way_back_joins_the_keys(upgrading: Connection) -> None:
    book(upgrading, ("trading_outcome_odds_feed", "a\x1fhome"), ("trading_market_odds_feed", "a"))

    call_command("migrate", *BEFORE, verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM reconcile_statetally ORDER BY state")
        assert cursor.fetchall() == [("a",), ("a\x1fhome",)]
