from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from backoffice.streams.consume.batch import Batch, DeadLetter

Message = tuple[int, int, bytes | None, bytes | None, int]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Messages of up to four partitions in any order of partitions, with gaps between the offsets and after them."""
    batch = Batch("bet-events")
    starts = {partition: draw(st.integers(0, 50)) for partition in range(4)}
    following = dict(starts)
    for number, partition in enumerate(draw(st.lists(st.integers(0, 3), max_size=14))):
        offset = following[partition] + draw(st.integers(0, 2))
        value = None if number == 3 else b"v%d" % number
        start, logged = starts[partition], 1_000 + number
        batch.add(partition=partition, offset=offset, key=b"%d" % number, value=value, start=start, logged=logged)
        following[partition] = offset + 1
    for partition in draw(st.sets(st.integers(0, 3))):
        start, end = batch.spans.get(partition, (starts[partition], starts[partition]))
        batch.spans[partition] = (start, end + draw(st.integers(1, 3)))
    return batch


def messages(batch: Batch) -> list[Message]:
    return list(zip(batch.partitions, batch.offsets, batch.keys, batch.values, batch.logged, strict=True))


def counted(batch: Batch) -> bool:
    """Whether it knows how many messages each partition has, and when its log had come to the last."""
    reached = {partition: logged for partition, *_, logged in messages(batch)}
    return batch.counts == Counter(batch.partitions) and batch.reached == reached


def settle_in_order(batch: Batch, parts: list[Batch]) -> None:
    """Each part goes on where the one before ended; together they settle all that the batch settles."""
    at = {partition: start for partition, (start, _) in batch.spans.items()}
    for part in parts:
        for partition, (start, end) in part.spans.items():
            assert start == at[partition]
            assert start < end
            at[partition] = end
        for partition, offset, *_ in messages(part):
            start, end = part.spans[partition]
            assert start <= offset < end
    assert at == {partition: end for partition, (_, end) in batch.spans.items()}


@given(batches())
def test_halves_are_the_batch_end_to_end(batch: Batch) -> None:
    first, second = batch.halves()

    assert messages(first) + messages(second) == messages(batch)
    assert abs(len(first) - len(second)) <= 1
    assert all(map(counted, (batch, first, second)))
    settle_in_order(batch, [first, second])


@given(batches())
def test_halving_ends_with_each_message_alone(batch: Batch) -> None:
    parts = [batch]
    while any(len(part) > 1 for part in parts):
        parts = [half for part in parts for half in (part.halves() if len(part) > 1 else (part,))]

    assert [found for part in parts for found in messages(part)] == messages(batch)
    settle_in_order(batch, parts)


@given(batches(), st.data())
def test_until_leaves_out_one_partition_from_an_offset_on(batch: Batch, data: st.DataObject) -> None:
    if not len(batch):
        return
    partition, offset, *_ = data.draw(st.sampled_from(messages(batch)))
    kept = batch.until(partition, offset)

    assert messages(kept) == [found for found in messages(batch) if found[0] != partition or found[1] < offset]
    assert counted(kept)
    start = batch.spans[partition][0]
    expected = {other: span for other, span in batch.spans.items() if other != partition}
    assert kept.spans == expected | ({partition: (start, offset)} if offset > start else {})


def test_until_drops_the_verdicts_with_the_places_they_name() -> None:
    batch = Batch("bet-events")
    for offset in range(3):
        batch.add(partition=0, offset=offset, key=None, value=b"v", start=0)
    batch.dead[0] = DeadLetter("bad")
    batch.repeats[1] = "BetPlaced"

    kept = batch.until(0, 2)

    assert (kept.dead, kept.repeats) == ({}, {})


def test_a_batch_knows_its_topic_and_what_was_sent_again_in_every_part() -> None:
    batch = batch_of_four()
    batch.replayed[1, 3] = (7, 2)
    batch.first_appended[1, 3] = 6

    for part in (*batch.halves(), batch.until(0, 2)):
        assert (part.topic, part.replayed, part.first_appended) == ("bet-events", {(1, 3): (7, 2)}, {(1, 3): 6})


def batch_of_four() -> Batch:
    """Offsets 0 to 3 of two partitions in turn, logged at 10, 11, 12 and 13."""
    batch = Batch("bet-events")
    for offset in range(4):
        batch.add(partition=offset % 2, offset=offset, key=None, value=b"v", start=offset % 2, logged=10 + offset)
    return batch


def test_a_message_stands_where_it_was_logged_unless_it_was_sent_again() -> None:
    batch = batch_of_four()
    assert batch.standings() == ([10, 11, 12, 13], [0, 1, 2, 3])

    batch.replayed |= {(1, 3): (7, 2), (0, 3): (1, 1)}
    assert batch.standings() == ([10, 11, 12, 7], [0, 1, 2, 2])


def test_a_dead_letter_is_neither_late_nor_a_clash_unless_it_says_so() -> None:
    assert DeadLetter("bad") == DeadLetter("bad", None, "", late=False, is_clash=False)


def test_what_a_stream_does_not_take_makes_no_row() -> None:
    batch = batch_of_four()
    batch.passed |= {0, 2}

    assert batch.living() == [1, 3]


def test_what_lives_is_neither_dead_nor_a_repeat() -> None:
    batch = Batch("bet-events")
    for offset in range(4):
        batch.add(partition=offset % 2, offset=offset, key=None, value=b"v", start=offset % 2)
    batch.dead[0] = DeadLetter("bad")
    batch.repeats[3] = "BetPlaced"

    assert batch.living() == [1, 2]
    assert batch.places(1) == [1, 3]
