"""A test that even its time limit does not end is named, and costs its own process only."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

DEAF = """
import threading

import pytest


@pytest.mark.timeout(1)
def test_deaf() -> None:
    waiting = threading.Event()
    while True:
        try:
            waiting.wait()
        except BaseException:
            pass
"""


def test_one_that_hears_no_time_limit_ends_its_process_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_protocol\n")
    (tmp_path / "test_deaf.py").write_text(DEAF)
    told = ["-q", "-c", str(settings.ROOT / "pyproject.toml"), str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *told],
        env=os.environ | {"PYTHONPATH": str(settings.ROOT)}, cwd=settings.ROOT,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode != 0
    assert 'test_deaf.py", line' in done.stderr
    assert "in test_deaf" in done.stderr
