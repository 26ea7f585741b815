"""What one publication says of its own age."""

from datetime import UTC, datetime, timedelta
from typing import Any

from backoffice.kernel.clock import FixedClock
from backoffice.live.board import Reading
from backoffice.live.broadcast import Broadcast
from backoffice.live.conditions import Conditions
from backoffice.live.publications import Publication
from tests.live.hubs import until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_what_was_doubted_and_could_not_be_read_is_not_said_to_be_of_now_and_is_read_again_soon() -> None:
    clock, reads, said = FixedClock(NOON), 0, list[str]()

    async def read(_: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise TimeoutError("canceling statement due to lock timeout")
        return Reading({"a": {"value": reads}})

    told = Publication("prices:", "", lambda _: {}, is_told=True, review=3_600.0, every=0.05)
    broadcast = Broadcast("prices:e", told, read, lambda: True, lambda _, why: said.append(why), clock)
    broadcast.start(Conditions(clock))
    await until(lambda: reads == 1 and said, "it is read")
    broadcast.doubt()
    await until(lambda: len(said) == 2, "it could not be read")
    clock.advance(timedelta(seconds=5))

    broadcast.affirm()

    assert broadcast._at == NOON
    await until(lambda: len(said) == 3, "it is read again")
    assert said == ["", "canceling statement due to lock timeout", ""]
    broadcast.stop()
