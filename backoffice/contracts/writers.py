"""Who wrote a message: the schema behind its id, and the verdict on it, the same for everybody who reads.

A registry holds whatever anybody registers under any subject. A writer's schema is one of ours when it is called as
ours is, namespace included, and every field that we know has our type, logical type included. It may

- lack fields that have a default with us (an older version),
- have fields that we do not know, of whatever type (a newer version): they are read and dropped,
- order its fields as it likes, and describe them with any attributes,
- never be empty where ours may be,
- have an enum where ours is a text: its symbols are texts, and stand under the same rules.

Nothing else: not int for long, not long for a time, not an optional amount. Where types differ, so may units, and no
rule could see it: a stake of the double 1000.0 may be ten euros or a thousand.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

from backoffice.contracts.avro import is_nullable, is_plain, kind, numeric, resolved, value_type
from backoffice.contracts.columns import framed
from backoffice.contracts.definitions import canonical, schema
from backoffice.kernel.errors import Poison

LARGEST = 1_000_000
"""Characters of a schema's text; our longest has some ten thousand."""
DEEPEST = 100
"""How deep its text may be nested; ours is six deep."""

_MEND = "its producer has to write by the schema of our contract"


@dataclass(frozen=True)
class Writer:
    """What a message was written by: the name of its record without the namespace, and its schema."""

    record: str
    schema: dict[str, Any]

    @cached_property
    def refusal(self) -> str:
        """Why nothing that it wrote can be read as ours; empty when it can."""
        try:
            misfit = next(_misfits(self.resolved, _ours(self.record), schema(self.record)), "")
        except Poison as poison:
            return str(poison)
        except KeyError:
            misfit = f"{self.record} is no record of the platform"
        return f"{misfit}; {_MEND}." if misfit else ""

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The schema with nothing left but types.

        Raises:
            Poison: it is no Avro record.
        """
        return resolved(self.schema)

    @cached_property
    def is_plain(self) -> bool:
        """Whether whole columns can be made of its messages at once."""
        return is_plain(self.resolved)

    @cached_property
    def numeric(self) -> dict[str, Any]:
        """The resolved schema without logical types, for reading events one at a time."""
        found: dict[str, Any] = numeric(self.resolved)
        return found

    @cached_property
    def framed(self) -> dict[str, Any]:
        """The resolved schema of its messages with their frame, for reading whole columns."""
        return framed(self.resolved)

    @cached_property
    def framed_text(self) -> str:
        return canonical(self.framed)


class Writers(Protocol):
    """Where the writer behind a schema id is looked up."""

    def writer(self, schema_id: int) -> Writer:
        """Raises Poison for an unknown id, Retryable while the registry is away."""


def writer_of(schema_id: int, text: str | None) -> Writer:
    """The writer behind a schema id, by the text that the registry has of it.

    Raises:
        Poison: the text is no Avro record.
    """
    if len(text or "") > LARGEST:
        raise Poison(f"schema id {schema_id} has {len(text or ''):,} characters; a schema has at most {LARGEST:,}")
    try:
        definition: dict[str, Any] = json.loads(text or "")
        writer = Writer(definition["name"].rpartition(".")[2], definition)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Poison(f"schema id {schema_id} is no Avro record") from error
    if _is_deep(definition):
        raise Poison(f"schema id {schema_id} is nested more than {DEEPEST} deep")
    return writer


def _is_deep(part: Any) -> bool:
    """Whether nobody should walk through it by calling himself."""
    layer = [part]
    for _ in range(DEEPEST):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(layer)


@cache
def _ours(record: str) -> dict[str, Any]:
    return resolved(schema(record))


def _misfits(theirs: dict[str, Any], ours: dict[str, Any], contract: dict[str, Any]) -> Iterator[str]:
    """Where the writer's record differs from ours; ``contract`` is ours as it stands, with its defaults."""
    if theirs["name"] != ours["name"]:
        yield f"The record of its schema is {theirs['name']}, which is not our {ours['name']}"
    where = ours["name"].rpartition(".")[2]
    written = {field["name"]: field["type"] for field in theirs["fields"]}
    for field, declared in zip(ours["fields"], contract["fields"], strict=True):
        name = field["name"]
        if name in written:
            yield from _differing(written[name], field["type"], declared, f"{where}.{name}")
        elif "default" not in declared:
            yield f"The writer's schema has no {name}, and it has no default ({where}.{name})"


def _differing(theirs: Any, ours: Any, declared: dict[str, Any], where: str) -> Iterator[str]:
    wanted, found = value_type(ours), theirs
    if is_nullable(ours) and is_nullable(theirs) and len(theirs) == 2:
        found = value_type(theirs)
    if _is_list(found) and _is_list(wanted):
        yield from _misfits(found["items"], wanted["items"], declared["type"]["items"])
    elif found != wanted and not (wanted == "string" and isinstance(found, dict) and found["type"] == "enum"):
        yield f"{where} is {kind(theirs)} in the schema of its writer and {kind(ours)} in ours"


def _is_list(avro: Any) -> bool:
    return isinstance(avro, dict) and avro["type"] == "array" and isinstance(avro["items"], dict) and (
        avro["items"]["type"] == "record"
    )  # fmt: skip
