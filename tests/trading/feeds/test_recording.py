"""Files of messages: plain, zipped, cut short, damaged."""

import gzip
from pathlib import Path

import pytest

from trading.feeds.adapter import LONGEST_MESSAGE, Malformed
from trading.feeds.recording import beside, lines

TEXT = b"".join(b'{"line":%d,"filling":"%064x"}\n' % (number, number * 977**9) for number in range(3_000))
LINES = TEXT.splitlines()


def read(file: Path) -> tuple[list[bytes], str]:
    """The lines that could be read, and why there are no more."""
    found: list[bytes] = []
    try:
        for line in lines(file):
            found.append(line)  # noqa: PERF402 - what came before an error counts
    except Malformed as damage:
        return found, str(damage)
    return found, ""


@pytest.mark.parametrize("name", ["plain.ndjson", "zipped.ndjson.gz", "zipped-without-saying-so"])
def test_plain_and_zipped(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(TEXT) if "zipped" in name else TEXT)

    assert read(file) == (LINES, "")


@pytest.mark.parametrize("zipped", [True, False])
def test_line_ends_of_windows_and_a_last_line_without_one(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(b"a\r\nb") if zipped else b"a\r\nb")

    assert read(file) == ([b"a", b"b"], "")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("more", [1, 2, 3, 2 * LONGEST_MESSAGE + 7])
def test_of_a_line_that_is_too_long_only_as_much_comes_as_shows_it(tmp_path: Path, zipped: bool, more: int) -> None:
    text = b"a\n" + b"x" * (LONGEST_MESSAGE + more) + b"\nb\n" + b"y" * LONGEST_MESSAGE + b"\r\nc"
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(text, 1) if zipped else text)

    found, _ = read(file)

    assert [line[:1] for line in found] == [b"a", b"x", b"b", b"y", b"c"]
    assert LONGEST_MESSAGE < len(found[1]) <= LONGEST_MESSAGE + 2
    assert len(found[3]) == LONGEST_MESSAGE


def test_a_cut_file_gives_what_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    whole = gzip.compress(TEXT)
    file.write_bytes(whole[: len(whole) * 3 // 4])

    found, why = read(file)

    assert "cannot be unzipped" in why
    assert 1_000 < len(found) < len(LINES)
    assert found == LINES[: len(found)]


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    file = tmp_path / "damaged.gz"
    whole = bytearray(gzip.compress(TEXT))
    whole[len(whole) // 2 : len(whole) // 2 + 64] = b"\xff" * 64
    file.write_bytes(whole)

    assert "cannot be unzipped" in read(file)[1]


def test_a_file_that_only_begins_like_a_zipped_one(tmp_path: Path) -> None:
    file = tmp_path / "no.gz"
    file.write_bytes(b"\x1f\x8bno")

    assert read(file)[0] == []
    assert "cannot be unzipped" in read(file)[1]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert read(tmp_path / "empty") == ([], "")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"):
        list(lines(tmp_path / "nothing"))


def test_what_lies_beside_a_recording(tmp_path: Path) -> None:
    for name in (
        "1.5.ndjson.gz", "catalogue-1.5.json", "scores-1.5.ndjson.gz", "catalogue-1.55.json", "1.6.ndjson", "1.5.txt",
    ):  # fmt: skip
        (tmp_path / name).touch()

    assert [file.name for file in beside(tmp_path / "1.5.ndjson.gz")] == ["catalogue-1.5.json", "scores-1.5.ndjson.gz"]
