"""Whatever happens to the rows and on the way to the client: in the end it has what the server has."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backoffice.live import frames
from backoffice.live.board import Board, Rows, apply, difference
from tests.live.client import Client, Gap

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = st.sampled_from("abcde")
VALUES = st.integers(0, 3) | st.text("xy", max_size=1) | st.none()
ROWS = st.dictionaries(KEYS, st.dictionaries(st.sampled_from(["odds", "name", "status"]), VALUES), max_size=5)


@given(ROWS, ROWS)
def test_a_difference_turns_the_one_into_the_other(before: Rows, after: Rows) -> None:
    rows = {key: dict(row) for key, row in before.items()}

    apply(rows, difference(before, after, before.keys() | after.keys()))

    assert rows == after
    assert not difference(after, after, after)


STEPS = st.lists(
    st.tuples(st.just("fold"), KEYS, st.dictionaries(KEYS, st.dictionaries(st.just("odds"), VALUES), max_size=2))
    | st.tuples(st.just("read"), ROWS, st.none())
    | st.tuples(st.sampled_from(["deliver", "lose", "reconnect"]), st.none(), st.none()),
    max_size=40,
)


@given(STEPS)
def test_after_any_updates_gaps_and_reconnects_the_client_has_the_rows_of_the_server(steps: list[Any]) -> None:
    server, client = Server(), Client()
    for act, what, rows in steps:
        if act == "fold":
            server.board.fold(what, rows | {what: {"odds": 1, "version": server.board.seq}})
        elif act == "read":
            server.board.begin_reading()
            server.board.replace(what)
        elif act == "reconnect":
            client = Client()
            client.take(server.snapshot())
        else:
            server.send(client, lost=act == "lose")
    server.board.replace({"a": {"odds": 7}})
    server.send(client)

    assert client.rows == server.board.told


class Server:
    """A board with a line to one client, that asks for a snapshot where it notices a gap."""

    def __init__(self) -> None:
        self.board = Board()

    def send(self, client: Client, *, lost: bool = False) -> None:
        for seq, change in self.board.take():
            if not lost:
                self._deliver(client, frames.diff("t", seq, change, at=AT, now=AT))
        if not lost:
            self._deliver(client, frames.same("t", self.board.seq, at=AT, now=AT))
        if client.seq is None:
            client.take(self.snapshot())

    def _deliver(self, client: Client, frame: bytes) -> None:
        try:
            client.take(frame)
        except Gap:
            client.take(self.snapshot())
        assert client.seq is None or client.rows == self.board.told or client.seq < self.board.seq

    def snapshot(self) -> bytes:
        return frames.snapshot("t", self.board.seq, self.board.told, at=AT, now=AT)


@given(st.lists(st.sampled_from(["open", "suspended", "settled"]), min_size=1, max_size=12), st.data())
def test_no_value_of_a_field_that_counts_is_folded_away(statuses: list[str], data: st.DataObject) -> None:
    board, told = Board(each=("status",)), list[str]()
    for version, status in enumerate(statuses):
        board.fold("m", {"m": {"status": status, "odds": data.draw(VALUES), "version": version}})
        if data.draw(st.booleans()):
            told += statuses_in(board)
    told += statuses_in(board)

    assert told == [status for place, status in enumerate(statuses) if statuses[place - 1 : place] != [status]]


def statuses_in(board: Board) -> list[str]:
    return [str(change.set["m"]["status"]) for _, change in board.take() if "status" in change.set["m"]]


def test_many_updates_of_a_row_are_one_change_of_the_fields_that_differ() -> None:
    board = Board()
    board.fold("m", {"m": {"odds": 1, "name": "Match result"}, "n": {"odds": 5}})
    board.take()
    for odds in (2, 3, 4):
        board.fold("m", {"m": {"odds": odds, "name": "Match result"}})

    [(seq, change)] = board.take()

    assert (seq, change.set, change.drop) == (2, {"m": {"odds": 4}}, [])
    assert board.take() == []


def test_an_older_version_changes_nothing_whichever_way_it_comes() -> None:
    board = Board()
    board.fold("m", {"m": {"odds": 2, "version": 7}})
    board.fold("m", {"m": {"odds": 1, "version": 6}})
    board.begin_reading()
    board.fold("m", {"m": {"odds": 3, "version": 8}, "m/1": {"last": 5}})
    board.replace({"m": {"odds": 2, "version": 7}, "n": {"odds": 9}})
    board.take()

    assert board.told == {"m": {"odds": 3, "version": 8}, "m/1": {"last": 5}, "n": {"odds": 9}}

    board.begin_reading()
    board.replace({"n": {"odds": 9}})
    board.take()

    assert board.told == {"n": {"odds": 9}}
