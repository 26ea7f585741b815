"""Each value of a message at the edge of what may be: taken on this side, refused on the other."""

from typing import Any

import pytest

from tests.trading.feeds.messages import PT, definition, image, mc, mcm, price, runner
from trading.feeds.adapter import Taken
from trading.feeds.providers.betfair.adapter import Betfair

OPENING = image(mc(d=definition(), rc=[price(11, 1.5, 1.6)]))
ID = 2**53
MOST = 10_000_000_000


def taken(message: bytes) -> Taken:
    adapter = Betfair()
    adapter.take(OPENING)
    return adapter.take(message)


def of_message(name: str, value: Any) -> bytes:
    return mcm(**{name: value})


def of_market(name: str, value: Any) -> bytes:
    return mcm(mc(d=definition(**{"version": 101, name: value})))


def of_described_runner(name: str, value: Any) -> bytes:
    return mcm(mc(d=definition(runner(11, **{name: value}), version=101)))


def of_runner(name: str, value: Any) -> bytes:
    return mcm(mc(rc=[{"id": 11, name: value}]))


def in_ladder(name: str, value: Any) -> bytes:
    """One entry of a ladder."""
    return of_runner(name, [value])


# Where a value stands, its name, what may be, and what may not be.
EDGES: list[tuple[Any, str, list[Any], list[Any]]] = [
    (of_message, "pt", [946_684_800_000, 4_102_444_799_999], [946_684_799_999, 4_102_444_800_000, True, 1.0, None]),
    (of_message, "heartbeatMs", [1, 600_000, None], [0, 600_001, 1.0, True]),
    (of_message, "status", [100, 200, 503, 599, None], [99, 600, "200"]),
    (of_message, "clk", ["x", "x" * 1_000, None], ["", "x" * 1_001, 5]),
    (of_message, "initialClk", ["x", "x" * 1_000, None], ["", "x" * 1_001, []]),
    (of_message, "ct", ["SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT", "UPDATE", None], ["", "sub_image", 0]),
    (of_message, "segmentType", ["SEG_START", "SEG", "SEG_END", None], ["", "START"]),
    (of_message, "con", [True, False, None], [0, "true"]),
    (of_market, "version", [100, ID], [-1, ID + 1, "1", None]),
    (of_market, "betDelay", [0, 3_600], [-1, 3_601, None]),
    (of_market, "numberOfWinners", [0, 1_000], [-1, 1_001, None]),
    (of_market, "eachWayDivisor", [None, 0, 4.5, 1_000], [-0.5, 1_000.5, "4", True]),
    (of_market, "bettingType", [None, "ODDS", "x" * 64], ["", "x" * 65, 5]),
    (of_market, "status", ["O", "x" * 64], ["", "x" * 65, None, 5]),
    (of_market, "eventId", ["7", "9" * 64], ["", "9" * 65, None, 77, "a\nb", "a\x7fb"]),
    (of_market, "eventTypeId", ["7", "9" * 64], ["", "9" * 65, None]),
    (of_market, "marketType", ["W", "x" * 64], ["", "x" * 65, None]),
    (of_market, "inPlay", [True, False], [None, 0, "true"]),
    (of_market, "marketTime",
     ["2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z", None], ["1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "", 5]),
    (of_market, "name", ["x", "x" * 5_000, "", None], [5, [], {}]),
    (of_market, "venue", ["x" * 5_000, None], [5]),
    (of_market, "eventName", ["x" * 5_000, None], [False]),
    (of_described_runner, "id", [0, ID], [-1, ID + 1, "11", None]),
    (of_described_runner, "hc", [-1_000_000, 1_000_000, None], [-1_000_000.5, 1_000_000.5, "1", True]),
    (of_described_runner, "sortPriority", [0, 2**31], [-1, 2**31 + 1, None, 1.0]),
    (of_described_runner, "adjustmentFactor", [None, 0, 1_000], [-1, 1_001, "1"]),
    (of_described_runner, "bsp", [None, 0, 1_000_000, "NaN", "Infinity"], [-1, 1_000_001, "-Infinity", "1", True]),
    (of_described_runner, "status", ["A", "x" * 64], ["", "x" * 65, None]),
    (of_described_runner, "name", ["x" * 5_000, "", None], [5]),
    (of_described_runner, "removalDate", ["2022-07-11T10:00:00.000Z", None], [5]),
    (of_runner, "ltp", [0, 1.5, 1_000_000, None], [-0.1, 1_000_000.5, MOST, "1", True]),
    (of_runner, "tv", [0, MOST, None], [-0.1, MOST + 1, []]),
    (of_runner, "spn", [0, 1_000_000, "NaN", "Infinity", None], [-0.1, 1_000_000.5, "x", False]),
    (of_runner, "spf", [0, 1_000_000, "NaN", "Infinity", None], [-0.1, 1_000_000.5, "nan"]),
    *((in_ladder, name, [[0, 0], [1_000_000, MOST], [1.5, 0.01]],
       [[-0.1, 1], [1_000_000.5, 1], [2, -0.1], [2, MOST + 1], [2], [2, 1, 1], "ab", 5, None, [True, 1], [2, False],
        ["2", 1], [2, "1"], [None, 1]])
      for name in ("atb", "atl", "trd", "spb", "spl")),
    *((in_ladder, name, [[0, 0, 0], [999, 1_000_000, MOST]],
       [[-1, 2, 1], [1_000, 2, 1], [0.0, 2, 1], [True, 2, 1], [0, -0.1, 1], [0, 1_000_000.5, 1], [0, 2, -0.1],
        [0, 2, MOST + 1], [0, 2], [0, 2, 1, 1], 5, [0, "2", 1], [0, 2, True]])
      for name in ("batb", "batl", "bdatb", "bdatl")),
]  # fmt: skip
GOOD = [(place, name, value) for place, name, values, _ in EDGES for value in values]
BAD = [(place, name, value) for place, name, _, values in EDGES for value in values]


def called(case: Any) -> str:
    return case.__name__ if callable(case) else repr(case)[:40]


@pytest.mark.parametrize(("place", "name", "value"), GOOD, ids=called)
def test_what_may_be_is_taken(place: Any, name: str, value: Any) -> None:
    assert taken(place(name, value)).refused is None


@pytest.mark.parametrize(("place", "name", "value"), BAD, ids=called)
def test_what_may_not_be_is_refused_and_named(place: Any, name: str, value: Any) -> None:
    refused = taken(place(name, value)).refused

    assert refused is not None
    assert refused.startswith(name)
    assert len(refused) < 250


@pytest.mark.parametrize("name", ["atb", "atl", "trd", "spb", "spl", "batb", "batl", "bdatb", "bdatl"])
@pytest.mark.parametrize("value", [None, {}, "", 5])
def test_a_ladder_is_a_list(name: str, value: Any) -> None:
    assert taken(of_runner(name, value)).refused is not None


def test_the_volume_of_a_market_is_bounded_too() -> None:
    assert taken(mcm(mc(tv=MOST))).updates[0]["traded_volume"] == 100 * MOST
    for value in (-0.1, MOST + 1, "5", True):
        assert (taken(mcm(mc(tv=value))).refused or "").startswith("tv")


def test_as_many_markets_as_may_be_and_one_more() -> None:
    markets = [{"id": f"1.{number}"} for number in range(10_001)]

    assert taken(mcm(mc=markets[:-1])).refused is None
    assert "at most 10000" in (taken(mcm(mc=markets)).refused or "")


def test_as_many_runners_as_may_be_and_one_more() -> None:
    runners = [runner(number) for number in range(1_001)]
    changes = [price(number, 1.5) for number in range(1_001)]

    assert len(taken(mcm(mc(d=definition(*runners[:-1], version=101)))).updates[0]["outcomes"]) == 1_000
    assert taken(mcm(mc(rc=changes[:-1]))).refused is None
    for told in (mc(d=definition(*runners, version=101)), mc(rc=changes)):
        assert "has 1001 entries; it has at most 1000" in (taken(mcm(told)).refused or "")


def test_as_many_prices_as_may_be_and_one_more() -> None:
    ladder = [[1 + number / 100, 5] for number in range(1_001)]
    levels = [[number % 1_000, 2, 5] for number in range(1_001)]

    for name, told in (("atb", ladder), ("batb", levels)):
        assert taken(of_runner(name, told[:-1])).refused is None
        assert taken(of_runner(name, told)).refused == f"{name} has 1001 entries; it has at most 1000"


def test_the_id_of_a_market_is_a_text() -> None:
    assert taken(mcm(mc(market="x" * 64))).refused is None
    for name in ("", "x" * 65, 1.1, None, "a\x00b", "a\u202eb"):
        assert taken(mcm({"id": name})).refused is not None


def test_what_is_wrong_is_shown_in_few_words() -> None:
    for value in ("x" * 10_000, [[[["x"] * 50] * 50]], {"a" * 500: {"b": {"c": 5}}}, 10**18):
        refused = taken(of_market("betDelay", value)).refused or ""
        assert refused.startswith("betDelay is ")
        assert len(refused) < 100
    for many, told in (([1, 2, 3, 4], "[1, 2, 3, ...]"), (dict.fromkeys("abcd", 1), "{'a': 1, 'b': 1, 'c': 1, ...}")):
        assert (taken(of_market("betDelay", many)).refused or "").startswith(f"betDelay is {told}; ")
    assert taken(of_market("betDelay", "soon")).refused == "betDelay is 'soon'; it is a whole number from 0 to 3600"


def test_the_clocks_of_a_subscription_are_kept_to_take_it_up_again() -> None:
    adapter = Betfair()
    adapter.take(image(mc(d=definition()), initialClk="i", clk="c"))
    assert (adapter.stream.initial_clk, adapter.stream.clk) == ("i", "c")

    adapter.take(mcm(clk="d"))
    assert (adapter.stream.initial_clk, adapter.stream.clk) == ("i", "d")


def test_a_heartbeat_is_what_was_agreed() -> None:
    adapter = Betfair()
    adapter.take(image(mc(d=definition()), heartbeatMs=7_000))

    assert adapter.take(mcm()).heartbeat == 7_000
    assert adapter.take(b"{").heartbeat == 7_000
    assert adapter.take(b'{"op":"connection"}').heartbeat == 7_000
    assert adapter.take(mcm(heartbeatMs=500)).heartbeat == 500
    assert [adapter.take(mcm(ct=kind)).is_heartbeat for kind in ("HEARTBEAT", "UPDATE", None)] == [True, False, False]
    assert adapter.take(mcm(at=5)).at == PT + 5


def test_every_ladder_is_kept_by_its_name() -> None:
    """Written down here once more: the comparison with another reading takes the names from the table itself."""
    by_price = {name: [[2 + place, 10 + place]] for place, name in enumerate(("atb", "atl", "trd", "spb", "spl"))}
    by_level = {name: [[place, 3 + place, 20 + place]] for place, name in enumerate(("batb", "batl", "bdatb", "bdatl"))}
    adapter = Betfair()
    adapter.take(image(mc(d=definition(), rc=[{"id": 11, **by_price, **by_level, "spn": 4.5, "spf": 5.5}])))

    runner_ = adapter.stream.markets["1.5"].runners[11, 0]

    assert runner_.ladders == {name: {2 + place: 10 + place} for place, name in enumerate(by_price)}
    assert runner_.levels == {name: {place: (3 + place, 20 + place)} for place, name in enumerate(by_level)}
    assert runner_.amounts == {"spn": 4.5, "spf": 5.5}
    for name, ladder in by_price.items():
        adapter.take(mcm(mc(rc=[{"id": 11, name: [[ladder[0][0], 0]]}])))
        assert runner_.ladders[name] == {}
    for name, levels in by_level.items():
        adapter.take(mcm(mc(rc=[{"id": 11, name: [[levels[0][0], 0, 0]]}])))
        assert runner_.levels[name] == {}
