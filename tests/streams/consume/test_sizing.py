"""A batch grows while messages come in numbers, and stays within what it may have of them and of their bytes."""

from dataclasses import replace

import pytest
from django.conf import settings

from backoffice.streams.consume.lane import Limits
from backoffice.streams.consume.sizing import next_linger, next_size

LIMITS = replace(Limits(**settings.STREAMS), batch_size=50_000, batch_bytes=16_000_000)


@pytest.mark.parametrize(
    ("came", "size", "asked"),
    [
        (0, 0, 10_000),
        (1, 100, 10_000),
        (10_000, 1_000_000, 20_000),
        (20_000, 2_000_000, 40_000),
        (40_000, 4_000_000, 50_000),
        (50_000, 5_000_000, 50_000),
        # Messages of 400 bytes and of 1 kB, and tombstones, which have none.
        (50_000, 20_000_000, 40_000),
        (16_000, 16_000_000, 16_000),
        (10_000, 0, 20_000),
        # One that is larger than a batch may be comes all the same.
        (1, 20_000_000, 1),
        (3, 16_000_000, 3),
    ],
)
def test_what_is_asked_for_next(came: int, size: int, asked: int) -> None:
    assert next_size(LIMITS, came, size) == asked


def test_small_batches_stay_small() -> None:
    assert next_size(replace(LIMITS, batch_size=8), 8, 800) == 8
    assert next_size(replace(LIMITS, batch_size=8), 0, 0) == 8


def test_after_large_messages_small_ones_are_asked_for_in_numbers_again() -> None:
    asked = next_size(LIMITS, 10, 16_000_000)

    assert asked == 10
    assert next_size(LIMITS, asked, 10 * 100) == 10_000


def test_a_lane_that_gets_few_waits_longer() -> None:
    assert next_linger(replace(LIMITS, linger=0.05), 199) == pytest.approx(0.3)
    assert next_linger(replace(LIMITS, linger=0.05), 200) == 0.05
