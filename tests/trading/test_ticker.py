"""Bets as they are placed are told once each, whatever becomes of the topic that they come through."""

from datetime import UTC, datetime
from typing import Any

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.ids import derived_id
from tests.faults.test_lost_logs import halt, made_anew, streams
from tests.spine import Spine, until
from tests.streams.arriving import event_of
from trading import journal
from trading.models import Bet

TOPIC = "bet-events"


def bet(name: str) -> str:
    return str(derived_id("bet of the ticker", name))


def placed(spine: Spine, *names: str) -> None:
    """Bets of these names are placed, and stored."""
    schema_id = spine.registry.register("BetPlaced")
    events: list[dict[str, Any]] = [
        event_of("BetPlaced", event_id=str(derived_id("event", name)), bet_id=bet(name), occurred_at=datetime.now(UTC))
        for name in names
    ]
    spine.send_bytes(TOPIC, [frame(schema_id, encode("BetPlaced", event)) for event in events], partition=0)
    until(lambda: Bet.objects.filter(id__in=map(bet, names)).count() == len(names), "they are stored")


def told(page: journal.PlacedBets) -> list[str]:
    return [placed.id for placed in page.bets]


def test_bets_of_a_topic_made_anew_are_told_once_and_those_of_the_former_never_again(spine: Spine) -> None:
    with spine.streaming("trading"):
        placed(spine, *(f"old {number}" for number in range(9)))
        page = journal.newest_bets(datetime.now(UTC), 30)
        placed(spine, "the last of the former")
        made_anew(spine, 2, TOPIC)
        halt(spine)
        streams("adopt", "trading", TOPIC, "--reason", "test")

        placed(spine, "new 1", "new 2", "new 3")
        page = journal.bets_since(page.positions)
        assert told(page) == [bet(name) for name in ("the last of the former", "new 1", "new 2", "new 3")]
        assert page.skipped == 0

        page = journal.bets_since(page.positions)
        assert told(page) == []
        placed(spine, "new 4")
        assert told(journal.bets_since(page.positions)) == [bet("new 4")]
