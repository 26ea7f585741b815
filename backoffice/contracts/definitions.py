"""The Avro schemas as they stand in files: the current one of each record, and every version ever released."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

NAMESPACE = "pitboss"


@dataclass(frozen=True)
class Version:
    """A released version: its schema, and beside it one example as text for people and as that version wrote it."""

    number: int
    schema_file: Path

    @property
    def readable_file(self) -> Path:
        return self.schema_file.with_suffix(".json")

    @property
    def body_file(self) -> Path:
        return self.schema_file.with_suffix(".avro")

    def schema(self) -> dict[str, Any]:
        return _read(self.schema_file)


@dataclass(frozen=True)
class Library:
    """A folder with ``schemas/<topic>/<Record>.avsc`` and ``released/<topic>/<Record>/<n>.avsc``."""

    root: Path

    def files(self) -> dict[str, Path]:
        """The current schema file of each record."""
        return {path.stem: path for path in sorted(self.root.glob("schemas/*/*.avsc"))}

    def schema(self, record: str) -> dict[str, Any]:
        return _read(self.files()[record])

    def releases(self, record: str) -> list[Version]:
        """The released versions of a record, oldest first."""
        versions = [Version(int(path.stem), path) for path in self.root.glob(f"released/*/{record}/*.avsc")]
        return sorted(versions, key=lambda version: version.number)

    def released_records(self) -> dict[str, Path]:
        """The folder of each record that was ever released."""
        return {path.name: path for path in sorted(self.root.glob("released/*/*")) if path.is_dir()}

    def next_release(self, record: str) -> Version:
        """Where the next version of a record belongs."""
        folder = self.root / "released" / self.files()[record].parent.name / record
        number = len(self.releases(record)) + 1
        return Version(number, folder / f"{number}.avsc")


LIBRARY = Library(Path(__file__).parent)
SCHEMAS = LIBRARY.root / "schemas"


@cache
def schema(record: str) -> dict[str, Any]:
    """The current schema. Read once and shared: copy it before changing it.

    Raises:
        KeyError: no schema of that name exists.
    """
    return LIBRARY.schema(record)


@cache
def schema_text(record: str) -> str:
    """The current schema as the registry gets it."""
    return canonical(schema(record))


def released(record: str) -> list[dict[str, Any]]:
    """Every released version of a record, oldest first."""
    return [version.schema() for version in LIBRARY.releases(record)]


def canonical(definition: dict[str, Any]) -> str:
    """The one text of a schema: the registry gives one id only to texts that are the same byte for byte."""
    return json.dumps(definition, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _read(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return parsed
