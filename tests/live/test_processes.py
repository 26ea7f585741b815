"""Two web processes and a worker that Redis does not let speak: both show everything all the same, in order."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backoffice.kernel.clock import microseconds
from backoffice.live.tail import TOTAL
from backoffice.localstack import ports
from backoffice.simulator.events.envelope import Event
from tests.live.match import EVENT, MARKET, Match
from tests.live.web import Person, Watcher, Web
from tests.spine import Spine
from tests.streams.arriving import event_of
from trading.journal import MOST_BETS
from trading.live import MOST_UPDATES, STATUSES_SHOWN

NOWHERE = f"redis://{ports.LOOPBACK}:1/0"


class LogReader(Watcher):
    """Notes every entry of the logs that it follows, in the order in which it is told."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.entries: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in self.publications}

    def take(self, timeout: float = 10.0) -> dict[str, Any]:
        frame = super().take(timeout)
        log = self.entries.setdefault(frame["publication"], {})
        for key, row in frame.get("rows", frame.get("set", {})).items():
            log.setdefault(key, row)
        return frame

    def told(self, name: str) -> list[dict[str, Any]]:
        return [row for key, row in self.entries[name].items() if key != TOTAL]

    def total(self, name: str) -> dict[str, Any]:
        return self.rows(name).get(TOTAL, {})


@pytest.fixture
def readers(spine: Spine, tmp_path: Path) -> Iterator[list[LogReader]]:
    """A client of each of two processes, that watches everything about the match."""
    person = Person("trader")
    with ExitStack() as exits:
        found = []
        for number in range(2):
            folder = tmp_path / str(number)
            folder.mkdir()
            web = Web(spine.environ, folder)
            exits.callback(web.kill)
            web.start()
            # The two are read in turns; one that waits reads ahead all the same, or it would be cut as dead.
            socket = exits.enter_context(web.socket(person, ping_interval=None, max_queue=None))
            found.append(LogReader(socket, f"prices:{EVENT}", f"statuses:{EVENT}", "ticker", "live"))
        yield found


def bets(count: int) -> Iterator[Event]:
    start = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(count):
        at = start + timedelta(milliseconds=number)
        ids = {"event_id": str(uuid4()), "bet_id": str(uuid4()), "occurred_at": microseconds(at), "player_id": PLAYER}
        yield Event("BetPlaced", PLAYER, event_of("BetPlaced", **ids))


PLAYER = str(uuid4())


def test_whatever_no_message_says_is_shown_all_the_same(spine: Spine, readers: list[LogReader]) -> None:
    spine.worker("trading", REDIS_URL=NOWHERE)
    match = Match(spine)
    match.play("open")
    for reader in readers:
        reader.until(lambda: reader.rows(f"prices:{EVENT}"), "the match is there")  # noqa: B023

    statuses = ["suspended", "open"] * (MOST_UPDATES // 2 + STATUSES_SHOWN) + ["suspended"]
    match.play(*statuses)
    placed = list(bets(MOST_BETS - 10))
    spine.send(placed)

    for reader in readers:
        _is_complete(reader, match, ["open", *statuses], placed)


def _is_complete(reader: LogReader, match: Match, statuses: list[str], placed: list[Event]) -> None:
    prices, log = f"prices:{EVENT}", f"statuses:{EVENT}"
    reader.until(lambda: reader.rows(prices)[MARKET]["version"] == match.version, "the newest price is there")
    reader.until(lambda: len(reader.told(log)) == len(statuses), "every status is there")
    reader.until(lambda: len(reader.told("ticker")) == len(placed), "every bet is there")

    assert [row["status"] for row in reader.told(log)] == statuses
    versions = [row["version"] for row in reader.told(log)]
    assert versions == sorted(versions)
    assert reader.rows(prices)[MARKET]["status"] == statuses[-1]
    assert [row["at"] for row in reader.told("ticker")] == [event.body["occurred_at"] // 1000 for event in placed]
    assert (reader.total("ticker")["count"], reader.total("ticker")["skipped"]) == (len(placed), 0)
    assert reader.rows("live")["workers"]["state"] == "silent"


def test_bets_that_are_too_many_are_counted_and_the_newest_are_shown(spine: Spine, readers: list[LogReader]) -> None:
    for reader in readers:
        reader.until(lambda: reader.total("ticker"), "the ticker is there")  # noqa: B023
    placed = list(bets(4 * MOST_BETS))
    spine.send(placed)
    spine.drain("trading")

    for reader in readers:
        reader.until(lambda: reader.total("ticker")["count"] == len(placed), "all are counted")  # noqa: B023
        told = [row["at"] for row in reader.told("ticker")]
        assert told[-1] == placed[-1].body["occurred_at"] // 1000
        assert told == sorted(told)
        assert len(told) + reader.total("ticker")["skipped"] == len(placed)
        assert reader.total("ticker")["skipped"] > 0
