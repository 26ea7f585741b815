"""Whether two versions of a schema can stand for each other: each reads what the other wrote.

This is Avro's FULL compatibility, and stricter where Avro does not look: fields are never removed or renamed, logical
types and defaults stay, and a rule beside a field (``minimum``, ``values`` …) may be loosened but not tightened, since
a rebuild reads every old message under today's rules. What held without being said (bounds.py) may be said: a version
that is the first to state the general bounds of a type, or the key of a list, tightens nothing. Applied to every
released version it is FULL_TRANSITIVE.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backoffice.contracts import bounds
from backoffice.contracts.avro import value_type

_FIXED_RULES = ("format", "rule")


@dataclass(frozen=True)
class Break:
    """One place where a version breaks with an older one, and what to do about it."""

    field: str
    reason: str


def breaks(new: dict[str, Any], old: dict[str, Any]) -> list[Break]:
    """Why ``new`` cannot follow ``old``; empty when it can. Both are record schemas."""
    return list(_record(new, old, new["name"]))


def _record(new: dict[str, Any], old: dict[str, Any], where: str) -> Iterator[Break]:
    if _full_name(new) != _full_name(old):
        yield Break(where, f"was the record {_full_name(old)}; keep that name")
    if "aliases" in new:
        yield Break(where, "has aliases, which the registry drops; keep the name and leave them out")
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    for name in sorted(before.keys() - after.keys()):
        yield Break(f"{where}.{name}", "was removed; bring it back: contracts only grow")
    for name, field in after.items():
        place = f"{where}.{name}"
        if name in before:
            yield from _field(field, before[name], place)
        elif "default" not in field:
            yield Break(place, 'is new and has no default; make it nullable with "default": null')
        if "aliases" in field:
            yield Break(place, "has aliases, which the registry drops; add a new field and leave the old one")


def _field(new: dict[str, Any], old: dict[str, Any], where: str) -> Iterator[Break]:
    yield from _type(new["type"], old["type"], where)
    if "default" in new and "default" in old and new["default"] != old["default"]:
        yield Break(where, f"had the default {old['default']!r}; keep it, older messages would read differently")
    yield from _bound(new, old, where, "minimum", rising=True)
    yield from _bound(new, old, where, "maximum", rising=False)
    yield from _bound(new, old, where, "max_length", rising=False)
    yield from _bound(new, old, where, "min_items", rising=True)
    yield from _key(new, old, where)
    yield from _values(new.get("values"), old.get("values"), where)
    for rule in _FIXED_RULES:
        if rule in new and new[rule] != old.get(rule):
            yield Break(where, f"{rule} was {old.get(rule, 'absent')}, is {new[rule]}; older messages may not pass")


def _type(new: Any, old: Any, where: str) -> Iterator[Break]:
    if isinstance(new, list) and isinstance(old, list):
        yield from _union(new, old, where)
    elif _kind(new) != _kind(old):
        yield Break(where, f"was {_kind(old)}, is {_kind(new)}; keep the type and add a field with another name")
    elif _kind(new) == "array":
        yield from _type(new["items"], old["items"], f"{where}[]")
    elif _kind(new) == "record":
        yield from _record(new, old, where)


def _union(new: list[Any], old: list[Any], where: str) -> Iterator[Break]:
    before = {_kind(branch): branch for branch in old}
    after = {_kind(branch): branch for branch in new}
    for kind in sorted(before.keys() ^ after.keys()):
        yield Break(where, f"{'no longer takes' if kind in before else 'newly takes'} {kind}; keep the type")
    for kind in sorted(before.keys() & after.keys()):
        yield from _type(after[kind], before[kind], where)


def _bound(new: dict[str, Any], old: dict[str, Any], where: str, rule: str, *, rising: bool) -> Iterator[Break]:
    if rule not in new:
        return
    before = old.get(rule, _general(old, rule))
    if before is None or (new[rule] > before if rising else new[rule] < before):
        yield Break(where, f"{rule} was {old.get(rule, 'absent')}, is {new[rule]}; older messages may not pass")


def _general(field: dict[str, Any], rule: str) -> bounds.Number | None:
    """What holds where the field does not have the rule; None where nothing does."""
    of = value_type(field["type"])
    if rule == "min_items":
        return bounds.MIN_ITEMS if _is_list(of) else None
    limits = {"minimum": bounds.SMALLEST, "maximum": bounds.LARGEST}.get(rule, {})
    return limits.get(of) if isinstance(of, str) else None


def _key(new: dict[str, Any], old: dict[str, Any], where: str) -> Iterator[Break]:
    if _is_list(new["type"]) and _is_list(old["type"]) and bounds.item_key(new) != bounds.item_key(old):
        yield Break(where, f"was told apart by {bounds.item_key(old)}, is by {bounds.item_key(new)}; keep the key")


def _is_list(avro: Any) -> bool:
    return _kind(avro) == "array" and _kind(avro["items"]) == "record"


def _values(new: list[str] | None, old: list[str] | None, where: str) -> Iterator[Break]:
    if new is None:
        return
    if old is None:
        yield Break(where, "values is new; older messages may hold others")
    elif missing := [value for value in old if value not in new]:
        yield Break(where, f"values no longer has {', '.join(missing)}; older messages hold them")


def _kind(avro: Any) -> str:
    """The name of a type, its logical type included."""
    if isinstance(avro, list):
        return "union"
    if isinstance(avro, str):
        return avro
    logical = avro.get("logicalType")
    return f"{avro['type']} ({logical})" if logical else str(avro["type"])


def _full_name(record: dict[str, Any]) -> str:
    name: str = record["name"]
    return name if "." in name or "namespace" not in record else f"{record['namespace']}.{name}"
