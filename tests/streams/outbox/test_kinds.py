"""Every kind of alert that the code raises is closed by it, unless a person does; a table of the docs says by what."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

APPS = ("backoffice", "players", "wallet", "trading", "compliance")
DOC = Path("docs/when-something-is-wrong.md").read_text("utf-8")
TABLE = DOC.partition("## Alerts and what ends them")[2].partition("\n## ")[0]


def kinds(function: str, place: int) -> set[str]:
    """What calls of a function give it at a place: written out, or a name of the module."""
    return {kind for app in APPS for file in Path(app).rglob("*.py") for kind in _of_module(file, function, place)}


def _of_module(file: Path, function: str, place: int) -> Iterator[str]:
    module = ast.parse(file.read_text("utf-8"))
    named = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
            match node.args[place]:
                case ast.Constant(str(kind)):
                    yield kind
                case ast.Name(name):
                    yield str(named[name])
                case other:
                    raise AssertionError(f"{file}: {function} is given {ast.unparse(other)}, which names no kind")


def test_what_is_raised_is_closed_and_stands_in_the_documentation() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", TABLE, re.MULTILINE))
    by_nobody_here = {kind for kind, end in told.items() if end.startswith("a person closes it")}

    assert kinds("raise_alert", 0) == set(told)
    assert kinds("close_alert", 1) == set(told) - by_nobody_here
