"""The history of every contract: what was released, whether today's schemas may follow it, and the next release."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.codec import decode, encode_as
from backoffice.contracts.columns import align, decode_bodies
from backoffice.contracts.compatibility import breaks
from backoffice.contracts.conventions import faults
from backoffice.contracts.definitions import Library, Version, canonical
from backoffice.contracts.examples import example, readable
from backoffice.contracts.rules import checked
from backoffice.kernel.errors import Poison, Rejected


@dataclass(frozen=True)
class Finding:
    """Something that keeps the contracts from being used as they are: where, what, and the mend."""

    file: Path
    field: str
    reason: str


def findings(library: Library, now: datetime) -> list[Finding]:
    """Everything that is wrong with the schemas and their history; empty when all is well."""
    found: list[Finding] = []
    for record, file in library.files().items():
        wrong = _unusable(library, record, file)
        found += wrong or _history(library, record, file, now)
    found += _lost(library)
    return found


def release(library: Library, record: str) -> Version | None:
    """Write the current schema as the next version, with its example; None when it is released already.

    Raises:
        Rejected: the schema is not as it should be, or cannot follow a released version.
    """
    wrong = _unusable(library, record, library.files()[record])
    if wrong:
        raise Rejected("\n".join(f"{finding.field} {finding.reason}" for finding in wrong))
    current = library.schema(record)
    earlier = library.releases(record)
    if earlier and canonical(earlier[-1].schema()) == canonical(current):
        return None
    if earlier and _same_but_for_texts(earlier[-1].schema(), current):
        raise Rejected(f"{record} {_ONLY_DOC}")
    version = library.next_release(record)
    _write(version, current, library.files()[record].read_bytes())
    return version


def _write(version: Version, definition: dict[str, Any], text: bytes) -> None:
    event = example(definition)
    version.schema_file.parent.mkdir(parents=True, exist_ok=True)
    version.schema_file.write_bytes(text)
    version.readable_file.write_text(json.dumps(readable(event), indent=2, ensure_ascii=False) + "\n", "utf-8")
    version.body_file.write_bytes(encode_as(definition, event))


def _unusable(library: Library, record: str, file: Path) -> list[Finding]:
    """Faults of the schema itself, and breaks with the versions before it."""
    topic = TOPICS.get(file.parent.name)
    if topic is None:
        return [Finding(file, record, f"is of the topic {file.parent.name}; add the topic to catalogue.py")]
    try:
        current = library.schema(record)
    except ValueError as error:
        return [Finding(file, record, f"is no JSON ({error}); correct it")]
    wrong = [Finding(file, fault.field, fault.reason) for fault in faults(current, record, topic.key)]
    if topic.compacted and "message_key" in current:
        wrong.append(Finding(file, record, "has a message_key, but its topic is compacted by its own key; take it out"))
    if wrong:
        return wrong
    return [
        Finding(file, found.field, f"{found.reason} (breaks with version {version.number})")
        for version in library.releases(record)
        for found in breaks(current, version.schema())
    ]


def _history(library: Library, record: str, file: Path, now: datetime) -> Iterator[Finding]:
    current = library.schema(record)
    versions = library.releases(record)
    if not versions or canonical(versions[-1].schema()) != canonical(current):
        only_doc = bool(versions) and _same_but_for_texts(versions[-1].schema(), current)
        told = "is not released yet; run `manage.py contracts release --record " + record + "`"
        yield Finding(file, record, _ONLY_DOC if only_doc else told)
    for number, version in enumerate(versions, start=1):
        if version.number != number:
            yield Finding(version.schema_file, record, f"is where version {number} should be; bring that one back")
        reason = _unreadable(version, current, now)
        if reason:
            yield Finding(version.body_file, record, reason)


def _unreadable(version: Version, current: dict[str, Any], now: datetime) -> str:
    """Why the example of an old version does not come through as a message does today; empty when it does."""
    if not version.body_file.exists() or not version.readable_file.exists():
        return "is missing, or the .json beside it; bring the files of this version back"
    body = version.body_file.read_bytes()
    try:
        told = readable(decode(body, version.schema()))
        table, wrong = checked(align(decode_bodies([body], canonical(version.schema())), current), current, now)
        table.validate(full=True)
    except (Poison, KeyError, pa.ArrowInvalid) as error:
        return f"no longer decodes with the newest schema: {error}; undo the change of the schema or of the example"
    if wrong:
        return f"no longer passes the rules of the newest schema: {wrong[0]}; loosen the rule"
    if told != json.loads(version.readable_file.read_text("utf-8")):
        return f"says something else than {version.readable_file.name}; bring both back as they were released"
    return ""


def _lost(library: Library) -> Iterator[Finding]:
    for record, folder in library.released_records().items():
        if record not in library.files():
            file = library.root / "schemas" / folder.parent.name / f"{record}.avsc"
            yield Finding(file, record, "was released and is gone; bring the file back: contracts only grow")


def _same_but_for_texts(one: Any, other: Any) -> bool:
    return bool(_without_doc(one) == _without_doc(other))


def _without_doc(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _without_doc(value) for name, value in part.items() if name != "doc"}
    return [_without_doc(value) for value in part] if isinstance(part, list) else part


_ONLY_DOC = (
    "differs from its newest release in doc alone, which the registry drops; "
    'raise the record\'s "revision" (a whole number beside its name) as well'
)
