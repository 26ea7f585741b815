"""Folders in memory: empty at first, gone in the end, and only where there is room."""

import os
from pathlib import Path

import pytest

from backoffice.localstack import memory
from backoffice.localstack.layout import Layout
from backoffice.localstack.memory import MEMORY, forget, in_memory, is_in_memory

pytestmark = pytest.mark.skipif(not is_in_memory(MEMORY), reason="this machine has no folder in memory")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


def made(layout: Layout, room: int = 1) -> Path:
    """As a killed process leaves it, with something in it."""
    with in_memory(layout, "metrics", room, mode=0o711) as folder:
        assert folder is not None
        assert folder.parent == MEMORY
        assert folder.stat().st_mode & 0o777 == 0o711
        assert list(folder.iterdir()) == []
        (folder / "kept").touch()
    assert not folder.exists()
    folder.mkdir()
    (folder / "kept").touch()
    return folder


def test_it_is_empty_again_after_a_killed_run(layout: Layout) -> None:
    left = made(layout)

    assert made(layout) == left
    forget(layout)


def test_it_is_gone_when_what_it_was_for_failed(layout: Layout) -> None:
    with pytest.raises(RuntimeError), in_memory(layout, "servers", 1) as folder:
        raise RuntimeError

    assert folder is not None
    assert not folder.exists()


def test_each_data_folder_and_each_purpose_has_its_own(layout: Layout, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    with (
        in_memory(layout, "metrics", 1) as metrics,
        in_memory(layout, "servers", 1) as servers,
        in_memory(other, "servers", 1) as others,
    ):
        assert len({metrics, servers, others}) == 3


def test_what_a_killed_run_left_can_be_forgotten_and_nobody_elses(layout: Layout, tmp_path: Path) -> None:
    left = made(layout)
    with in_memory(Layout(tmp_path / "other"), "metrics", 1) as others:
        forget(layout)

        assert others is not None
        assert others.exists()
    assert not left.exists()


@pytest.mark.parametrize("lacks", ["memory", "room"])
def test_there_is_none_where_memory_is_none_or_has_no_room(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    left = made(layout)
    if lacks == "memory":
        monkeypatch.setattr(memory, "MEMORY", layout.data)

    with in_memory(layout, "metrics", 1 << 60 if lacks == "room" else 1) as folder:
        assert folder is None
    forget(Layout(layout.data))
    monkeypatch.undo()
    forget(layout)
    assert not left.exists()


def test_what_somebody_else_has_there_is_left_alone(layout: Layout, tmp_path: Path) -> None:
    place = made(layout)
    forget(layout)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "kept").touch()
    place.symlink_to(tmp_path / "theirs")
    try:
        with in_memory(layout, "metrics", 1) as folder:
            assert folder is None
        assert (tmp_path / "theirs" / "kept").exists()
    finally:
        place.unlink()


def test_free_is_what_the_machine_has_where_the_folder_allows_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "meminfo"
    monkeypatch.setattr(memory, "_FREE", told)
    allowed = os.statvfs(MEMORY)

    told.write_text("MemTotal:  9 kB\nMemFree:  1 kB\nMemAvailable:       12 kB\n")
    assert memory.free() == 12 << 10
    told.write_text(f"MemAvailable: {1 << 50} kB\n")
    assert 0 < memory.free() <= allowed.f_blocks * allowed.f_frsize
    told.write_text("nothing of it\n")
    assert 0 < memory.free() <= allowed.f_blocks * allowed.f_frsize
