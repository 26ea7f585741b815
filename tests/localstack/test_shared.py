"""The folder of the metrics is in memory where there is room, and beside the servers where not; empty each time."""

from pathlib import Path

import pytest

from backoffice.localstack import memory, shared
from backoffice.localstack.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "data")
    found.make()
    return found


@pytest.mark.skipif(not memory.is_in_memory(memory.MEMORY), reason="this machine has no folder in memory")
def test_it_is_in_memory_and_for_nobody_else(layout: Layout) -> None:
    with shared.metrics_folder(layout) as folder:
        assert folder.parent == memory.MEMORY
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


@pytest.mark.parametrize("lacks", ["memory", "room"])
def test_it_is_beside_the_servers_where_memory_is_none_or_has_no_room(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    if lacks == "room":
        monkeypatch.setattr(shared, "ROOM", 1 << 60)
    else:
        monkeypatch.setattr(memory, "MEMORY", layout.data)
    folder = layout.run / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").touch()

    with shared.metrics_folder(layout) as found:
        assert found == folder
        assert list(folder.iterdir()) == []
    assert not folder.exists()
