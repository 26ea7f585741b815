"""Every benchmark runs and finds its figures; how good they are is no matter of a test."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections

from backoffice.localstack.layout import PROJECT
from bench.__main__ import NAMES, OLDER, run
from bench.figures import Figures
from tests.spine import Spine
from tests.trading.feeds import recordings

NAMED = [pytest.param(name, marks=recordings.needed) if name == "feed" else name for name in NAMES]


@pytest.mark.parametrize("name", NAMED)
def test_benchmark_finds_its_figures(name: str, spine: Spine, tmp_path: Path) -> None:
    database = connections["default"].settings_dict["NAME"]
    figures = Figures()

    run([name], figures, quick=True)

    assert {figure.benchmark for figure in figures.found} == {name.upper()}
    assert all(figure.value >= 0 for figure in figures.found)
    figures.write(tmp_path / "results.json", quick=True)
    assert str(settings.DATABASE_URL) not in (tmp_path / "results.json").read_text("utf-8")
    assert connections["default"].settings_dict["NAME"] == database


@pytest.mark.timeout(420)
def test_an_older_checkout_is_compared_with_this_one(spine: Spine) -> None:
    figures = Figures()

    run([OLDER], figures, quick=True, old=PROJECT)

    assert {figure.benchmark for figure in figures.found} == {OLDER.upper()}
    assert all(figure.value > 0 and len(figure.parts["old"]) == 1 for figure in figures.found)
