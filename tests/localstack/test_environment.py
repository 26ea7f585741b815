"""A shell that was set up for other work, or to do harm: nothing of it reaches the servers, and they start as ever."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backoffice.localstack import environment
from backoffice.localstack.layout import PROJECT
from backoffice.settings.servers import KAFKA_VARIABLES
from tests.localstack.conftest import ADDRESSES, Started, of
from tests.localstack.test_run import MANAGE, WEB, WORKER
from tests.settings.variables import variables_read

NOWHERE = "http://127.0.0.1:9"
HOSTILE = {
    **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), NOWHERE),
    "PGHOST": "nowhere.invalid",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c search_path=nowhere",
    "PGSERVICE": "nowhere",
    "PGDATA": "/nowhere",
    "PGTZ": "Asia/Kathmandu",
    "PGDATESTYLE": "German",
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.ISO-8859-9",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "LC_NUMERIC": "de_DE.UTF-8",
    "JAVA_TOOL_OPTIONS": "-Xmx1m",
    "JDK_JAVA_OPTIONS": "--no-such-option",
    "_JAVA_OPTIONS": "-Xmx1m",
    "JAVA_HOME": "/nowhere",
    "CLASSPATH": "/nowhere",
    "KAFKA_OPTS": "--no-such-option",
    "KAFKA_HEAP_OPTS": "-Xmx1m",
    "KAFKA_LOG_DIRS": "/nowhere",
    "QUARKUS_HTTP_PORT": "1",
    "APICURIO_STORAGE_KIND": "kafkasql",
    "CDPATH": "/nowhere",
    "ENV": "/nowhere",
}
# What Python itself would fall over, and make and the shell take away before.
FOR_PYTHON = {"PYTHONPATH": "HERE", "PYTHONSTARTUP": "/nowhere", "PYTHONHOME": "/nowhere", "PYTHONWARNINGS": "error"}
LOOKS = """
import os, urllib.request, psycopg, redis
from confluent_kafka.admin import AdminClient
with psycopg.connect(os.environ["DATABASE_URL"], host="127.0.0.1") as one:
    settings = [one.execute(f"SHOW {name}").fetchone()[0] for name in ("TimeZone", "lc_messages", "server_encoding")]
redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
AdminClient({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}).list_topics(timeout=20)
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
direct.open(os.environ["SCHEMA_REGISTRY_URL"] + "/subjects", timeout=20)
os.umask(before := os.umask(0))
print("all answer", *settings, oct(before))
"""


@pytest.mark.faults
@pytest.mark.xdist_group("localstack")
@pytest.mark.parametrize("umask", [0o077, 0o777, 0])
def test_all_servers_start_under_a_hostile_shell(start: Callable[..., Started], tmp_path: Path, umask: int) -> None:
    words = [sys.executable, "-m", "backoffice.localstack", "exec", "--data", str(tmp_path / "data"), "--"]
    words += ["env", *(f"--unset={name}" for name in HOSTILE if name.startswith("PG")), sys.executable, "-c", LOOKS]
    environ = {name: value for name, value in os.environ.items() if name not in ADDRESSES} | HOSTILE

    done = subprocess.run(
        words, env=environ, umask=umask, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=150
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, f"all answer UTC C.UTF-8 UTF8 {oct(umask)}\n"), done.stderr
    assert of(str(tmp_path)) == []


@pytest.mark.faults
@pytest.mark.xdist_group("localstack")
def test_make_run_hands_on_what_is_meant_and_nothing_else(
    start: Callable[..., Started], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    shutil.copytree(PROJECT / "backoffice" / "localstack", root / "backoffice" / "localstack")
    (root / "backoffice" / "__init__.py").touch()
    tells = "import os; print('has', *sorted(f'{name}={value}' for name, value in os.environ.items()))\n"
    for name, text in {
        "uvicorn.py": WEB,
        "celery.py": WORKER.replace("CHILD", "sleep 60"),
        "manage.py": MANAGE,
    }.items():
        (root / name).write_text(tells + text)
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAFKA_SSL_CERT", "a name with a mistake in it, which the settings refuse")
    monkeypatch.setenv("PITBOSS_DATA", "/da ta")

    run = start("run", cwd=root)
    run.says("Pitboss is ready")

    told = [line for line in run.said.splitlines() if "has " in line and "DATABASE_URL=" in line]
    assert len(told) >= 6
    for line in told:
        assert not [name for name, value in HOSTILE.items() if f" {name}={value}" in line]
        assert all(f" {text}" in line for text in ("TZ=UTC", "LANG=C.UTF-8", "PITBOSS_DATA=/da ta", "KAFKA_SSL_CERT=a"))


def test_every_variable_that_the_settings_read_is_handed_on() -> None:
    read = variables_read()

    assert len(read) > 40
    # `make run` has a folder of its own for the metrics of its processes.
    read -= {"PROMETHEUS_MULTIPROC_DIR"}
    assert not [name for name in (*read, *KAFKA_VARIABLES) if not environment.is_meant(name)]


def test_make_takes_pythons_variables_away(tmp_path: Path) -> None:
    (tmp_path / "typing.py").write_text("raise SystemExit('the wrong module')\n")
    shutil.copy(PROJECT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "show.mk").write_text(
        "include Makefile\nshow:\n\t@python3 -c 'import os, typing; print(sorted(os.environ))'\n"
    )
    environ = os.environ | FOR_PYTHON | {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}

    done = subprocess.run(
        ["make", "--silent", "-f", "show.mk", "show"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "PYTHON" not in done.stdout
