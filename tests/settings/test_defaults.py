"""What is not said is closed: endpoints without a permission, commands without settings, settings without secrets."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from backoffice.localstack.layout import PROJECT
from backoffice.settings.servers import KAFKA_VARIABLES
from tests.settings.variables import variables_read

GIVEN = {
    "SECRET_KEY": "long and random",
    "ALLOWED_HOSTS": "pitboss.example",
    "DATABASE_URL": "postgresql://127.0.0.1/pitboss",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081",
}


class Forgotten(APIView):
    """An endpoint that names no permission."""

    def get(self, _request: Request) -> Response:
        return Response("secret")


@pytest.mark.parametrize("superuser", [False, True])
def test_an_endpoint_that_names_no_permission_is_for_nobody(superuser: bool) -> None:
    request = APIRequestFactory().get("/")
    force_authenticate(request, User(username="u", is_staff=superuser, is_superuser=superuser))

    answer = Forgotten.as_view()(request)

    assert answer.status_code == 403
    assert "secret" not in str(answer.data)


def test_a_stranger_gets_nothing_either() -> None:
    assert Forgotten.as_view()(APIRequestFactory().get("/")).status_code == 403


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project as it is deployed: nobody typed `make run` in it."""
    for name in ("backoffice", "players", "wallet", "trading", "compliance", "templates"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "backoffice").unlink()
    (tmp_path / "backoffice").mkdir()
    for entry in (PROJECT / "backoffice").iterdir():
        (tmp_path / "backoffice" / entry.name).symlink_to(entry)
    (tmp_path / "backoffice" / "settings").unlink()
    shutil.copytree(PROJECT / "backoffice" / "settings", tmp_path / "backoffice" / "settings")
    shutil.copy(PROJECT / "manage.py", tmp_path)
    return tmp_path


def started(clone: Path, *words: str, **given: str) -> subprocess.CompletedProcess[str]:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | given
    return subprocess.run(
        [sys.executable, *words], cwd=clone, env=environ, capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip


@pytest.mark.parametrize(
    "words", [("manage.py", "check"), ("-m", "celery", "-A", "backoffice", "report"), ("-c", "import backoffice.asgi")]
)
def test_what_is_deployed_without_settings_takes_those_for_real_use(clone: Path, words: tuple[str, ...]) -> None:
    done = started(clone, *words)

    assert done.returncode != 0
    assert f"{', '.join(GIVEN)}: not set. Put them into the environment" in done.stderr + done.stdout


def test_beside_make_run_a_command_takes_the_settings_of_this_machine(clone: Path) -> None:
    (clone / ".local" / "run").mkdir(parents=True)
    (clone / ".local" / "run" / "environ").write_text("REDIS_URL=redis://127.0.0.1:7/0\n")

    show = ("manage.py", "shell", "-c", "from django.conf import settings as s; print(s.SETTINGS_MODULE, s.REDIS_URL)")
    assert "backoffice.settings.local redis://127.0.0.1:7/0" in started(clone, *show).stdout

    done = started(clone, *show, ALLOWED_HOSTS="pitboss.example")
    assert "these settings are for one machine alone" in done.stderr


@pytest.mark.parametrize("name", GIVEN)
def test_production_takes_no_default(clone: Path, name: str) -> None:
    given = {variable: value for variable, value in GIVEN.items() if variable != name}

    done = started(clone, "-c", "import backoffice.settings.production", **given)

    assert f"ImproperlyConfigured: {name}: not set." in done.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [({"DEBUG": "1"}, "DEBUG shows the inside"), ({"SECRET_KEY": "only-for-this-machine"}, "that everybody knows")],
)
def test_production_refuses_what_is_meant_for_development(clone: Path, given: dict[str, str], says: str) -> None:
    assert started(clone, "-c", "import backoffice.settings.production", **GIVEN).returncode == 0
    assert says in started(clone, "-c", "import backoffice.settings.production", **(GIVEN | given)).stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("STREAM_STALL_SECONDS", "5m"), ("SILENCE_JUDGED_EVERY", "0"), ("KEEP_SENT_DAYS", "-1"), ("LOG_LEVEL", "loud"),
     ("METRICS_PORT", "99999"), ("STREAM_BATCH_SIZE", "abc"), ("STREAM_LINGER", "0"), ("DEBUG", "treu")],
)  # fmt: skip
def test_a_value_that_is_not_understood_is_refused_at_the_start(clone: Path, name: str, value: str) -> None:
    done = started(clone, "-c", "import backoffice.settings.base", **{name: value})

    assert done.returncode == 1
    assert f"ImproperlyConfigured: {name}: " in done.stderr


def test_every_variable_that_is_read_is_told_of_and_no_other() -> None:
    read = variables_read()
    table = [line for line in (PROJECT / "docs" / "settings.md").read_text("utf-8").splitlines() if "|" in line]

    told = {name for line in table for name in re.findall(r"`([A-Z][A-Z_]+)`", line.split("|")[1])}

    assert len(read) > 20
    assert told == read | set(KAFKA_VARIABLES)
