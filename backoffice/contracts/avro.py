"""An Avro schema taken apart: each name put in its place, nothing kept but types, and what is hostile refused.

The result is again an Avro schema: primitives are plain texts, or ``{"type", "logicalType"}`` where they have a logical
type; records, enums and fixed carry their full name; attributes, defaults, aliases and documentation are gone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backoffice.kernel.errors import Poison

# Ours have some forty types, two deep. Names that stand for ever more names would make a small text a huge schema.
MOST_TYPES = 2_000
DEEPEST = 20
LONGEST_NAME = 200

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
TIME = {"type": "long", "logicalType": "timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
SIMPLE: tuple[Any, ...] = ("string", "int", "long", "boolean", "double", TIME, DATE)
"""What a field of a contract may be: one of these, nullable or not, or a list of records of these."""

# One byte holds the number of the symbol; with more symbols its length could not be told from the text.
_SHORT_ENUM = 64
_INSIDE = frozenset({"type", "fields", "items", "values"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolved(definition: Any) -> dict[str, Any]:
    """The schema of a record, taken apart.

    Raises:
        Poison: it is no Avro record, names a type that it does not define, holds itself, or is beyond all measure.
    """
    if not isinstance(definition, dict) or definition.get("type") != "record":
        raise Poison("The schema is no Avro record.")
    found: dict[str, Any] = _Resolver().type(definition, "", 0)
    return found


def is_plain(record: dict[str, Any]) -> bool:
    """Whether the column decoder takes the (resolved) schema: such types as contracts have, and each name once."""
    fields = [part for field in record["fields"] for part in _unlisted(field["type"])]
    names = [name for field in record["fields"] for name in _names(field["type"])]
    return all(_is_flat(part) for part in fields) and len(names) == len(set(names))


def numeric(avro: Any) -> Any:
    """The (resolved) schema without logical types: times and dates stay the numbers that they are, quick and exact."""
    if isinstance(avro, list):
        return [numeric(part) for part in avro]
    if not isinstance(avro, dict):
        return avro
    if "logicalType" in avro:
        return avro["type"]
    return {name: numeric(part) if name in _INSIDE else part for name, part in avro.items()}


def value_type(avro: Any) -> Any:
    """The type of what a field holds when it holds something."""
    if not isinstance(avro, list):
        return avro
    return next((branch for branch in avro if branch != "null"), "null")


def is_nullable(avro: Any) -> bool:
    return isinstance(avro, list) and "null" in avro


def kind(avro: Any) -> str:
    """The name of a type, its logical type included."""
    if isinstance(avro, list):
        return " or ".join(kind(branch) for branch in avro) or "nothing"
    if isinstance(avro, str):
        return avro
    logical = avro.get("logicalType")
    return f"{avro['type']} ({logical})" if logical else str(avro["type"])


def meant(avro: Any) -> str:
    """What a type is called by what it means: its logical type, where it has one."""
    if not isinstance(avro, dict):
        return str(avro)
    return str(avro.get("logicalType", avro["type"]))


@dataclass
class _Resolver:
    """What was defined so far by full name with its size, what is being defined, and how many types there are."""

    known: dict[str, tuple[Any, int]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    count: int = 0

    def type(self, avro: Any, space: str, depth: int) -> Any:
        self._note(1)
        if depth > DEEPEST:
            raise Poison(f"The schema is nested more than {DEEPEST} deep.")
        if isinstance(avro, str):
            return self._named(avro, space)
        if isinstance(avro, list):
            return self._union(avro, space, depth)
        if isinstance(avro, dict) and isinstance(avro.get("type"), str):
            return self._definition(avro, space, depth)
        raise Poison("The schema has a type that is none of Avro's.")

    def _note(self, types: int) -> None:
        self.count += types
        if self.count > MOST_TYPES:
            raise Poison(f"The schema has more than {MOST_TYPES} types.")

    def _named(self, name: str, space: str) -> Any:
        if name in PRIMITIVES:
            return name
        full = _full(name, space)
        if full in self.open:
            raise Poison(f"The schema's type {full[:LONGEST_NAME]} holds itself.")
        if full not in self.known:
            raise Poison(f"The schema names the type {full[:LONGEST_NAME]}, which it does not define.")
        found, size = self.known[full]
        self._note(size)
        return found

    def _union(self, avro: list[Any], space: str, depth: int) -> list[Any]:
        branches = [self.type(branch, space, depth + 1) for branch in avro]
        kinds = [branch.get("name", branch["type"]) if isinstance(branch, dict) else branch for branch in branches]
        if any(isinstance(branch, list) for branch in branches) or len(kinds) != len(set(kinds)) or not kinds:
            raise Poison("The schema has a union of unions, of nothing, or of one type twice.")
        return branches

    def _definition(self, avro: dict[str, Any], space: str, depth: int) -> Any:
        of = avro["type"]
        if of in ("record", "enum", "fixed"):
            return self._define(avro, space, depth)
        if of == "array":
            items = self.type(avro.get("items"), space, depth + 1)
            if not _least_size(items):
                raise Poison("The schema has a list of elements of no length, which could be any number of them.")
            return {"type": "array", "items": items}
        if of == "map":
            return {"type": "map", "values": self.type(avro.get("values"), space, depth + 1)}
        if of in PRIMITIVES and of != "null" and isinstance(logical := avro.get("logicalType"), str):
            return {"type": of, "logicalType": logical}
        return self._named(of, space)

    def _define(self, avro: dict[str, Any], space: str, depth: int) -> dict[str, Any]:
        name = _name_of(avro, space)
        if name in self.known or name in self.open:
            raise Poison(f"The schema defines the type {name} twice.")
        before = self.count
        self.open.add(name)
        found = {"type": avro["type"], "name": name} | self._content(avro, name, depth)
        self.open.remove(name)
        self.known[name] = found, self.count - before
        return found

    def _content(self, avro: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        if avro["type"] == "record":
            return {"fields": self._fields(avro.get("fields"), name, depth)}
        if avro["type"] == "enum":
            return {"symbols": _symbols(avro.get("symbols"), name)}
        size = avro.get("size")
        if type(size) is not int or not 0 <= size < 2**31:
            raise Poison(f"The schema's type {name} has no size.")
        return {"size": size}

    def _fields(self, fields: Any, name: str, depth: int) -> list[dict[str, Any]]:
        if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
            raise Poison(f"The schema's record {name} has no fields.")
        names = [_simple_name(field.get("name")) for field in fields]
        if len(names) != len(set(names)):
            raise Poison(f"The schema's record {name} has two fields of one name.")
        space = name.rpartition(".")[0]
        return [
            {"name": own, "type": self.type(field.get("type"), space, depth + 1)}
            for own, field in zip(names, fields, strict=True)
        ]


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _name_of(avro: dict[str, Any], space: str) -> str:
    """The full name of a type that is being defined, in the namespace of its own or the one around it."""
    name, own = avro.get("name"), avro.get("namespace", space)
    if not isinstance(name, str) or not isinstance(own, str):
        raise Poison("The schema has a type without a name.")
    full = _full(name, own)
    if len(full) > LONGEST_NAME:
        raise Poison(f"The schema has a name of {len(full)} characters.")
    for part in full.split("."):
        _simple_name(part)
    return full


def _simple_name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise Poison(f"The schema has the name {str(name)[:40]!r}, which is no name in Avro.")
    return name


def _symbols(symbols: Any, name: str) -> list[str]:
    if not isinstance(symbols, list) or not symbols:
        raise Poison(f"The schema's type {name} has no symbols.")
    found = [_simple_name(symbol) for symbol in symbols]
    if len(found) != len(set(found)):
        raise Poison(f"The schema's type {name} has one symbol twice.")
    return found


def _least_size(avro: Any) -> int:
    """The fewest bytes that a value of the type takes."""
    if avro == "null":
        return 0
    if isinstance(avro, dict) and avro["type"] == "record":
        return sum(_least_size(field["type"]) for field in avro["fields"])
    return int(avro["size"]) if isinstance(avro, dict) and avro["type"] == "fixed" else 1


def _unlisted(avro: Any) -> Iterator[Any]:
    """The types of the fields inside a list of records, or the type itself."""
    if isinstance(avro, dict) and avro["type"] == "array" and _is(avro["items"], "record"):
        for field in avro["items"]["fields"]:
            yield field["type"]
    else:
        yield avro


def _names(avro: Any) -> Iterator[str]:
    if isinstance(avro, list):
        for branch in avro:
            yield from _names(branch)
    elif isinstance(avro, dict):
        if "name" in avro:
            yield avro["name"]
        for field in avro.get("fields", ()):
            yield from _names(field["type"])
        yield from _names(avro.get("items"))


def _is_flat(avro: Any) -> bool:
    if is_nullable(avro) and len(avro) == 2:
        avro = value_type(avro)
    return avro in SIMPLE or (_is(avro, "enum") and len(avro["symbols"]) <= _SHORT_ENUM)


def _is(avro: Any, kind: str) -> bool:
    return isinstance(avro, dict) and avro["type"] == kind
