"""Of a log every entry is told once and in order; what is skipped is counted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backoffice.live import frames
from backoffice.live.board import Rows
from backoffice.live.tail import Page, Tail
from tests.live.client import Client
from tests.live.test_board import AT

KEEP = 3
TOTAL = "total"


def entries(*numbers: int) -> list[tuple[str, dict[str, Any]]]:
    return [(str(number), {"n": number}) for number in numbers]


class Follower(Client):
    """A client that notes what it sees of the log, in the order in which it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def follow(self, tail: Tail[int]) -> None:
        for seq, change in tail.take():
            if self.seq is None:
                self.take(frames.snapshot("t", seq, dict(tail.told.rows), at=AT, now=AT))
            else:
                self.take(frames.diff("t", seq, change, at=AT, now=AT))
            self.seen += [row["n"] for key, row in self.rows.items() if key != TOTAL and row["n"] not in self.seen]

    @property
    def total(self) -> dict[str, Any]:
        return self.rows[TOTAL]


def begun() -> tuple[Tail[int], Follower]:
    tail, follower = Tail[int](KEEP, since=1_000), Follower()
    assert tail.begin_reading() is None
    tail.replace(Page(0))
    follower.follow(tail)
    return tail, follower


@given(st.lists(st.lists(st.integers(0, 4), max_size=8), max_size=8))
def test_every_entry_is_told_once_in_order_however_many_a_reading_brings(sizes: list[list[int]]) -> None:
    tail, follower = begun()
    written = 0
    for readings in sizes:
        for size in readings:
            tail.replace(Page(written + size, entries(*range(written, written + size))))
            written += size
        follower.follow(tail)

    assert follower.seen == list(range(written))
    assert follower.total == {"count": written, "skipped": 0, "since": 1_000}
    assert list(follower.rows.keys() - {TOTAL}) == [] or max(follower.seen) == written - 1
    assert len(follower.rows) - 1 == min(written, KEEP)
    assert tail.begin_reading() == written


def test_the_first_look_shows_the_end_of_the_log_and_counts_nothing() -> None:
    tail, follower = Tail[int](KEEP, since=5), Follower()
    tail.replace(Page(9, entries(6, 7, 8)))
    follower.follow(tail)

    assert follower.rows == dict(entries(6, 7, 8)) | {TOTAL: {"count": 0, "skipped": 0, "since": 5}}


def test_what_was_skipped_is_counted_and_no_hole_stands_among_what_is_shown() -> None:
    tail, follower = begun()
    tail.replace(Page(2, entries(0, 1)))
    tail.replace(Page(100, entries(98, 99), skipped=96))
    follower.follow(tail)

    assert follower.rows == dict(entries(98, 99)) | {TOTAL: {"count": 100, "skipped": 96, "since": 1_000}}
    tail.replace(Page(111, entries(110), skipped=10))
    follower.follow(tail)
    assert follower.total == {"count": 111, "skipped": 106, "since": 1_000}
    assert follower.seen == [0, 1, 98, 99, 110]


def test_an_entry_that_is_read_twice_is_told_once() -> None:
    tail, follower = begun()
    tail.replace(Page(2, entries(0, 1)))
    tail.replace(Page(3, entries(1, 2)))
    follower.follow(tail)

    assert follower.seen == [0, 1, 2]
    assert follower.total["count"] == 3


def test_where_nothing_came_nothing_is_told() -> None:
    tail, _ = begun()

    tail.replace(Page(0))

    assert tail.take() == []


def test_a_hint_asks_for_a_reading_only_where_it_says_something_new() -> None:
    tail = Tail[int](KEEP, since=0)
    hint: Rows = {"m": {"status": "open"}}

    assert tail.fold("m", hint)
    assert not tail.fold("m", {"m": {"status": "open"}})
    assert tail.fold("m", {"m": {"status": "suspended"}})
    assert tail.fold("m", hint)
    assert tail.fold("n", hint)


def placed(status: str, version: int) -> Rows:
    return {"m": {"status": status, "version": version, "logged": 0, "offset": version}}


def test_a_hint_of_what_is_older_asks_for_a_reading_and_hides_nothing_that_comes_after() -> None:
    tail = Tail[int](KEEP, since=0)
    assert tail.fold("m", placed("open", 1))
    assert not tail.fold("m", placed("open", 5))

    assert tail.fold("m", placed("suspended", 3))

    assert tail.fold("m", placed("suspended", 6))
    assert not tail.fold("m", placed("suspended", 7))
    assert tail.fold("m", placed("open", 8))
