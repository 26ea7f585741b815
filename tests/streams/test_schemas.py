"""What is kept of the registry in Postgres: asked for when it is away, never replaced, forgotten on request."""

from io import StringIO
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from backoffice.contracts.address import address
from backoffice.contracts.definitions import schema, schema_text
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Poison
from backoffice.streams.schemas import KnownSchemas, forget, our_registry
from tests.spine import Spine


@pytest.fixture
def registry(database: str) -> str:
    return f"http://{uuid4().hex}:8081"


def test_an_answer_is_kept_once_with_all_its_subjects(registry: str) -> None:
    known = KnownSchemas()

    assert known.keep(registry, 7, "a", None) == "a"
    assert known.keep(registry, 7, "a", "one") == "a"
    assert known.keep(registry, 7, "a", "two") == "a"
    assert known.keep(registry, 7, "b", "three") == "a"

    assert known.schema(registry, 7) == "a"
    assert known.schema(registry, 8) is None
    assert known.schema("http://elsewhere", 7) is None
    assert [known.schema_id(registry, subject, "a") for subject in ("one", "two", "three")] == [7, 7, None]
    assert known.schema_id(registry, "one", "b") is None


def test_what_the_registry_said_is_kept_until_it_is_forgotten(spine: Spine) -> None:
    registry = our_registry()
    schema_id = registry.register("BetPlaced")
    registry.writer(schema_id)
    rows = spine.rows("SELECT schema_id, schema, subjects FROM streams_known_schema")
    assert rows == [(schema_id, schema_text("BetPlaced"), [registry.subject("BetPlaced")])]

    with_another = schema_text("BetSettled")
    spine.rows("UPDATE streams_known_schema SET schema = %s RETURNING 1", with_another)
    with pytest.raises(Poison, match="made anew"):
        our_registry().writer(schema_id)

    said = StringIO()
    with pytest.raises(CommandError, match="differences"):  # The spine's topics have fewer partitions.
        call_command("topics", forget_schemas=True, stdout=said)
    assert "forgot 1 schemas of this registry" in said.getvalue()
    assert our_registry().writer(schema_id).schema == schema("BetPlaced")
    assert forget() == 1
    assert forget() == 0


def test_whoever_looks_at_the_topics_learns_the_schemas_that_are_registered(spine: Spine) -> None:
    registry, records = Registry(settings.SCHEMA_REGISTRY_URL, spine.prefix), ["BetPlaced", "BetSettled"]
    registry.ensure(records)

    with pytest.raises(CommandError, match="differences"):
        call_command("topics", stdout=StringIO())

    name = address(settings.SCHEMA_REGISTRY_URL).name
    known = [KnownSchemas().schema(name, registry.register(record)) for record in records]
    assert known == [schema_text(record) for record in records]
