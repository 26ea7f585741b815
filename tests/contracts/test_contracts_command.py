"""``manage.py contracts``, on a copy of the contracts that each test spoils in one way."""

import copy
import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backoffice.contracts.avro import TIME
from backoffice.contracts.codec import encode_as
from backoffice.contracts.definitions import LIBRARY, Library
from backoffice.contracts.examples import example, readable

from .changes import field, without
from .conftest import Edit

PERSONAL = {"classification": "personal", "purpose": "contract", "retention": "10y"}
PLAIN = {"classification": "operational", "purpose": "contract", "retention": "10y"}


def check(library: Library) -> list[str]:
    """The findings, one line each."""
    out = io.StringIO()
    try:
        call_command("contracts", "--root", library.root, "check", stdout=out)
    except CommandError:
        return out.getvalue().splitlines()
    return []


def release(library: Library, *arguments: str) -> str:
    out = io.StringIO()
    call_command("contracts", "--root", library.root, "release", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def added(name: str, avro: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro} | PLAIN | more


def test_the_contracts_are_in_order_without_any_server() -> None:
    nowhere = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_SERVERS"))}
    nowhere |= {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}

    done = subprocess.run(
        [sys.executable, LIBRARY.root.parents[1] / "manage.py", "contracts", "check"],
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "42 contracts are in order.\n"


@pytest.mark.parametrize("attribute", ["classification", "purpose", "retention"])
@pytest.mark.parametrize("place", ["stake", "legs", "legs[].odds"])
def test_every_field_says_what_it_is_and_why_and_how_long(
    library: Library, edit: Edit, attribute: str, place: str
) -> None:
    def forget(definition: dict[str, Any]) -> None:
        name, _, inner = place.partition("[].")
        found = field(definition, name)
        del (field(found["type"]["items"], inner) if inner else found)[attribute]

    edit("BetPlaced", forget)

    (line,) = check(library)
    assert line.endswith(f"schemas/bet-events/BetPlaced.avsc: BetPlaced.{place} has no {attribute}; add one")


@pytest.mark.parametrize(
    ("record", "new", "complaint"),
    [
        (
            "BetPlaced",
            added("x", "long", minimum=0, default=0, classification="secret"),
            "has the classification secret",
        ),
        ("BetPlaced", added("x", "boolean", default=False, retention="long"), "has the retention long"),
        ("BetPlaced", added("x", "boolean", default=False, purpose="curiosity"), "which has no lawful basis"),
        ("BetPlaced", added("x", "bytes"), "is bytes, which the decoder does not take"),
        ("BetPlaced", added("x", "float"), "is float, which the decoder does not take"),
        ("BetPlaced", added("x", {"type": "fixed", "name": "F", "size": 4}), "is fixed, which the decoder"),
        ("BetPlaced", added("x", {"type": "enum", "name": "E", "symbols": ["A"]}), "is enum, which the decoder"),
        ("BetPlaced", added("x", {"type": "string", "logicalType": "uuid"}), "is uuid, which the decoder"),
        ("BetPlaced", added("x", {"type": "bytes", "logicalType": "decimal", "precision": 4}), "is decimal, which"),
        ("BetPlaced", added("x", {"type": "map", "values": "long"}), "is map, which the decoder"),
        ("BetPlaced", added("x", {"type": "array", "items": "long"}), "is array, which the decoder"),
        ("BetPlaced", added("x", ["null", "bytes"], default=None), "the decoder takes"),
        ("BetPlaced", added("x", ["string", "null"], default=""), "the decoder takes"),
        ("BetPlaced", added("x", ["null", "int", "boolean"], default=None), "the decoder takes"),
        ("BetPlaced", added("x", ["null", "long"], maximum=5), 'has no "default": null'),
        ("BetPlaced", added("x", "string", max_lenght=5, default=""), "has max_lenght, which nothing checks"),
        ("BetPlaced", added("x", "string", minimum=5, max_length=5, default=""), "has minimum, which nothing checks"),
        ("BetPlaced", added("x", "string", default=""), "is a text without end"),
        ("BetPlaced", added("x", ["null", TIME], rule="evnt_time", default=None), "has the rule evnt_time"),
        ("BetPlaced", added("x", "string", format="iban", default=""), "has the format iban"),
        ("BetPlaced", added("x", "long", classification="financial", default=0), "is an amount"),
        ("BetPlaced", added("x", "int", minimum=1, default=0), "has the default 0, which breaks its own rules"),
        ("BetPlaced", added("x", "int", minimum=0, default=0), "is a number without end"),
        ("BetPlaced", added("x", ["null", "long"], maximum=0, default=None), "is a number without end"),
        ("BetPlaced", added("x", "double", default=0.5), "is a number without end"),
        ("BetPlaced", added("x", "int", minimum=0, maximum=2**31, default=0), "has bounds that are none"),
        ("BetPlaced", added("x", "int", minimum=-(2**31) - 1, maximum=0, default=0), "has bounds that are none"),
        ("BetPlaced", added("x", "long", minimum=0, maximum=2**53, default=0), "has bounds that are none"),
        ("BetPlaced", added("x", "long", minimum=2, maximum=1, default=2), "has bounds that are none"),
        ("BetPlaced", added("x", "double", minimum=0, maximum=float("inf"), default=0.5), "has bounds that are none"),
        ("BetPlaced", added("x", "string", key="x", max_length=9, default=""), "has key, which nothing checks"),
        ("BetPlaced", added("x", "string", values=["a"], default="b"), "has the default 'b', which breaks"),
        ("BetPlaced", added("x", "string", format="currency", default="XYZ"), "has the default 'XYZ', which breaks"),
        ("BetPlaced", added("x", "string", format="uuid", default=""), "has the default '', which breaks"),
        ("BetPlaced", added("x", "string", max_length=2, default="abc"), "has the default 'abc', which breaks"),
        ("BetPlaced", added("x", "int", default="none"), "must match schema type: int"),
        ("BetPlaced", added("x", "nonsense"), "is no Avro record"),
        ("BetPlaced", added("ip", "string", format="ip", default="", **PERSONAL), "is personal, which only"),
        ("LoginFailed", added("email", "string", max_length=9, default="", **PERSONAL), "is personal, which only"),
    ],
)
def test_a_field_that_must_not_be_is_named(
    library: Library, edit: Edit, record: str, new: dict[str, Any], complaint: str
) -> None:
    edit(record, lambda definition: definition["fields"].append(new))

    lines = check(library)

    assert any(complaint in line for line in lines), lines


@pytest.mark.parametrize("name", ["event_id", "occurred_at", "brand", "jurisdiction"])
def test_every_record_begins_with_the_head(library: Library, edit: Edit, name: str) -> None:
    edit("BetPlaced", lambda definition: without(definition, name))

    assert any(f"BetPlaced.{name} is missing from the head; make it field" in line for line in check(library))


def test_the_message_key_is_a_field(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda definition: without(definition, "player_id"))

    assert any("BetPlaced.player_id is the topic's message key and missing" in line for line in check(library))


def test_a_record_may_have_a_message_key_of_its_own_but_not_where_the_log_is_compacted(
    library: Library, edit: Edit
) -> None:
    edit("BetPlaced", lambda definition: definition.update(message_key="bet_id"))
    assert not any("message" in line for line in check(library))
    edit("BetPlaced", lambda definition: definition.update(message_key="nobody"))
    assert any("BetPlaced.nobody is the topic's message key and missing" in line for line in check(library))

    edit("MarketPrice", lambda definition: definition.update(message_key="sport_event_id"))
    assert any("MarketPrice has a message_key, but its topic is compacted" in line for line in check(library))


def test_a_list_inside_a_list_is_refused(library: Library, edit: Edit) -> None:
    inner = {"type": "array", "items": {"type": "record", "name": "Deep", "fields": [added("x", "int")]}}

    def nest(definition: dict[str, Any]) -> None:
        field(definition, "legs")["type"]["items"]["fields"].append(added("deep", inner, default=[]))

    edit("BetPlaced", nest)

    assert any("BetPlaced.legs[].deep is a list inside a list" in line for line in check(library))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda d: field(d, "stake").update(minimum=2), "BetPlaced.stake minimum was 1, is 2"),
        (lambda d: field(d, "stake").update(maximum=10), "BetPlaced.stake maximum was 1000000000000, is 10"),
        (lambda d: field(d, "channel").update(max_length=31), "BetPlaced.channel max_length was 32, is 31"),
        (lambda d: field(d, "kind")["values"].remove("system"), "BetPlaced.kind values no longer has system"),
        (lambda d: field(d, "stake").update(type="double"), "BetPlaced.stake was long, is double"),
        (lambda d: without(d, "bonus_id"), "BetPlaced.bonus_id was removed"),
        (
            lambda d: d["fields"].append(added("x", "int", minimum=0, maximum=9)),
            "BetPlaced.x is new and has no default",
        ),
    ],
)
def test_a_schema_that_breaks_with_a_release_is_refused(
    library: Library, edit: Edit, change: Any, finding: str
) -> None:
    edit("BetPlaced", change)

    (line,) = check(library)

    assert finding in line
    assert line.endswith("(breaks with version 1)")
    with pytest.raises(CommandError):
        release(library, "--record", "BetPlaced")
    assert len(library.releases("BetPlaced")) == 1


def test_a_break_with_any_release_counts_not_only_the_newest(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda d: d["fields"].append(added("x", "int", minimum=0, maximum=9, default=0)))
    release(library)
    edit("BetPlaced", lambda d: field(d, "x").pop("default"))

    (line,) = check(library)

    assert "BetPlaced.x is new and has no default" in line
    assert "version 1" in line


def test_a_new_version_is_asked_for_and_then_released_with_an_example(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda d: d["fields"].append(added("x", "int", minimum=0, maximum=9, default=0)))
    (line,) = check(library)
    assert line.endswith(
        "BetPlaced.avsc: BetPlaced is not released yet; run `manage.py contracts release --record BetPlaced`"
    )

    told = release(library)

    assert told.startswith("BetPlaced version 2: ")
    assert check(library) == []
    first, second = library.releases("BetPlaced")
    assert (first.number, second.number) == (1, 2)
    assert second.schema_file.read_bytes() == library.files()["BetPlaced"].read_bytes()
    assert json.loads(second.readable_file.read_text("utf-8"))["x"] == 0
    assert release(library) == ""
    assert len(library.releases("BetPlaced")) == 2


def test_only_the_record_that_is_named_is_released(library: Library, edit: Edit) -> None:
    for record in ("BetPlaced", "BetSettled"):
        edit(record, lambda d: d["fields"].append(added("x", "int", minimum=0, maximum=9, default=0)))

    release(library, "--record", "BetSettled")

    assert [len(library.releases(record)) for record in ("BetPlaced", "BetSettled")] == [1, 2]


def test_a_record_that_does_not_exist_cannot_be_released(library: Library) -> None:
    with pytest.raises(CommandError, match="There is no record BetForgotten"):
        release(library, "--record", "BetForgotten")


def test_a_change_of_doc_alone_asks_for_a_revision(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda d: field(d, "stake").update(doc="Otherwise"))
    (line,) = check(library)
    assert 'raise the record\'s "revision"' in line
    with pytest.raises(CommandError):
        release(library)

    edit("BetPlaced", lambda d: d.update(revision=1))
    release(library)

    assert check(library) == []


def test_an_old_example_that_no_longer_decodes_is_found(library: Library) -> None:
    body = library.releases("BetPlaced")[0].body_file
    body.write_bytes(body.read_bytes()[:-1])

    (line,) = check(library)

    assert "BetPlaced/1.avro: BetPlaced no longer decodes with the newest schema" in line


def test_an_old_example_that_breaks_a_rule_is_found(library: Library) -> None:
    version = library.releases("BetPlaced")[0]
    event = example(version.schema()) | {"stake": 0}
    version.body_file.write_bytes(encode_as(version.schema(), event))
    version.readable_file.write_text(json.dumps(readable(event)), "utf-8")

    (line,) = check(library)

    assert "no longer passes the rules of the newest schema: stake is 0; it must be at least 1" in line


def test_an_example_that_says_something_else_than_its_text_is_found(library: Library) -> None:
    version = library.releases("BetPlaced")[0]
    event = example(version.schema()) | {"stake": 999}
    version.body_file.write_bytes(encode_as(version.schema(), event))

    (line,) = check(library)

    assert "says something else than 1.json" in line


@pytest.mark.parametrize("suffix", [".avro", ".json"])
def test_a_missing_example_is_found(library: Library, suffix: str) -> None:
    library.releases("BetPlaced")[0].schema_file.with_suffix(suffix).unlink()

    (line,) = check(library)

    assert "is missing" in line


def test_a_missing_version_is_found(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda d: d["fields"].append(added("x", "int", minimum=0, maximum=9, default=0)))
    release(library)
    library.releases("BetPlaced")[0].schema_file.unlink()

    assert any("is where version 1 should be" in line for line in check(library))


def test_a_released_record_cannot_disappear(library: Library) -> None:
    library.files()["BetPlaced"].unlink()

    (line,) = check(library)

    assert line.endswith("BetPlaced was released and is gone; bring the file back: contracts only grow")


def test_a_file_that_is_no_json_is_one_line(library: Library) -> None:
    library.files()["BetPlaced"].write_text("{", "utf-8")

    (line,) = check(library)

    assert "BetPlaced is no JSON" in line


def test_a_record_is_named_as_its_file_and_stands_under_a_topic(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda d: d.update(name="BetPut", namespace="other"))
    stray = library.root / "schemas" / "bets" / "BetCounted.avsc"
    stray.parent.mkdir()
    stray.write_text(json.dumps(copy.deepcopy(LIBRARY.schema("BetPlaced")) | {"name": "BetCounted"}), "utf-8")

    lines = check(library)

    assert any("is named BetPut; name the record as its file" in line for line in lines)
    assert any('write "namespace": "pitboss"' in line for line in lines)
    assert any("is of the topic bets; add the topic to catalogue.py" in line for line in lines)
