"""Requests are bounded; commands, workers, beat and relays, which may wait for long, are not."""

import json
import os
import subprocess
import sys

import pytest

from backoffice.localstack.layout import PROJECT

SHOW = """
import json, sys
sys.argv = json.loads(sys.argv[1])
from backoffice.settings import test
print(test.DATABASES["default"]["OPTIONS"]["options"])
"""
WEB = ["uvicorn/__main__.py", "backoffice.asgi:application"]


def options(words: list[str], **variables: str) -> str:
    command = [sys.executable, "-c", SHOW, json.dumps(words)]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ | variables, capture_output=True, text=True, check=True)
    return done.stdout


def test_sessions_of_a_web_process_are_bounded() -> None:
    told = options(WEB)
    assert "-c lock_timeout=2000 " in f"{told} "
    assert "-c statement_timeout=15000" in told


def test_the_address_has_the_last_word() -> None:
    own = "postgresql://127.0.0.1/pitboss?options=-c%20lock_timeout%3D7s"
    assert options(WEB, DATABASE_URL=own).strip().endswith("-c lock_timeout=7s")


@pytest.mark.parametrize(
    "words",
    [
        ["manage.py", "migrate"], ["manage.py", "reconcile", "--full"], ["manage.py", "outbox", "list"],
        ["celery/__main__.py", "-A", "backoffice", "worker", "--streams", "all"],
        ["celery/__main__.py", "-A", "backoffice", "beat"], ["pytest"],
    ],
)  # fmt: skip
def test_those_of_others_are_not(words: list[str]) -> None:
    told = options(words)
    assert "idle_in_transaction_session_timeout" in told
    assert "lock_timeout" not in told
    assert "statement_timeout" not in told
