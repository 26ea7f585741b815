"""Dead heats and what they pay, by bookmakers' terms: stake times odds times places / tied, rounded down once."""

import csv
from typing import NamedTuple

import pytest
from django.conf import settings

FILE = settings.RECORDED_DATA / "field" / "08-dead-heat-of-three.csv"

needed = pytest.mark.skipif(
    not FILE.is_file(), reason="field cases are not here; PITBOSS_DATA names the folder that holds field/"
)


class DeadHeat(NamedTuple):
    """``factor`` is the nearest in thousandths; odds in thousandths, stake and what is right to pay in minor units."""

    tied: int
    places: int
    odds: int
    stake: int
    right: int
    factor: int


DEAD_HEATS = (
    DeadHeat(3, 1, 10_000, 100_000, 333_333, 333),
    DeadHeat(3, 1, 4_000, 10_000, 13_333, 333),
    DeadHeat(7, 2, 51_000, 10_000, 145_714, 286),
    DeadHeat(6, 1, 26_000, 100_000, 433_333, 167),
    DeadHeat(3, 2, 3_000, 100_000, 200_000, 667),
    DeadHeat(2, 1, 10_000, 100_000, 500_000, 500),
)


def of_the_file() -> list[DeadHeat]:
    lines = (line for line in FILE.read_text("utf-8").splitlines() if not line.startswith("#"))
    return [
        DeadHeat(
            int(row["tied"]), int(row["places"]), int(row["odds_thousandths"]), int(row["stake"]), int(row["right"]),
            int(row["factor"]),
        )
        for row in csv.DictReader(lines)
    ]  # fmt: skip
