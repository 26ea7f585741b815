"""The rules of the image-and-delta protocol, one by one, and all of them together against another reading."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.feeds.independent import Pair
from tests.trading.feeds.messages import MARKET, definition, image, mc, mcm, price, runner
from trading.feeds.providers.betfair.book import Runner
from trading.feeds.providers.betfair.stream import Changed, Stream
from trading.feeds.providers.betfair.wire import read


def told(*messages: bytes) -> Stream:
    stream = Stream()
    for message in messages:
        stream.fold(read(message))
    return stream


def last(*messages: bytes) -> Changed:
    stream = told(*messages[:-1])
    return stream.fold(read(messages[-1]))


def runner_of(stream: Stream, selection: int = 11, handicap: float = 0, market: str = MARKET) -> Runner:
    return stream.markets[market].runners[selection, handicap]


def ids(changed: Changed) -> tuple[list[str], list[str]]:
    return [market.id for market in changed.markets], changed.gone


OPENING = image(mc(d=definition(), rc=[price(11, 1.5, 1.6), price(12, 2.5, 2.6)]))


def test_an_image_replaces_the_whole_cache() -> None:
    again = image(mc(market="1.6", d=definition(), rc=[]), at=1)

    assert ids(last(OPENING, again)) == (["1.6"], [MARKET])
    assert set(told(OPENING, again).markets) == {"1.6"}


def test_an_image_of_all_is_one_of_each_market_whether_or_not_they_say_so() -> None:
    changed = last(mcm(mc(rc=[price(11, 1.5)]), ct="SUB_IMAGE"))

    assert (changed.is_image, changed.images, changed.unknown) == (True, [MARKET], [])


def test_a_resubscription_patches_what_is_there() -> None:
    delta = mcm(mc(rc=[{"id": 11, "atb": [[1.55, 3]]}]), ct="RESUB_DELTA")

    stream = told(OPENING, delta)

    assert runner_of(stream).ladders["atb"] == {1.5: 10, 1.55: 3}
    assert runner_of(stream, 12).ladders["atb"] == {2.5: 10}


def test_a_heartbeat_changes_nothing_but_the_clock() -> None:
    stream = told(OPENING)
    before = stream.markets

    changed = stream.fold(read(mcm(ct="HEARTBEAT", clk="c2")))

    assert ids(changed) == ([], [])
    assert stream.markets is before
    assert (stream.initial_clk, stream.clk) == ("i1", "c2")


def test_an_image_in_parts_is_told_when_it_is_whole() -> None:
    parts = [
        image(mc(d=definition()), segmentType="SEG_START", initialClk=None, clk=None),
        image(mc(market="1.6", d=definition()), segmentType="SEG", initialClk=None, clk=None),
        image(mc(market="1.7", d=definition()), segmentType="SEG_END", initialClk="i9", clk="c9"),
    ]

    first = image(mc(market="1.1", d=definition()))
    assert ids(last(first, *parts[:1])) == ([], [])
    assert ids(last(first, *parts[:2])) == ([], [])
    assert ids(last(first, *parts)) == ([MARKET, "1.6", "1.7"], ["1.1"])


def test_only_a_whole_message_moves_the_clock() -> None:
    start = mcm(mc(d=definition()), ct="RESUB_DELTA", segmentType="SEG_START", clk="half")
    end = mcm(mc(rc=[]), ct="RESUB_DELTA", segmentType="SEG_END", clk="whole")

    assert told(OPENING, start).clk == "c1"
    assert told(OPENING, start, end).clk == "whole"


def test_a_clock_that_is_null_leaves_the_last_one() -> None:
    assert told(OPENING, mcm(mc(rc=[]), clk=None)).clk == "c1"


def test_an_image_in_the_middle_replaces_its_market_only() -> None:
    two = image(*(mc(market=name, d=definition(), rc=[price(11, 1.5)]) for name in (MARKET, "1.6")))
    again = mcm(mc(img=True, d=definition(version=101), rc=[{"id": 12, "atb": [[3, 1]]}]))

    stream = told(two, again)

    assert runner_of(stream).ladders["atb"] == {}
    assert runner_of(stream, 12).ladders["atb"] == {3: 1}
    assert runner_of(stream, market="1.6").ladders["atb"] == {1.5: 10}


def test_a_change_says_only_what_is_new() -> None:
    stream = told(OPENING, mcm(mc(rc=[{"id": 11, "ltp": 1.5, "tv": 20}])), mcm(mc(rc=[{"id": 11, "tv": 21}])))

    assert runner_of(stream).amounts == {"ltp": 1.5, "tv": 21}
    assert runner_of(stream).ladders["atb"] == {1.5: 10}


def test_a_size_of_zero_takes_a_price_or_a_level_away() -> None:
    stream = told(
        OPENING,
        mcm(mc(rc=[{"id": 11, "atb": [[1.4, 5], [1.5, 0]], "batb": [[0, 1.5, 10], [1, 1.4, 5]]}])),
        mcm(mc(rc=[{"id": 11, "atb": [[1.2, 0]], "batb": [[0, 1.4, 5], [1, 0, 0]]}])),
    )

    assert runner_of(stream).ladders["atb"] == {1.4: 5}
    assert runner_of(stream).levels["batb"] == {0: (1.4, 5)}


def test_runners_differ_by_their_handicap_too() -> None:
    lines = [runner(11, 1, hc=-0.5), runner(11, 2, hc=0.5), runner(12, 3)]
    stream = told(image(mc(d=definition(*lines), rc=[price(11, 1.9, hc=-0.5), price(11, 2.1, hc=0.5), price(12, 3)])))

    assert list(stream.markets[MARKET].runners) == [(11, -0.5), (11, 0.5), (12, 0)]
    assert runner_of(stream, 11, 0.5).ladders["atb"] == {2.1: 10}


@pytest.mark.parametrize("img", [True, False])
def test_of_the_same_market_twice_the_higher_version_wins(img: bool) -> None:
    newer = mc(d=definition(version=102, betDelay=5), rc=[price(11, 1.8)], img=True)
    older = mc(d=definition(version=101, betDelay=1), rc=[price(11, 1.2)], img=img)

    for order in ([newer, older], [older, newer]):
        stream = told(OPENING, mcm(*order))
        described = stream.markets[MARKET].definition
        assert described is not None
        assert (described.version, described.bet_delay) == (102, 5)
        assert runner_of(stream).ladders["atb"] == {1.8: 10}


def test_stale_is_what_the_last_message_said() -> None:
    stale = mcm(ct="HEARTBEAT", status=503)

    assert told(OPENING, stale).is_stale
    assert set(told(OPENING, stale).markets) == {MARKET}
    assert not told(OPENING, stale, mcm(ct="HEARTBEAT")).is_stale
    assert not told(OPENING, stale, mcm(ct="HEARTBEAT", status=200)).is_stale


def test_the_agreed_heartbeat_is_kept() -> None:
    assert told(OPENING, mcm(mc(rc=[]))).heartbeat == 5_000
    assert told(mcm(mc(d=definition()))).heartbeat is None


def test_a_suspended_market_keeps_its_book_until_deltas_take_it() -> None:
    stream = told(OPENING, mcm(mc(d=definition(status="SUSPENDED", version=101))))

    assert runner_of(stream).ladders["atb"] == {1.5: 10}
    assert runner_of(told(OPENING, mcm(mc(rc=[{"id": 11, "atb": [[1.5, 0]]}])))).best_back() is None


def test_a_definition_is_complete() -> None:
    """A runner that it does not name is no part of the market any more, though its book may still change."""
    stream = told(OPENING, mcm(mc(d=definition(runner(12), version=101), rc=[price(11, 1.7)])))

    assert runner_of(stream).definition is None
    assert list(stream.markets[MARKET].runners) == [(12, 0), (11, 0)]


def test_starting_prices_may_be_words() -> None:
    stream = told(OPENING, mcm(mc(rc=[{"id": 11, "spn": "NaN", "spf": "Infinity"}, {"id": 12, "spn": 4.2}])))

    assert [str(runner_of(stream).amounts[name]) for name in ("spn", "spf")] == ["nan", "inf"]
    assert runner_of(stream, 12).amounts["spn"] == 4.2


def test_a_delta_before_any_image_waits_for_the_description() -> None:
    changed = last(mcm(mc(rc=[price(11, 1.5)])))

    assert [market.definition for market in changed.markets] == [None]


PRICES = st.sampled_from([1.01, 1.5, 2, 2.02, 10, 1000])
SIZES = st.sampled_from([0, 0, 1, 2.5, 340.12])
BY_PRICE = st.lists(st.tuples(PRICES, SIZES).map(list), max_size=3)
BY_LEVEL = st.lists(st.tuples(st.integers(0, 3), PRICES, SIZES).map(list), max_size=3)
STARTING = st.sampled_from([1.5, "NaN", "Infinity", 0])
RUNNER_KEYS: Any = st.sampled_from([{"id": 11}, {"id": 12}, {"id": 12, "hc": 0}, {"id": 12, "hc": -0.5}])
RUNNER_CHANGES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("atb", "atl", "trd", "spb", "spl"), BY_PRICE)
    | dict.fromkeys(("batb", "batl", "bdatb", "bdatl"), BY_LEVEL)
    | {"ltp": PRICES, "tv": SIZES, "spn": STARTING, "spf": STARTING},
)
STATES: Any = st.fixed_dictionaries(
    {"status": st.sampled_from(["OPEN", "SUSPENDED", "CLOSED"]), "inPlay": st.booleans(), "betDelay": st.integers(0, 5)}
)
RUNNER_STATES: Any = st.fixed_dictionaries(
    {"status": st.sampled_from(["ACTIVE", "REMOVED", "WINNER", "LOSER"])},
    optional={"bsp": STARTING, "adjustmentFactor": st.just(12.5), "removalDate": st.just("2022-07-11T10:00:00.000Z")},
)


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"market": draw(st.sampled_from([MARKET, "1.6"]))}
    if draw(st.booleans()):
        keys: list[tuple[int, dict[str, Any]]] = [(11, {}), (12, {}), (12, {"hc": -0.5})]
        found["d"] = definition(*(runner(id_, **hc, **draw(RUNNER_STATES)) for id_, hc in keys), **draw(STATES))
    if draw(st.booleans()):
        found["rc"] = [draw(RUNNER_KEYS) | draw(RUNNER_CHANGES) for _ in range(draw(st.integers(0, 3)))]
    return found | draw(st.fixed_dictionaries({}, optional={"img": st.booleans(), "tv": SIZES}))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT", None, None]), st.lists(changes(), max_size=3)
        ),
        max_size=12,
    )
)
def test_any_messages_make_the_book_that_the_other_reading_makes(messages: list[tuple[str | None, Any]]) -> None:
    pair = Pair()
    for number, (kind, told_changes) in enumerate(messages):
        version = {"version": 100 + number}
        markets = [mc(**(change | ({"d": change["d"] | version} if "d" in change else {}))) for change in told_changes]
        told_markets = () if kind == "HEARTBEAT" else markets
        pair.take(mcm(*told_markets, at=number, clk=f"c{number}", ct=kind or "UPDATE"))
        assert not list(pair.differences())
        ours, theirs = pair.clocks()
        assert ours == theirs


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(changes(), min_size=1, max_size=2), min_size=1, max_size=6))
def test_an_image_in_parts_is_the_same_image(parts: list[list[dict[str, Any]]]) -> None:
    markets = [[mc(**change) for change in part] for part in parts]
    kinds: list[str | None] = ["SEG_START", *["SEG"] * (len(parts) - 2), "SEG_END"] if len(parts) > 1 else [None]
    whole, in_parts = Pair(), Pair()

    whole.take(mcm(*(market for part in markets for market in part), ct="SUB_IMAGE"))
    for kind, part in zip(kinds, markets, strict=True):
        in_parts.take(mcm(*part, ct="SUB_IMAGE", segmentType=kind))

    assert not list(whole.differences())
    assert not list(in_parts.differences())
    assert set(whole.ours.markets) == set(in_parts.ours.markets)
