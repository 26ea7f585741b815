"""`manage.py status` through the door of a person and of a machine."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

from django.core.management import call_command

from backoffice.simulator.generator import generate
from backoffice.streams.models import Halt
from tests.spine import Spine


def test_the_status_tells_what_moves_and_what_waits(spine: Spine) -> None:
    start = datetime.now(UTC) - timedelta(minutes=3)
    spine.send(generate(seed=5, start=start, events=1_500, step=timedelta(milliseconds=100), players=40))
    spine.send_bytes("bet-events", [b"junk"])
    spine.drain()
    spine.send_bytes("game-rounds", [b"more junk"])
    Halt.objects.create(
        stream="wallet", topic="game-rounds", partition=1, offset=0, reason="bad", halted_at=datetime.now(UTC)
    )

    told = json.loads(said("--json"))

    assert told["dead_letters"] == 1
    assert told["lag"] == {"compliance": 0, "players": 0, "trading": 0, "wallet": 1}
    assert told["halted"] == ["wallet: game-rounds[1]"]
    assert sum(told["active_players"].values()) > 0
    assert {row["vertical"] for row in told["ggr"]} >= {"slots"}
    assert "lag 1  dead letters 1" in said("--line")
    assert "Halted partitions" in said()


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()
