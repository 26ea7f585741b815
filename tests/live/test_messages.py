"""What is no message is told apart, and who is missing among those who speak."""

from typing import Any

import orjson
import pytest

from backoffice.live.board import Rows
from backoffice.live.messages import BadMessageError, Message, Speakers, encoded, parsed

# Limits that workers and web processes share: what is silent for longer counts as gone, and is forgotten in the end.
SILENCE_SECONDS, FORGOTTEN_SECONDS = 3.0, 600.0
LONGEST = 8 * 1024 * 1024

SAID: dict[str, Any] = {
    "prices:1": [["m", {"m": {"version": 1, "back": 2.5, "in_play": True, "last": None, "name": "x"}}]],
    "t": None,
}
GOOD: dict[str, Any] = {"speaker": "a", "number": 1, "said": SAID, "leaves": False}


def test_a_message_arrives_as_it_was_said() -> None:
    assert parsed(encoded(Message("a", 7, SAID))) == Message("a", 7, SAID)
    assert parsed(encoded(Message("a", 8, {}, leaves=True))).leaves


def update(**changes: Any) -> bytes:
    return orjson.dumps(GOOD | {"said": {"p": [changes.pop("group", ["m", {"m": changes}])]}})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "speaker"),
        (b'{"prices:1": null}', "speaker"),
        (orjson.dumps(GOOD | {"number": "1"}), "of its type"),
        (orjson.dumps(GOOD | {"number": True}), "of its type"),
        (orjson.dumps(GOOD | {"more": 1}), "of its type"),
        (orjson.dumps(GOOD | {"said": []}), "of its type"),
        (orjson.dumps(GOOD | {"said": {"p": {}}}), "p is neither"),
        (orjson.dumps(GOOD | {"said": {"p": ["m"]}}), "p is neither"),
        (orjson.dumps(GOOD | {"said": {"p": [["m", {"m": {}}], ["n", {}]]}}), "p is neither"),
        (update(group=5), "p is neither"),
        (update(group=None), "p is neither"),
        (update(group=["m"]), "p is neither"),
        (update(group=["m", {}, 1]), "p is neither"),
        (update(group=["m", {"x": {"version": 1}}]), "p is neither"),
        (update(group=[1, {"1": {}}]), "p is neither"),
        (update(group=[["m"], {"m": {}}]), "p is neither"),
        (update(group=["m", ["m"]]), "p is neither"),
        (update(group=["m", {"m": {}, "n": 1}]), "p is neither"),
        (update(version="1"), "p is neither"),
        (update(version=True), "p is neither"),
        (update(version=None), "p is neither"),
        (update(logged="1"), "p is neither"),
        (update(offset=1.0), "p is neither"),
        (update(odds=[1]), "p is neither"),
        (update(odds={}), "p is neither"),
        (b" " * (LONGEST + 1), "is the most"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_is_no_message_is_refused_in_words(data: bytes, why: str) -> None:
    with pytest.raises(BadMessageError, match=why):
        parsed(data)


def test_the_longest_message_is_one() -> None:
    data = orjson.dumps(GOOD)

    assert parsed(data.ljust(LONGEST)) == Message("a", 1, SAID)


def test_a_message_of_just_the_length_that_may_be_is_said_as_it_is() -> None:
    def long(length: int) -> Message:
        rows: Rows = {"m": {"name": "x" * length}}
        return Message("a", 1, {"t": [("m", rows)]})

    room = LONGEST - len(encoded(long(0)))

    (updates,) = parsed(encoded(long(room))).said.values()
    assert updates is not None
    assert list(updates[0][1]["m"].values()) == ["x" * room]
    assert parsed(encoded(long(room + 1))).said == {"t": None}


def test_what_has_to_be_read_is_said_by_the_speaker_and_number_that_it_was() -> None:
    rows: Rows = {"m": {"name": "x" * LONGEST}}

    assert parsed(encoded(Message("a", 7, {"t": [("m", rows)]}, leaves=True))) == Message("a", 7, {"t": None}, True)


@pytest.mark.parametrize("more", [0, 1])
def test_where_even_the_names_are_too_long_everything_is_to_be_read(more: int) -> None:
    room = LONGEST - len(encoded(Message("a", 2, {"": None})))
    name = "x" * (room + more)

    assert parsed(encoded(Message("a", 2, {name: None}))).said == {"*" if more else name: None}


def test_what_would_be_too_long_only_says_what_has_to_be_read() -> None:
    row = {"name": "x" * 1_000_000}
    long: dict[str, Any] = {f"prices:{number}": [("m", {"m": row})] for number in range(9)}

    said = parsed(encoded(Message("a", 1, long))).said

    assert said == dict.fromkeys(long)
    many = {f"prices:{number:0>100000}": None for number in range(90)}
    assert parsed(encoded(Message("a", 2, many))) == Message("a", 2, {"*": None})


def heard(speakers: Speakers, name: str, number: int, now: float = 0.0, *, leaves: bool = False) -> bool:
    return speakers.hear(Message(name, number, {}, leaves), now)


def test_a_number_that_is_missing_is_noticed_for_each_speaker() -> None:
    speakers = Speakers()

    assert heard(speakers, "a", 5), "who is new may have said something before"
    assert not heard(speakers, "a", 6)
    assert heard(speakers, "b", 1)
    assert not heard(speakers, "a", 7)
    assert not heard(speakers, "b", 2)
    assert heard(speakers, "b", 4)
    assert not heard(speakers, "b", 5)


def test_everything_is_heard_while_each_of_them_speaks() -> None:
    speakers = Speakers()
    assert not speakers.all_speak(0.0)
    assert not speakers.any_speak(0.0)

    heard(speakers, "a", 1, 10.0)
    heard(speakers, "b", 1, 11.0)
    assert speakers.all_speak(10.0 + SILENCE_SECONDS)
    late = 10.1 + SILENCE_SECONDS
    assert not speakers.all_speak(late)
    assert speakers.any_speak(late)
    heard(speakers, "a", 2, late)
    assert speakers.all_speak(late)
    assert not speakers.any_speak(late + SILENCE_SECONDS + 0.1)


def test_who_was_silent_for_ten_minutes_is_forgotten_and_not_a_moment_earlier() -> None:
    speakers = Speakers()
    heard(speakers, "a", 1, 0.0)
    assert not speakers.all_speak(FORGOTTEN_SECONDS)
    assert not heard(speakers, "a", 2, FORGOTTEN_SECONDS), "its next word follows the one before"
    assert speakers.any_speak(FORGOTTEN_SECONDS + SILENCE_SECONDS)
    assert not speakers.all_speak(2 * FORGOTTEN_SECONDS + 0.1)
    assert heard(speakers, "a", 3, 2 * FORGOTTEN_SECONDS + 0.1), "it is new again"


def test_who_leaves_is_not_waited_for_and_who_is_silent_is_forgotten_in_the_end() -> None:
    speakers = Speakers()
    heard(speakers, "a", 1, 0.0)
    heard(speakers, "b", 1, 0.0)
    heard(speakers, "c", 1, 0.0)
    assert not heard(speakers, "b", 2, 1.0, leaves=True)
    heard(speakers, "a", 2, FORGOTTEN_SECONDS)
    assert not speakers.all_speak(FORGOTTEN_SECONDS)

    heard(speakers, "a", 3, FORGOTTEN_SECONDS + 1)
    assert speakers.all_speak(FORGOTTEN_SECONDS + 1)
    assert heard(speakers, "c", 2, FORGOTTEN_SECONDS + 1), "and is new again"
    assert heard(speakers, "b", 3, FORGOTTEN_SECONDS + 1)


def test_a_speaker_that_leaves_with_something_unsaid_is_noticed() -> None:
    speakers = Speakers()
    heard(speakers, "a", 1)

    assert heard(speakers, "a", 3, leaves=True)
