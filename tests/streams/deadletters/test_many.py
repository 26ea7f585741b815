"""Thousands of dead letters: chosen by what they have in common, done in chunks, counted before."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from backoffice.streams import chunks
from backoffice.streams.models import DeadLetter, Outgoing

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WHY = ("--reason", "the producer is mended", "--by", "ana")


def letters(count: int, **differing: object) -> list[int]:
    """The numbers of so many open dead letters of BetPlaced in bet-events[0]."""
    begin = DeadLetter.objects.count()
    told = {"stream": "trading", "topic": "bet-events", "partition": 0, "record": "BetPlaced", "died_at": NOW}
    told |= {"reason": "stake is −500; it must be at least 1", "key": b"k", "value": b"v"}
    made = DeadLetter.objects.bulk_create(
        DeadLetter(**told | differing, offset=begin + number, standing_offset=begin + number) for number in range(count)
    )
    return [letter.pk for letter in made]


def said(*arguments: object) -> str:
    out = StringIO()
    call_command("deadletters", *map(str, arguments), stdout=out)
    return out.getvalue()


def numbers(state: str) -> list[int]:
    return list(DeadLetter.objects.filter(state=state).order_by("pk").values_list("pk", flat=True))


CHOICES = [
    ("--stream", "wallet", {"stream": "wallet"}),
    ("--topic", "game-rounds", {"topic": "game-rounds"}),
    ("--partition", "3", {"partition": 3}),
    ("--record", "BetSettled", {"record": "BetSettled"}),
    ("--saying", "NO SCHEMA 7", {"reason": "There is no schema 7"}),
    ("--since", "2026-05-02T00:00", {"died_at": NOW + timedelta(days=1)}),
    ("--until", "2026-05-01T00:00", {"died_at": NOW - timedelta(days=1)}),
]


@pytest.mark.parametrize(("option", "value", "differing"), CHOICES, ids=[option for option, _, _ in CHOICES])
def test_each_criterion_chooses_those_and_no_others(
    database: str, option: str, value: str, differing: dict[str, object]
) -> None:
    others, wanted = letters(3), letters(2, **differing)

    listed = said("list", option, value)
    counted = said("discard", option, value, *WHY, "--dry-run")
    untouched = numbers("open")
    said("discard", option, value, *WHY)

    assert [int(line.split()[0]) for line in listed.splitlines()] == wanted
    assert counted == "2 open dead letters are chosen; nothing was done.\n"
    assert untouched == [*others, *wanted]
    assert (numbers("open"), numbers("discarded")) == (others, wanted)


def test_many_are_done_chunk_by_chunk(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 10)
    wanted = letters(25)

    told = said("replay", "--topic", "bet-events", *WHY)

    assert told.splitlines()[:2] == [
        "10 sent again with the next rounds of the relay",
        "20 sent again with the next rounds of the relay",
    ]
    assert numbers("replayed") == wanted
    assert sorted(int(row.headers["replay_of"]) for row in Outgoing.objects.all()) == wanted


def test_a_closed_one_is_told_and_passed_over(database: str) -> None:
    first, second, *rest = letters(5)
    said("discard", second, *WHY)

    with pytest.raises(CommandError) as refused:
        said("discard", first, second, *rest, 9_999_999, *WHY)

    assert str(refused.value).splitlines() == [
        f"Dead letter {second} is discarded already; nothing was done.",
        "There is no dead letter 9999999; `deadletters list` shows those there are.",
        "4 discarded; 2 passed over.",
    ]
    assert numbers("open") == []


def test_a_range_and_numbers_together(database: str) -> None:
    first, second, third, fourth, last = letters(5)

    said("discard", f"{first}-{third}", last, *WHY)

    assert numbers("open") == [fourth]
    assert numbers("discarded") == [first, second, third, last]


def test_one_too_large_stays_open_and_the_others_go(database: str) -> None:
    (large,) = letters(1, value=b"x" * 1_000_000)
    small = letters(2)

    with pytest.raises(
        CommandError, match=f"Dead letter {large}: It is larger than .*\n2 sent again .*; 1 passed over"
    ):
        said("replay", "--topic", "bet-events", *WHY)

    assert (numbers("open"), numbers("replayed")) == ([large], small)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Name numbers, or choose by --topic"),
        (("--topic", "nosuch"), "The catalogue has no topic nosuch"),
        (("--stream", "nosuch"), "No stream is called nosuch"),
        (("--saying", "nothing says so"), "Nothing that is open fits the choice"),
        (("7-1",), "ends before it begins"),
        (("--since", "yesterday"), "is no ISO time"),
    ],
)
def test_a_choice_of_nothing_is_refused(database: str, arguments: tuple[str, ...], says: str) -> None:
    open_ones = letters(2)

    with pytest.raises(CommandError, match=says):
        said("discard", *arguments, *WHY)

    assert numbers("open") == open_ones
