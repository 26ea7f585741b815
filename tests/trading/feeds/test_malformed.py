"""Messages that cannot be read: told as such, whatever is wrong with them, and nothing of them is taken over."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams.arriving import arrived
from tests.trading.feeds.independent import our_book
from tests.trading.feeds.messages import definition, image, mc, mcm, price, runner
from trading.feeds.adapter import Malformed
from trading.feeds.providers.betfair.adapter import Betfair

OPENING = image(mc(d=definition(), rc=[price(11, 1.5, 1.6), price(12, 2.5, 2.6)]))
FULL = mcm(
    mc(
        d=definition(runner(11, name="Alba", bsp="NaN", hc=0.5), runner(12, status="REMOVED"), version=101, name="Win"),
        rc=[price(11, 1.4, batb=[[0, 1.4, 2]], ltp=1.4, tv=3, spn="NaN", spf=2.2), price(12, lay=3, hc=0.5)],
        tv=99.5,
    ),
    clk="c2",
    heartbeatMs=5_000,
    con=True,
    segmentType="SEG_END",
)


def books(adapter: Betfair) -> str:
    stream = adapter.stream
    told = {name: our_book(market) for name, market in stream.markets.items()}
    return repr((told, stream.clk, stream.initial_clk, stream.is_stale, stream.heartbeat))


def refused(message: bytes) -> str:
    """Why it is refused; it has changed and told nothing."""
    adapter = Betfair()
    adapter.take(OPENING)
    before = books(adapter)
    taken = adapter.take(message)
    assert books(adapter) == before
    assert taken.refused is not None
    assert not taken.updates
    return taken.refused


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "no JSON"),
        (b'{"op":"mcm","pt":1', "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"pt":1}', "op is None"),
        (b'{"op":"ocm","pt":1657539000000}', "op is 'ocm'"),
        (b'{"op":["mcm"]}', r"op is \['mcm'\]"),
        (b'{"op":"mcm"}', "pt is None"),
        (b'{"op":"mcm","pt":"1657539000000"}', "pt is '1657539000000'"),
        (b'{"op":"mcm","pt":165753900000000000}', "pt is"),
        (b'{"op":"mcm","pt":true}', "pt is True"),
        (mcm(ct="DELTA"), "ct is 'DELTA'"),
        (mcm(segmentType="SEG_MIDDLE"), "segmentType"),
        (mcm(mc=5), "mc is 5"),
        (mcm(mc=[5]), "list of objects"),
        (mcm({"rc": []}), "id is None"),
        (mcm({"id": 7}), "id is 7"),
        (mcm(mc(rc=[{"atb": [[1.5, 1]]}])), "id is None"),
        (mcm(mc(rc=[{"id": "11"}])), "id is '11'"),
        (mcm(mc(rc=[{"id": -1}])), "id is -1"),
        (mcm(mc(rc=[{"id": -1, "hc": 0.5}])), "id is -1"),
        (mcm(mc(rc=[{"id": 11, "hc": "x"}])), "hc is 'x'"),
        (mcm(mc(rc=[{"id": 11, "atb": [["1.5", 1]]}])), r"atb holds \['1.5', 1\]"),
        (mcm(mc(rc=[{"id": 11, "atb": [[1.5, None]]}])), "atb holds"),
        (mcm(mc(rc=[{"id": 11, "atb": [[1.5, True]]}])), "atb holds"),
        (mcm(mc(rc=[{"id": 11, "atb": [[1.5, -1]]}])), "atb holds"),
        (mcm(mc(rc=[{"id": 11, "atb": [[1.5]]}])), r"\[price, size\]"),
        (mcm(mc(rc=[{"id": 11, "atb": [1.5]}])), r"\[price, size\]"),
        (mcm(mc(rc=[{"id": 11, "atb": {"1.5": 1}}])), "atb is"),
        (mcm(mc(rc=[{"id": 11, "batb": [[0.5, 1.5, 1]]}])), "level"),
        (mcm(mc(rc=[{"id": 11, "batb": [[0, 1.5]]}])), "level"),
        (mcm(mc(rc=[{"id": 11, "ltp": "1.5"}])), "ltp is '1.5'"),
        (mcm(mc(rc=[{"id": 11, "spn": "nothing"}])), "spn is 'nothing'"),
        (mcm(mc(tv=1e300)), "tv is 1e\\+300"),
        (mcm(mc(d=[])), r"marketDefinition is \[\]"),
        (mcm(mc(d=definition(status=None))), "status is None"),
        (mcm(mc(d=definition(runners=None))), "runners is None"),
        (mcm(mc(d=definition(runners=[{"status": "ACTIVE"}]))), "id is None"),
        (mcm(mc(d=definition(betDelay=-1))), "betDelay is -1"),
        (mcm(mc(d=definition(inPlay="no"))), "inPlay is 'no'"),
        (mcm(mc(d=definition(eventId=""))), "eventId is ''"),
        (mcm(mc(d=definition(marketTime="soon"))), "marketTime is 'soon'"),
        (mcm(mc(d=definition(marketTime="2022-07-11"))), "time zone"),
        (mcm(mc(d=definition(name=5))), "name is 5"),
        (mcm(mc(d=definition(eventId="a\x85b"))), "eventId is"),
        (mcm(mc(d=definition(eventId="9" * 65))), "eventId is"),
        (mcm(mc(d=definition(runner(11), runner(12), runner(11)))), r"runners has \(11, 0\) twice"),
        (mcm(mc(img="false")), "img is 'false'"),
        (mcm(mc(img=1)), "img is 1"),
        (mcm(mc(con="no")), "con is 'no'"),
        (mcm(con=0), "con is 0"),
    ],
)
def test_it_says_what_is_wrong(message: bytes, reason: str) -> None:
    assert re.search(reason, refused(message))


def test_one_bad_market_takes_the_whole_message_with_it() -> None:
    good = mc(market="1.6", d=definition(), rc=[price(11, 1.5)])

    assert "atb" in refused(mcm(good, mc(rc=[{"id": 11, "atb": "none"}])))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, each in inner for found in _places(each, (*place, key)))]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_wrong_it_is_refused_or_can_be_told(data: st.DataObject) -> None:
    """Any value of a full message in any other's place: all of it is taken, and keeps the contract, or nothing."""
    told = orjson.loads(FULL)
    place = data.draw(st.sampled_from(_places(told)[1:]))
    inner = told
    for key in place[:-1]:
        inner = inner[key]
    if data.draw(st.booleans()):
        del inner[place[-1]]
    else:
        inner[place[-1]] = data.draw(JUNK)
    try:
        message = orjson.dumps(told)
    except TypeError:  # An integer of more than 64 bits, which no JSON of ours can hold.
        return
    adapter = Betfair()
    adapter.take(OPENING)
    before = books(adapter)

    taken = adapter.take(message)

    for update in taken.updates:
        arrived("MarketUpdate", {**update})
    if taken.refused is not None:
        assert books(adapter) == before
        assert taken.doubted is None or taken.doubted


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(message: bytes) -> None:
    taken = Betfair().take(message)

    assert (taken.refused is not None, taken.doubted) == (True, None)


@pytest.mark.parametrize(
    "document",
    [
        b"{", b'{"op":"mcm"}', b'{"op":"marketCatalogue"}', b'{"op":"ccm"}', b'{"op":"ccm","cc":[{"homeTeam":5}]}',
        b'{"op":"marketCatalogue","marketId":"1.5","marketName":"Win","runners":[{"selectionId":11}]}',
    ],
)  # fmt: skip
def test_a_document_without_names_is_refused(document: bytes) -> None:
    with pytest.raises(Malformed):
        Betfair().learn(document)
