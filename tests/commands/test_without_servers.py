"""Every command of ours with no server to speak to: a sentence with the next step, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from backoffice.commands import OperatorCommand
from backoffice.localstack import ports

OURS = ("backoffice.", "players", "wallet", "trading", "compliance")
PATIENCE_SECONDS = 120
WHY = ("--reason", "why")

# Arguments by command, for each of its acts.
ASKING: dict[str, list[tuple[str, ...]]] = {
    "streams": [
        ("status",),
        ("resume", "trading", "bet-events", "0"),
        ("skip", "trading", "bet-events", "0", "--to", "end", *WHY),
        ("adopt", "trading", "bet-events", *WHY),
    ],
    "deadletters": [("list",), ("show", "1"), ("replay", "1", *WHY), ("discard", "1", *WHY)],
    "outbox": [("list",), ("retry", "1"), ("discard", "1", *WHY)],
    "partitions": [()],
    "rebuild": [("trading_bet",)],
    "topics": [(), ("--forget-schemas",)],
    "status": [()],
    "reconcile": [("--status",)],
    "findings": [("list",), ("accept", "00000000-0000-0000-0000-000000000000", *WHY)],
    "migrate": [()],
    "providers": [("list",), ("release", "northfeed", *WHY)],
}
# The last need no servers, or wait for them until they are told to end (`test_who_waits…`); reconcile tells a machine.
OTHERS = {"contracts", "demo_users", "reconcile", "generate", "simulate", "feed"}


def ours() -> dict[str, str]:
    return {name: app for name, app in get_commands().items() if str(app).startswith(OURS)}


def environ() -> dict[str, str]:
    nowhere = f"127.0.0.1:{ports.choose()}"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "backoffice.settings.test",
        "DATABASE_URL": f"postgresql://pitboss@{nowhere}/none",
        "REDIS_URL": f"redis://{nowhere}/0",
        "KAFKA_BOOTSTRAP_SERVERS": nowhere,
        "SCHEMA_REGISTRY_URL": f"http://{nowhere}",
    }


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=environ(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def test_every_command_of_ours_is_looked_at_here() -> None:
    assert set(ours()) == ASKING.keys() | OTHERS


@pytest.mark.parametrize("name", sorted(ASKING.keys() | OTHERS))
def test_every_command_of_ours_tells_errors_in_sentences(name: str) -> None:
    assert isinstance(load_command_class(ours()[name], name), OperatorCommand)


@pytest.mark.parametrize("asked", [(name, *act) for name, acts in ASKING.items() for act in acts], ids=" ".join)
def test_without_servers_there_is_one_line_that_names_the_setting(asked: tuple[str, ...]) -> None:
    done = manage(*asked)

    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("CommandError: ")
    assert any(name in line for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")), line


def test_reconcile_tells_a_machine_and_nobody_else() -> None:
    done = manage("reconcile")

    assert (done.returncode, done.stderr) == (2, "")
    assert '"clean": null' in done.stdout


@pytest.mark.parametrize(
    "asked",
    [
        ("generate", "--seed", "1", "--rate", "10"),
        ("simulate", "--seed", "1", "--rate", "10"),
        ("feed", "betfair", "{file}"),
    ],
    ids=lambda asked: asked[0],
)
def test_who_waits_for_servers_says_so_and_ends_when_told(asked: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_text("{}\n")
    process = subprocess.Popen(
        [sys.executable, "manage.py", *(each.format(file=file) for each in asked)],
        env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    # Kafka's client writes lines of its own before.
    said = next((line for line in process.stderr if " WARNING " in line), "")
    process.terminate()
    _, rest = process.communicate(timeout=PATIENCE_SECONDS)

    assert "Connection refused" in said or "does not answer" in said
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be used: No such file or directory. Name a file that can."),
        ("{bad", "is no JSON"),
        ("[1]", "holds no JSON object"),
    ],
)
def test_a_file_that_is_no_event_is_named(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "event.json"
    if text is not None:
        file.write_text(text)

    done = manage("deadletters", "replay", "1", "--event", str(file), *WHY)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(file) in line
    assert says in line
