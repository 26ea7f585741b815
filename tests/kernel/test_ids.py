import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel.ids import derived_id, derived_mask, derived_uuid7, uuid7, uuid7_floor, uuid7_time

moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
names = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@given(moments, st.integers(0, 2**32))
def test_is_a_version_7_id_that_carries_its_time(at: datetime, seed: int) -> None:
    value = uuid7(random.Random(seed), at)

    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert timedelta(0) <= at - uuid7_time(value) < timedelta(milliseconds=1)


@given(moments, moments, st.integers(0, 2**32))
def test_sorts_by_time(one: datetime, other: datetime, seed: int) -> None:
    rng = random.Random(seed)
    earlier, later = sorted((one, other))
    if later - earlier < timedelta(milliseconds=1):
        return

    assert uuid7(rng, earlier) < uuid7(rng, later)
    assert uuid7(rng, earlier) < uuid7_floor(later) <= uuid7(rng, later)


@given(moments, names)
def test_a_derived_one_is_of_version_7_and_follows_from_time_and_names(
    at: datetime, given_names: tuple[str, ...]
) -> None:
    value = derived_uuid7(at, *given_names)

    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert timedelta(0) <= at - uuid7_time(value) < timedelta(milliseconds=1)
    assert value == derived_uuid7(at, *given_names) != derived_uuid7(at, *given_names, "another")


def test_follows_from_its_seed() -> None:
    at = datetime(2026, 1, 15, tzinfo=UTC)

    assert uuid7(random.Random(7), at) == uuid7(random.Random(7), at) != uuid7(random.Random(8), at)


def test_a_thousand_of_one_moment_are_distinct() -> None:
    rng, at = random.Random(1), datetime(2026, 1, 15, tzinfo=UTC)

    assert len({uuid7(rng, at) for _ in range(1_000)}) == 1_000


@given(names, names)
def test_what_is_derived_follows_from_all_the_names(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    separated = "\x1f" not in "".join((*one, *other))

    assert derived_id(*one) == derived_id(*one)
    assert derived_id(*one).bytes == derived_mask(*one)
    # No name at all and one empty name are the one pair that is the same.
    if separated and [*one] != [*other] and {one, other} != {(), ("",)}:
        assert derived_id(*one) != derived_id(*other)


def test_derived_ids_stay_as_they_are() -> None:
    """They stand in tables: another way to derive them would lose every account."""
    assert derived_id("revenue", "slots", "EUR") == UUID("95654b2e-b1fa-e05a-c70f-5a61a784476e")
