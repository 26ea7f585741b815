"""What cannot be read, or was lost on the way, leaves no market open with old prices."""

from typing import Any

import orjson
import pytest

from tests.trading.feeds.messages import PT, definition, image, mc, mcm, price, runner
from tests.trading.feeds.told import ONE, OPENING, TWO, Told, bad, market, part
from trading.feeds.adapter import LONGEST_MESSAGE

SUSPENDED = {ONE: "suspended", TWO: "suspended"}


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def with_value(field: str, value: bytes) -> bytes:
    return b'{"op":"mcm","pt":%d,"mc":[{"id":"1.1","rc":[{"id":11,"%s":%s}]}]}' % (PT, field.encode(), value)


@pytest.mark.parametrize(
    "message",
    [
        mcm(bad()),
        mcm(market(ONE, 101, d=None), mc(market=ONE, d=definition(version=102, status="")), ct="UPDATE"),
        mcm(mc(market=ONE, img="yes")),
        mcm(mc(market=ONE, rc=[{"atb": []}]), ct="RESUB_DELTA"),
        mcm(mc(market=ONE, rc=[]), clk=5, status=200),
        mcm(mc(market=ONE, rc=[]), heartbeatMs=0, ct="HEARTBEAT"),
        with_value("ltp", deep(1_000)),
        with_value("atb", b"[%s]" % deep(1_000)),
        with_value("spn", b'"never"'),
    ],
    ids=repr,
)
def test_a_refused_message_suspends_the_markets_that_it_names(message: bytes) -> None:
    told = Told(message)

    assert told.taken.refused
    assert told.status == {ONE: "suspended", TWO: "open"}


@pytest.mark.parametrize(
    "message",
    [
        b"{", b"", b"[]", b'{"op":"mcm"}', b"\xff\xfe", deep(1_000), deep(100_000), b'{"op":%s}' % deep(1_000),
        b'{"op":"mcm","pt":%s}' % deep(1_000), b'{"op":"mcm","mc":[{"id":%s}]}' % deep(1_000),
        b'{"op":"ocm","mc":[{"id":"1.1"}]}', mcm(bad(), {"rc": []}), mcm(mc=[bad(), 5]), mcm(heartbeatMs=0),
        mcm(bad(), status=503), mcm(bad(), status="503"), mcm(bad(), ct="DELTA"), image(bad()),
        part("SEG_START", bad()), mcm(bad(), segmentType="SEG"), with_value("ltp", b"NaN"), with_value("ltp", b"1e400"),
        with_value("atb", b'[["\\ud800",1]]'),
    ],
    ids=repr,
)  # fmt: skip
def test_where_nobody_can_say_what_it_was_about_all_are_suspended(message: bytes) -> None:
    told = Told(message)

    assert told.taken.refused
    assert len(told.taken.refused) < 200
    assert told.status == SUSPENDED


def test_what_is_longer_than_any_message_is_not_even_parsed() -> None:
    ladder = with_value("atb", b"[%s]" % b",".join([b"[2,1]"] * (LONGEST_MESSAGE // 6)))

    for message in (b" " * (LONGEST_MESSAGE + 1), ladder):
        told = Told(message)
        assert told.taken.refused == f"it is longer than {LONGEST_MESSAGE} bytes"
        assert told.status == SUSPENDED
    assert Told(mcm().ljust(LONGEST_MESSAGE)).taken.refused is None


@pytest.mark.parametrize(
    "change",
    [
        mc(market=ONE, rc=[{"id": 11, "trd": [[2, 1]] * 1_001}]),
        mc(market=ONE, rc=[{"id": 11, "batb": [[0, 2, 1]] * 1_001}]),
        mc(market=ONE, rc=[{"id": 11}] * 1_001),
        mc(market=ONE, d=definition(*(runner(number) for number in range(1_001)))),
    ],
)
def test_what_is_too_long_is_refused(change: dict[str, Any]) -> None:
    assert "at most 1000" in (Told(mcm(change)).taken.refused or "")


def test_as_long_as_may_be_is_taken() -> None:
    ladder = [[1.01 + step / 100, 1] for step in range(1_000)]
    runners = [runner(number, number) for number in range(1_000)]

    told = Told(mcm(mc(market=ONE, d=definition(*runners, version=101), rc=[{"id": 1, "atb": ladder}] * 2)))
    many = Told(mcm(mc(market=ONE, rc=[{"id": 11}] * 1_000)))

    assert (told.taken.refused, many.taken.refused) == (None, None)
    assert len(told.taken.updates[0]["outcomes"]) == 1_000


def test_a_market_is_open_again_with_its_image_and_not_before() -> None:
    told = Told(mcm(bad()))

    assert told.take(mcm(mc(market=ONE, tv=5))).status[ONE] == "suspended"
    assert told.take(mcm(mc(market=ONE, d=definition(version=102)))).status[ONE] == "suspended"
    assert told.take(mcm(ct="RESUB_DELTA")).status[ONE] == "suspended"
    assert told.take(mcm(market(ONE, 103, img=True))).status == {ONE: "open", TWO: "open"}


def test_a_new_subscription_opens_all() -> None:
    assert Told(b"{", image(market(ONE), market(TWO))).status == {ONE: "open", TWO: "open"}


def test_while_all_are_doubted_each_opens_with_its_own_image() -> None:
    told = Told(b"{", mcm(market(ONE, img=True)))

    assert told.status == {ONE: "open", TWO: "suspended"}
    assert told.take(mcm(mc(market=ONE, tv=5))).status[ONE] == "open"


def test_what_is_new_while_all_are_doubted_waits_for_its_image_too() -> None:
    new = definition(version=101)
    told = Told(b"{", mcm(mc(market="1.3", d=new)), mcm(mc(market="1.4", d=new, img=True)))

    assert told.status == SUSPENDED | {"1.3": "suspended", "1.4": "open"}
    assert told.take(mcm(mc(market="1.3", tv=5))).status["1.3"] == "suspended"
    assert told.take(mcm(mc(market="1.3", d=new, img=True))).status["1.3"] == "open"


def test_a_market_that_was_named_before_it_was_known_waits_for_its_image() -> None:
    told = Told(mcm(bad("1.3")), mcm(mc(market="1.3", d=definition())))

    assert told.status == {ONE: "open", TWO: "open", "1.3": "suspended"}


def test_a_result_is_told_of_a_market_that_is_doubted() -> None:
    over = definition(runner(11, status="WINNER"), status="CLOSED", version=101)

    assert Told(b"{", mcm(mc(market=ONE, d=over))).status == {ONE: "settled", TWO: "suspended"}


def test_a_provider_that_is_fresh_again_opens_no_market_that_is_doubted() -> None:
    told = Told(mcm(bad()), mcm(ct="HEARTBEAT", status=503))
    assert told.status == SUSPENDED

    assert told.take(mcm(ct="HEARTBEAT")).status == {ONE: "suspended", TWO: "open"}


def test_a_message_refused_while_the_provider_is_behind_counts_afterwards() -> None:
    told = Told(mcm(ct="HEARTBEAT", status=503), mcm(bad()), mcm(ct="HEARTBEAT"))

    assert told.status == {ONE: "suspended", TWO: "open"}


@pytest.mark.parametrize(
    "later",
    [mcm(mc(market=TWO, tv=5)), mcm(ct="HEARTBEAT"), part("SEG_START", market(TWO))],
)
def test_an_image_without_its_end_leaves_nothing_open(later: bytes) -> None:
    told = Told(part("SEG_START", market(ONE, 101)), later)

    assert told.status == SUSPENDED
    assert told.counted["lost_segments"] == 1


def test_after_an_image_without_its_end_a_whole_one_opens() -> None:
    torn = Told(part("SEG_START", market(ONE, 101)), image(market(TWO, 102)))
    again = Told(part("SEG_START", market(ONE, 101)), part("SEG_START", market(ONE, 102)), part("SEG_END", market(TWO)))

    assert torn.status == {ONE: "suspended", TWO: "open"}
    assert again.status == {ONE: "open", TWO: "open"}
    assert torn.trouble() == again.trouble() == {"lost_segments": 1}


@pytest.mark.parametrize("parts", [["SEG", "SEG_END"], ["SEG_END"]])
def test_an_image_without_its_beginning_opens_nothing(parts: list[str]) -> None:
    told = Told(*(part(kind, market(TWO, 101)) for kind in parts))

    assert told.status == SUSPENDED
    assert told.trouble() == {"lost_segments": 1}
    assert told.take(mcm(market(TWO, 102, img=True))).status == {ONE: "suspended", TWO: "open"}


@pytest.mark.parametrize("middle", [b"{", part("SEG", bad())])
def test_an_image_with_a_part_that_cannot_be_read_opens_nothing(middle: bytes) -> None:
    told = Told(part("SEG_START", market(ONE, 101)), middle, part("SEG_END", market(TWO, 101)))

    assert told.status == SUSPENDED
    assert told.take(image(market(ONE), market(TWO))).status == {ONE: "open", TWO: "open"}


def test_an_update_in_parts_is_no_image_of_all() -> None:
    halves = [mcm(mc(market=ONE, tv=5), segmentType="SEG_START"), mcm(mc(market=ONE, tv=6), segmentType="SEG_END")]

    assert Told(mcm(bad(TWO)), *halves).status == {ONE: "open", TWO: "suspended"}
    assert Told(*halves).trouble() == {}


def test_a_part_that_is_stale_makes_the_whole_stale() -> None:
    parts = [part("SEG_START", market(ONE, 101), status=503), part("SEG_END", market(TWO, 101))]

    assert Told(*parts).status == SUSPENDED
    assert Told(*parts, mcm(ct="HEARTBEAT")).status == {ONE: "open", TWO: "open"}


@pytest.mark.parametrize("kind", [None, "RESUB_DELTA"])
def test_a_delta_of_an_unknown_market_is_counted_and_opens_nothing_before_an_image(kind: str | None) -> None:
    told = Told(mcm(mc(market="1.9", rc=[price(11, 1.5)]), ct=kind))
    assert told.trouble() == {"unknown_markets": 1}

    assert told.take(mcm(mc(market="1.9", d=definition()))).status["1.9"] == "suspended"
    assert told.take(mcm(market("1.9", img=True))).status["1.9"] == "open"
    assert told.trouble() == {"unknown_markets": 1}


def test_an_image_whose_description_comes_later_is_whole() -> None:
    told = Told(mcm(mc(market=ONE, img=True, rc=[price(11, 3)])), mcm(mc(market=ONE, rc=[price(11, 3.5)])))
    assert told.status[ONE] == "suspended"

    assert told.take(mcm(mc(market=ONE, d=definition()))).status[ONE] == "open"
    assert told.trouble() == {}


def test_a_recording_that_begins_with_a_description_is_believed() -> None:
    """Betfair's historic files have no images."""
    assert Told(mcm(mc(market="1.9", d=definition()))).status["1.9"] == "open"


def test_after_an_image_of_all_a_market_that_is_new_is_believed_again() -> None:
    """What could not be read may have been about any market, those to come as well; the image says it all anew."""
    new = mcm(mc(market="1.9", d=definition()))

    assert Told(b"{", new).status["1.9"] == "suspended"
    assert Told(b"{", OPENING, new).status["1.9"] == "open"


def crossing(**changes: Any) -> bytes:
    return mcm(mc(market=ONE, **changes))


def test_a_book_that_becomes_crossed_is_counted_once() -> None:
    across = crossing(rc=[{"id": 11, "atb": [[1.6, 5]]}])
    back = crossing(rc=[{"id": 11, "atb": [[1.6, 0]]}])

    assert Told(across, across).trouble() == {"crossed_books": 1}
    assert Told(across, back, across).trouble() == {"crossed_books": 2}
    assert Told(crossing(rc=[{"id": 11, "atb": [[1.59, 5]]}])).trouble() == {}
    assert Told(crossing(rc=[{"id": 12, "atl": [[2.5, 0], [2.6, 0]]}])).trouble() == {}


def test_a_book_that_comes_crossed_is_counted() -> None:
    across = market("1.9", rc=[price(11, 1.7, 1.6), price(12, 2.5, 2.6)])

    assert Told(mcm(across | {"img": True})).trouble() == {"crossed_books": 1}


def test_a_book_that_nobody_bets_on_may_be_crossed() -> None:
    rc = [{"id": 11, "atb": [[1.7, 5]]}]

    assert Told(crossing(rc=rc, d=definition(status="SUSPENDED", version=101))).trouble() == {}
    assert Told(crossing(rc=rc, d=definition(runner(11, status="REMOVED"), version=101))).trouble() == {}


@pytest.mark.parametrize("name", ["ltp", "tv", "spn", "spf"])
def test_null_leaves_the_amount_of_a_runner_as_it_is(name: str) -> None:
    told = Told(mcm(mc(market=ONE, rc=[{"id": 11, name: 1.55}])), mcm(mc(market=ONE, rc=[{"id": 11, name: None}])))

    assert told.taken.refused is None
    assert told.adapter.stream.markets[ONE].runners[11, 0].amounts[name] == 1.55


def test_null_leaves_a_market_as_it_is() -> None:
    nothing = {"marketDefinition": None, "tv": None, "rc": None, "img": None, "con": None}
    told = Told(
        mcm(mc(market=ONE, tv=5)), mcm(mc(market=ONE) | nothing, con=None, mc=None), mcm(mc(market=ONE, **nothing))
    )

    assert told.taken.refused is None
    (update,) = told.taken.updates
    assert (update["status"], update["traded_volume"]) == ("open", 500)
    assert update["outcomes"][0]["back_odds"] == 1_500


@pytest.mark.parametrize("code", ["FAILURE", None])
def test_nothing_but_an_image_opens_a_market_after_the_subscription_failed(code: str | None) -> None:
    told = Told(orjson.dumps({"op": "status", "statusCode": code, "connectionClosed": True}))

    assert told.take(mcm(mc(market=ONE, tv=5)), mcm(ct="HEARTBEAT")).status == SUSPENDED
    assert told.take(mcm(market("1.3", d=definition(version=1)))).status == SUSPENDED | {"1.3": "suspended"}
    assert told.take(mcm(market(ONE, 103, img=True))).status == SUSPENDED | {ONE: "open", "1.3": "suspended"}
    assert told.take(image(market(ONE, 104), market(TWO, 104))).status[TWO] == "open"


def test_a_subscription_that_is_not_accepted_is_refused() -> None:
    for status in ("FAILURE", None, ["SUCCESS"]):
        assert Told(orjson.dumps({"op": "status", "statusCode": status})).status == SUSPENDED
    assert Told(orjson.dumps({"op": "status", "statusCode": "SUCCESS"})).status == {ONE: "open", TWO: "open"}
