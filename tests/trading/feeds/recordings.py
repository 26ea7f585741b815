"""The recorded streams, where they are; they are never part of the project."""

from pathlib import Path

import orjson
import pytest
from django.conf import settings

BETFAIR: Path = settings.RECORDED_DATA / "betfair"
STREAMS = ("1.185781277", "1.197931750", "1.200806927", "1.230478683")
CRICKET = "1.200806927"

needed = pytest.mark.skipif(
    not BETFAIR.is_dir(), reason="recorded streams are not here; PITBOSS_DATA names the folder that holds betfair/"
)


def stream(name: str) -> Path:
    return BETFAIR / f"{name}.ndjson.gz"


def single_messages() -> dict[str, list[bytes]]:
    """The messages of each file of messages/, as they come over the wire."""
    found = {}
    for file in sorted((BETFAIR / "messages").glob("*.json")):
        told = orjson.loads(file.read_bytes())
        found[file.stem] = [orjson.dumps(message) for message in (told if isinstance(told, list) else [told])]
    return found
