"""What the projections declare, held against the contracts they read and the models they fill."""

from collections import defaultdict
from functools import cache

import pyarrow as pa
import pytest
from django.apps import apps
from django.db.models import Field, Model

from backoffice.contracts.catalogue import TOPICS
from backoffice.metrics.windows import count_events
from backoffice.streams.store.projection import EVENT_LOG, STREAMS, Effect, Projection, Stream
from backoffice.streams.store.rows import project
from tests.streams.arriving import RECORDS, arrived

# Limits and rates, dated, that a person enters.
SET_BY_PEOPLE = {"trading_feedlimit", "trading_offerretention"}
# How far the windows are rolled up.
KEPT_BY_TASKS = {"metrics_rolled"}
# What the platform decides.
DECIDED = {"trading_providersuspension"}
FILLED_BY_PROJECTIONS = ("players", "wallet", "trading", "compliance", "metrics")
_KINDS = {
    "UUIDField": pa.binary(16),
    "TextField": pa.string(),
    "BooleanField": pa.bool_(),
    "DateField": pa.date32(),
    "DateTimeField": pa.timestamp("us", "UTC"),
    "SmallIntegerField": pa.int16(),
    "IntegerField": pa.int32(),
    "BigIntegerField": pa.int64(),
}
DECLARED = [
    pytest.param(stream, projection, id=f"{stream.name}-{projection.record}-{projection.table}-{number}")
    for stream in STREAMS.values()
    for record in sorted(stream.records())
    for number, projection in enumerate(stream.of(record))
]


@cache
def models() -> dict[str, type[Model]]:
    return {model._meta.db_table: model for model in apps.get_models()}


def columns_of(table: str) -> list["Field[object, object]"]:
    """Those that a projection may fill; identity columns fill themselves."""
    return [field for field in models()[table]._meta.concrete_fields if field.column and not _is_identity(field)]


def _is_identity(field: "Field[object, object]") -> bool:
    return field.get_internal_type() == "BigAutoField"


@cache
def shape(table: str) -> pa.Schema:
    return pa.schema([(field.column, _kind(field)) for field in columns_of(table)])


def _kind(field: "Field[object, object]") -> pa.DataType:
    if field.get_internal_type() == "ArrayField":
        return pa.list_(_kind(field.base_field))  # type: ignore[attr-defined]
    return _KINDS[field.get_internal_type()]


def test_every_record_of_the_catalogue_is_projected() -> None:
    projected = {record for stream in STREAMS.values() for record in stream.records()}

    assert projected == set(RECORDS)


def test_every_table_of_an_app_is_filled() -> None:
    owned = {model._meta.db_table for name in FILLED_BY_PROJECTIONS for model in apps.get_app_config(name).get_models()}

    filled = {projection.table for stream in STREAMS.values() for projection in stream.projections}

    assert owned - SET_BY_PEOPLE - KEPT_BY_TASKS - DECIDED == filled


def test_every_topic_is_read() -> None:
    assert {topic for stream in STREAMS.values() for topic in stream.topics()} == set(TOPICS)


def test_a_record_has_one_fact_unless_it_is_not_logged() -> None:
    told = [(stream, record) for stream in STREAMS.values() for record in stream.records()]

    assert {record for _, record in told} == {record for topic in TOPICS.values() for record in topic.records}
    for stream, record in told:
        facts = [projection for projection in stream.of(record) if projection.fact]
        assert len(facts) == (record not in stream.unlogged), record
        assert stream.of(record)[: len(facts)] == facts


@pytest.mark.parametrize(("stream", "projection"), DECLARED)
def test_a_projection_gives_rows_of_its_table(stream: Stream, projection: Projection) -> None:
    """Every column is one of the table, in a type that fits; what the table demands is there; the key is whole."""
    events = {projection.record: arrived(projection.record)}
    shapes = {projection.table: shape(projection.table), EVENT_LOG: shape(EVENT_LOG)}

    found = [rows for rows in project(events, stream, shapes, only=projection.table) if rows.data.num_rows]

    names = [set(rows.data.column_names) for rows in found]
    demanded = {field.column for field in columns_of(projection.table) if not field.null and not _fills_itself(field)}
    assert all(demanded <= columns for columns in names)
    assert any({*projection.key, *projection.by} <= columns for columns in names)
    for rows in found:
        for name in demanded:
            assert rows.data[name].null_count == 0, name


def _fills_itself(field: "Field[object, object]") -> bool:
    return field.has_default() or field.has_db_default()


@pytest.mark.parametrize(("stream", "projection"), DECLARED)
def test_the_key_is_unique_in_the_table(stream: Stream, projection: Projection) -> None:
    """Merging needs a unique key to meet; and two facts with one key have to meet too."""
    meta = models()[projection.table]._meta
    unique = [[field.column for field in meta.pk_fields], *map(list, (c.fields for c in meta.total_unique_constraints))]

    assert [*projection.key] in unique


def test_a_table_is_filled_in_ways_that_agree() -> None:
    """Appending beside merging would let the merge take an append for its own."""
    effects: dict[str, set[Effect]] = defaultdict(set)
    for stream in STREAMS.values():
        for projection in stream.projections:
            effects[projection.table].add(projection.effect)

    assert len(effects) > len(TOPICS)
    assert all(len(found) == 1 for found in effects.values()), effects


def test_a_column_belongs_to_one_standing() -> None:
    """Set under two of them, an old message of one kind would undo what a later one of another kind said."""
    standings: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for stream in STREAMS.values():
        for p in stream.projections:
            if p.effect is Effect.NEWEST:
                for column in set(p.columns(arrived(p.record)).column_names) - {*p.key}:
                    standings[p.table, column].add(p.by)

    assert standings
    assert {place: found for place, found in standings.items() if len(found) > 1} == {}


def test_a_fact_is_never_merged() -> None:
    with pytest.raises(ValueError, match="appended"):
        Stream("trial").project("BetPlaced", into="trading_bet", key="id", once=True, fact=True)


def test_a_row_has_one_way_to_change() -> None:
    with pytest.raises(ValueError, match="exclude one another"):
        Stream("trial").project("BetPlaced", into="trading_bet", key="id", once=True, adding=("stake",))


def test_no_event_is_counted_by_two_streams() -> None:
    before = list(STREAMS["trading"].projections)

    with pytest.raises(ValueError, match="BetPlaced is counted by the stream trading already"):
        count_events(Stream("trial"), ["BetPlaced"])

    assert STREAMS["trading"].projections == before


@pytest.fixture(autouse=True)
def only_real_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream enters itself into the registry when it is made."""
    monkeypatch.setattr("backoffice.streams.store.projection.STREAMS", dict(STREAMS))
