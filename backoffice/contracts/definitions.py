"""The Avro schemas as they stand in files: the current one of each record, and every version ever released."""

import json
from functools import cache
from pathlib import Path
from typing import Any

NAMESPACE = "pitboss"
SCHEMAS = Path(__file__).parent / "schemas"
RELEASED = Path(__file__).parent / "released"


def schema(record: str) -> dict[str, Any]:
    """The current schema. Read once and shared: copy it before changing it.

    Raises:
        KeyError: no schema of that name exists.
    """
    return _schema(record)


@cache
def schema_text(record: str) -> str:
    """The current schema as the registry gets it."""
    return canonical(schema(record))


def released(record: str) -> list[dict[str, Any]]:
    """Every released version of a record, oldest first."""
    return [json.loads(path.read_text("utf-8")) for path in released_files(record)]


def released_files(record: str) -> list[Path]:
    """The files of the released versions, oldest first."""
    return sorted(released_folder(record).glob("*.avsc"), key=lambda path: int(path.stem))


def released_folder(record: str) -> Path:
    return RELEASED / schema_file(record).parent.name / record


def schema_file(record: str) -> Path:
    return _files()[record]


def canonical(definition: dict[str, Any]) -> str:
    """The one text of a schema: the registry gives one id only to texts that are the same byte for byte."""
    return json.dumps(definition, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


@cache
def _schema(record: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(schema_file(record).read_text("utf-8"))
    return parsed


@cache
def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(SCHEMAS.glob("*/*.avsc"))}
