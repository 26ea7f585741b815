"""Headers are whatever somebody writes: a name that is no text costs nobody anything."""

import io

from django.core.management import call_command

from backoffice.contracts.codec import encode, frame
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from tests.streams.consume.test_following import PRICES, Latest, followed
from tests.streams.foreign import send_foreign

BETS = "bet-events"


def bet(spine: Spine, number: int) -> bytes:
    ids = {name: f"01890000-0000-7000-800{place}-{number:012d}" for place, name in enumerate(("event_id", "bet_id"))}
    event = event_of("BetPlaced", **ids)
    return frame(spine.registry.register("BetPlaced"), encode("BetPlaced", event))


def test_a_header_whose_name_is_no_text_stops_no_stream_no_rebuild_and_no_reconciliation(spine: Spine) -> None:
    spine.send_bytes(BETS, [bet(spine, 1)], partition=0)
    send_foreign(spine, BETS, bet(spine, 2), header=b"\xff\xfe")
    spine.send_bytes(BETS, [bet(spine, 3)], partition=0)
    spine.drain("trading")

    call_command("reconcile", stdout=io.StringIO())
    call_command("rebuild", "trading_bet", stdout=io.StringIO())

    assert spine.rows("SELECT source_offset FROM trading_bet ORDER BY 1") == [(0,), (1,), (2,)]
    assert spine.value("SELECT count(*) FROM streams_deadletter") == 0


def test_a_header_whose_name_is_no_text_stops_no_follower(spine: Spine) -> None:
    latest = Latest()

    with followed(spine, latest):
        assert latest.is_told.wait(20)
        send_foreign(spine, PRICES, b"2", header=b"\xff\xfe", key=b"a")
        spine.send_bytes(PRICES, [b"3"], key=b"b", partition=0)

        until(lambda: latest.values == {b"a": b"2", b"b": b"3"}, "both are known")
        assert latest.beginnings == 1
