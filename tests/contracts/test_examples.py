from datetime import UTC, datetime
from typing import Any

import pytest

from backoffice.contracts.codec import decode, encode
from backoffice.contracts.columns import decode_bodies
from backoffice.contracts.definitions import LIBRARY, schema, schema_text
from backoffice.contracts.examples import example
from backoffice.contracts.rules import checked

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("record", LIBRARY.files())
def test_the_column_decoder_reads_every_record(record: str) -> None:
    event = example(schema(record))
    body = encode(record, event)

    (decoded,) = decode_bodies([body], schema_text(record)).to_pylist()

    assert _aware(decoded) == event == decode(body, schema(record))


@pytest.mark.parametrize("record", LIBRARY.files())
def test_an_example_passes_the_rules_of_its_schema(record: str) -> None:
    body = encode(record, example(schema(record)))

    _, faults = checked(decode_bodies([body], schema_text(record)), schema(record), NOW)

    assert faults == {}


@pytest.mark.parametrize("record", LIBRARY.files())
def test_every_record_can_do_without_its_optional_fields(record: str) -> None:
    event = {name: value for name, value in example(schema(record)).items() if not _is_optional(record, name)}
    body = encode(record, event)

    table, faults = checked(decode_bodies([body, body], schema_text(record)), schema(record), NOW)

    assert faults == {}
    assert table.num_rows == 2


def _is_optional(record: str, name: str) -> bool:
    return any(field["name"] == name and "default" in field for field in schema(record)["fields"])


def _aware(value: Any) -> Any:
    """Arrow's times carry no zone; the contracts say UTC."""
    if isinstance(value, dict):
        return {name: _aware(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_aware(part) for part in value]
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
