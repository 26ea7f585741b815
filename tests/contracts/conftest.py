import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backoffice.contracts.definitions import LIBRARY, Library
from backoffice.contracts.registry import Registry
from backoffice.contracts.releases import release

Change = Callable[[dict[str, Any]], object]
Edit = Callable[[str, Change], None]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A copy of a few contracts, each released once as it is, to be spoilt."""
    for place in (
        "bet-events/BetPlaced",
        "bet-events/BetSettled",
        "player-events/LoginFailed",
        "market-prices/MarketPrice",
    ):
        schema_file = tmp_path / "schemas" / f"{place}.avsc"
        schema_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(LIBRARY.root / "schemas" / f"{place}.avsc", schema_file)
        release(Library(tmp_path), schema_file.stem)
    return Library(tmp_path)


@pytest.fixture
def edit(library: Library) -> Edit:
    """Change the current schema of a record in the copy."""

    def change_file(record: str, change: Change) -> None:
        definition = library.schema(record)
        change(definition)
        library.files()[record].write_text(json.dumps(definition), "utf-8")

    return change_file


@pytest.fixture
def prefix() -> str:
    """Keeps the topics and subjects of one test apart from everybody else's."""
    return f"test-{uuid4().hex[:12]}-"


@pytest.fixture
def registry_url() -> str:
    return _service("SCHEMA_REGISTRY_URL")


@pytest.fixture
def kafka() -> dict[str, str]:
    return {"bootstrap.servers": _service("KAFKA_BOOTSTRAP_SERVERS")}


@pytest.fixture
def registry(registry_url: str, prefix: str) -> Registry:
    return Registry(registry_url, prefix)


def _service(variable: str) -> str:
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set; run the tests with `make test`")
    return os.environ[variable]
