"""The contracts as a page to read: each topic, its records, and what every field means and is kept for."""

from collections.abc import Iterator
from typing import Any

from backoffice.contracts.avro import is_nullable, meant, value_type
from backoffice.contracts.catalogue import TOPICS, TooManyBad, Topic
from backoffice.contracts.definitions import Library
from backoffice.contracts.purposes import PURPOSES

_BEGINNING = """\
# Contracts: every topic, record and field

Written by `manage.py contracts document` from the schemas; edit those. What a message has to be beside this stands in
[messages.md](messages.md).

A `?` marks what may be empty. Amounts are minor units of the currency, odds decimal odds in thousandths.
"""
_BASES = """\

## Purposes

| Purpose | Lawful basis (GDPR art. 6(1)) | By |
|---|---|---|
"""
_BAD = {
    TooManyBad.HALT: "the partition halts",
    TooManyBad.DIVERT: "they are diverted and their sender's offer is suspended",
}
_FIELDS = "| Field | Type | Meaning | Class | Purpose | Kept |\n|---|---|---|---|---|---|\n"


def document(library: Library) -> str:
    """The page as Markdown."""
    parts = [_BEGINNING, *(part for topic in TOPICS.values() for part in _topic(library, topic)), _BASES]
    parts += [f"| {name} | {use.basis.value} | {use.source} |\n" for name, use in sorted(PURPOSES.items())]
    return "".join(parts)


def _topic(library: Library, topic: Topic) -> Iterator[str]:
    kept = "for ever" if topic.retention_days is None else f"{topic.retention_days} days"
    kept = "the newest of each key" if topic.compacted else kept
    yield f"\n## {topic.name}\n\nKey `{topic.key}`, {topic.partitions} partitions, kept {kept}; "
    yield f"where too many messages are bad, {_BAD[topic.too_many_bad]}.\n"
    for record in (record for record in topic.records if record in library.files()):
        definition = library.schema(record)
        key = f" Its key is `{definition['message_key']}`." if "message_key" in definition else ""
        yield f"\n### {record}\n\n{definition['doc']}{key}\n\n{_FIELDS}"
        yield from _rows(definition["fields"], "")


def _rows(fields: list[dict[str, Any]], inside: str) -> Iterator[str]:
    for field in fields:
        cells = (
            f"`{inside}{field['name']}`", _shown(field), _cell(field.get("doc", "")), field["classification"],
            field["purpose"], field["retention"].replace("_", " "),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |\n"
        if meant(field["type"]) == "array":
            yield from _rows(field["type"]["items"]["fields"], f"{inside}{field['name']}[].")


def _shown(field: dict[str, Any]) -> str:
    """The type, and what is allowed of it."""
    of = meant(value_type(field["type"]))
    if of == "array":
        return f"list by `{field['key']}`" + ("" if field["min_items"] else ", may be empty")
    return f"{of}{'?' if is_nullable(field['type']) else ''}{_rules(field)}"


def _rules(field: dict[str, Any]) -> str:
    told = []
    if "values" in field:
        told.append(", ".join(f"`{value}`" for value in field["values"]))
    if "format" in field:
        told.append(field["format"])
    if "max_length" in field:
        told.append(f"up to {field['max_length']}")
    if "minimum" in field:
        told.append(f"{_number(field['minimum'])} to {_number(field['maximum'])}")
    return f": {', '.join(told)}" if told else ""


def _number(value: float) -> str:
    """Powers of ten as such, so that nobody has to count zeros."""
    digits = str(value)
    if len(digits) > 6 and digits.rstrip("0") == "1":
        return f"10^{len(digits) - 1}"
    return f"{value:,}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
