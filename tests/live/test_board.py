"""Whatever happens to the rows and on the way to the client: in the end it has what the server has."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.live import frames
from backoffice.live.board import STANDING, Board, Change, Reading, Row, Rows, apply, difference
from tests.live.client import Client, Gap

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = st.sampled_from("abcde")
VALUES = st.integers(0, 3) | st.text("xy", max_size=1) | st.none()
GROUPS = st.dictionaries(KEYS, st.dictionaries(st.just("odds"), VALUES), max_size=2)
ROWS = st.dictionaries(KEYS, st.dictionaries(st.sampled_from(["odds", "name", "status"]), VALUES), max_size=5)


@given(ROWS, ROWS)
def test_a_difference_turns_the_one_into_the_other(before: Rows, after: Rows) -> None:
    rows = {key: dict(row) for key, row in before.items()}

    apply(rows, difference(before, after, before.keys() | after.keys()))

    assert rows == after
    assert not difference(after, after, after)


STEPS = st.lists(
    st.tuples(st.just("fold"), KEYS, GROUPS)
    | st.tuples(st.just("read"), ROWS, st.none())
    | st.tuples(st.sampled_from(["deliver", "lose", "reconnect"]), st.none(), st.none()),
    max_size=40,
)


@given(STEPS)
def test_after_any_updates_gaps_and_reconnects_the_client_has_the_rows_of_the_server(steps: list[Any]) -> None:
    server, client = Server(), Client()
    for version, (act, what, rows) in enumerate(steps):
        if act == "fold":
            members: Rows = {f"{what}/{key}": row | {"of": what} for key, row in rows.items()}
            server.board.fold(what, members | {what: {"odds": 1, "version": version, "logged": 0, "offset": 0}})
        elif act == "read":
            server.board.begin_reading()
            server.board.replace(Reading(what))
        elif act == "reconnect":
            client = Client()
            client.take(server.snapshot())
        else:
            server.send(client, lost=act == "lose")
    server.board.begin_reading()
    server.board.replace(Reading({"a": {"odds": 7}}))
    server.send(client)

    assert client.rows == server.board.told.rows == {"a": {"odds": 7}}


class Server:
    """A board with a line to one client, that asks for a snapshot where it notices a gap."""

    def __init__(self) -> None:
        self.board = Board("of")

    def send(self, client: Client, *, lost: bool = False) -> None:
        for seq, change in self.board.take():
            if not lost:
                self._deliver(client, frames.diff("t", seq, change, at=AT, now=AT))
        if not lost:
            self._deliver(client, frames.same("t", self.board.told.seq, at=AT, now=AT))
        if client.seq is None:
            client.take(self.snapshot())

    def _deliver(self, client: Client, frame: bytes) -> None:
        try:
            client.take(frame)
        except Gap:
            client.take(self.snapshot())
        assert client.seq is None or client.rows == self.board.told.rows or client.seq < self.board.told.seq

    def snapshot(self) -> bytes:
        return frames.snapshot("t", self.board.told.seq, self.board.told.rows, at=AT, now=AT)


def test_a_row_that_loses_a_field_is_dropped_and_set_anew_and_no_other_is() -> None:
    before: Rows = {"first": {"odds": 1, "name": "x"}, "second": {"odds": 1}, "third": {"odds": 1}}
    after: Rows = {"first": {"odds": 1}, "second": {"odds": 2, "name": None}, "third": {"odds": 1}}

    change = difference(before, after, ["first", "second", "third", "unknown"])

    assert (change.set, change.drop) == ({"first": {"odds": 1}, "second": {"odds": 2, "name": None}}, ["first"])
    assert not difference(before, before, before)
    assert not Change()
    assert Change(drop=["first"])


def test_many_updates_of_a_row_are_one_change_of_the_fields_that_differ() -> None:
    board = Board()
    board.fold("m", {"m": {"odds": 1, "name": "Match result"}, "n": {"odds": 5}})
    board.take()
    for odds in (2, 3, 4):
        board.fold("m", {"m": {"odds": odds, "name": "Match result"}, "n": {"odds": 5}})

    [(seq, change)] = board.take()

    assert (seq, change.set, change.drop) == (2, {"m": {"odds": 4}}, [])
    assert board.take() == []


Place = tuple[int, int, int]


def placed(place: Place | int | None) -> Row:
    """What a market says of where it stands; a number alone is its version."""
    if place is None:
        return {}
    return dict(zip(STANDING, (place, 0, 0) if isinstance(place, int) else place, strict=True))


def group(place: Place | int | None, *odds: int) -> Rows:
    """A market that stands there with as many runners as it has odds."""
    market: Row = placed(place) | {"status": "open"}
    return {"m": market} | {f"m/{number}": {"market": "m", "odds": each} for number, each in enumerate(odds)}


def told(board: Board) -> Rows:
    board.take()
    return board.told.rows


def markets() -> Board:
    return Board("market")


def read(board: Board, rows: Rows) -> None:
    board.begin_reading()
    board.replace(Reading(rows))


@pytest.mark.parametrize("later", [(8, 0, 0), (7, 6, 0), (7, 5, 4)])
def test_a_later_state_is_taken_and_an_earlier_one_changes_nothing(later: Place) -> None:
    """By version, then by when it was logged, then by offset: as the tables decide."""
    board = markets()
    assert board.fold("m", group((7, 5, 3), 20)) is False, "what is folded needs no reading"
    assert board.fold("m", group(later, 30, 31)) is False
    assert told(board) == group(later, 30, 31)

    assert board.fold("m", group((7, 5, 3), 20)) is False
    assert told(board) == group(later, 30, 31)


def test_of_two_states_at_one_place_the_tables_know_which_they_kept() -> None:
    board = markets()
    board.fold("m", group((7, 5, 3), 20))
    assert board.fold("m", group((7, 5, 3), 20)) is False, "a repeat says nothing"

    assert board.fold("m", group((7, 5, 3), 21)) is True
    assert told(board) == group((7, 5, 3), 20)


def test_a_state_that_does_not_say_where_it_stands_is_held_against_the_tables() -> None:
    board = markets()
    board.fold("m", group(7, 20))
    assert board.fold("m", group(None, 10)) is True
    assert told(board) == group(7, 20)

    board.fold("n", {"n": {"status": "open"}})
    assert board.fold("n", {"n": placed(1) | {"status": "closed"}}) is True
    assert board.fold("n", {"n": {"status": "closed"}}) is False, "and such states follow one another"
    assert told(board)["n"] == {"status": "closed"}


def test_rows_that_left_a_group_are_gone() -> None:
    board = markets()
    board.fold("m", group(1, 10, 11, 12))
    board.fold("m", group(2, 20))

    assert told(board) == group(2, 20)


@pytest.mark.parametrize(
    ("heard", "found", "wanted"), [(5, 7, 7), (7, 5, 7), (7, 7, 7), ((7, 1, 2), (7, 1, 1), (7, 1, 2))]
)
def test_a_group_is_of_one_version_whichever_is_heard_while_it_is_read(heard: Any, found: Any, wanted: Any) -> None:
    """With more and with fewer runners than before: none of another version is left. At one place the tables count."""
    for runners in ((1, 3), (3, 1)):
        board = markets()
        board.fold("m", group(4, *[40] * 2))
        board.take()
        board.begin_reading()
        board.fold("m", group(heard, *[5] * runners[0]))
        board.replace(Reading(group(found, *[6] * runners[1]) | {"n": {"status": "open"}}))

        odds = [6] * runners[1] if found == wanted else [5] * runners[0]
        assert told(board) == group(wanted, *odds) | {"n": {"status": "open"}}


def test_what_was_heard_before_a_reading_gives_way_to_it_whatever_its_version() -> None:
    """Postgres is the truth, also where it goes back."""
    board = markets()
    board.fold("m", group(9, 90))
    board.fold("ghost", {"ghost": placed(1)})
    read(board, group(7, 70))

    assert told(board) == group(7, 70)


def test_what_is_heard_while_it_is_read_stays_where_the_reading_has_nothing_newer() -> None:
    board = markets()
    board.begin_reading()
    board.fold("m", group(None, 1))
    board.fold("new", {"new": placed(1)})
    board.replace(Reading(group(None, 2)))

    assert told(board) == group(None, 1) | {"new": placed(1)}


def test_what_is_heard_without_a_place_gives_way_to_what_is_read_with_one() -> None:
    board = markets()
    board.begin_reading()
    board.fold("m", group(None, 1))
    board.replace(Reading(group(3, 2)))

    assert told(board) == group(3, 2)


def test_groups_that_changed_together_are_told_in_the_order_of_their_keys() -> None:
    board = markets()
    for name in "ca", "b", "c":
        board.fold(name, {name: placed(1)})
    (change,) = (change for _, change in board.take())

    assert list(change.set) == ["b", "c", "ca"]


def test_a_row_names_the_one_it_belongs_to_only_in_the_field_that_is_for_it() -> None:
    board = Board()
    board.begin_reading()
    board.fold("m", {"m": {"odds": 2}})
    board.replace(Reading({"m": {"odds": 1}, "m/1": {"market": "m", "odds": 1}}))

    assert told(board) == {"m": {"odds": 2}, "m/1": {"market": "m", "odds": 1}}


def test_a_row_names_the_one_it_belongs_to_by_its_id_and_not_by_its_key() -> None:
    board = markets()
    rows: Rows = {"a%2Fb": placed(2), "a%2Fb/c": {"market": "a/b", "odds": 1}, "a": placed(2)}
    read(board, rows)

    board.fold("a%2Fb", {"a%2Fb": placed(3)})

    assert told(board) == {"a%2Fb": placed(3), "a": placed(2)}


def test_a_standing_that_is_no_numbers_is_none() -> None:
    board = markets()
    board.fold("m", {"m": placed(9) | {"offset": "9"}})
    board.fold("m", group(None, 10))

    assert told(board) == group(None, 10)


def shut(rows: Rows) -> Rows:
    return {key: row | {"status": "suspended"} if "status" in row else row for key, row in rows.items()}


def statuses(board: Board) -> dict[str, Any]:
    return {key: row["status"] for key, row in told(board).items()}


def test_what_is_told_is_shown_as_the_last_reading_judges_it() -> None:
    board = markets()
    read(board, group(1))
    board.fold("m", group(2))
    assert statuses(board) == {"m": "open"}

    board.begin_reading()
    board.replace(Reading(shut(group(2)), shut))
    board.fold("m", group(3))
    board.fold("n", {"n": placed(1) | {"status": "open"}})
    assert statuses(board) == {"m": "suspended", "n": "suspended"}

    read(board, group(3) | {"n": placed(1) | {"status": "open"}})
    board.fold("m", group(4))
    assert statuses(board) == {"m": "open", "n": "open"}


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
def test_what_is_heard_while_it_is_read_is_judged_by_what_that_reading_finds(before: bool, after: bool) -> None:
    board = markets()
    board.begin_reading()
    board.replace(Reading(group(1), shut) if before else Reading(group(1)))
    board.begin_reading()
    board.fold("m", group(2))
    board.replace(Reading(group(1), shut) if after else Reading(group(1)))

    assert statuses(board) == {"m": "suspended" if after else "open"}
    assert board.fold("m", group(2)) is False, "and a repeat of it is one"
