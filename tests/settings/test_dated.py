"""A value of the settings that holds from a moment on is followed by another one."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from backoffice.settings.dated import EVER, dated_minutes

MINUTE = timedelta(minutes=1)


def test_one_value_holds_for_ever() -> None:
    assert dated_minutes("X", "15") == ((EVER, 15 * MINUTE),)


def test_each_value_holds_from_its_moment_on() -> None:
    found = dated_minutes("X", " 15;7.5 from 2026-12-01T00:00Z ; 20 from 2027-01-01T01:00+01:00")

    assert found == (
        (EVER, 15 * MINUTE),
        (datetime(2026, 12, 1, tzinfo=UTC), 7.5 * MINUTE),
        (datetime(2027, 1, 1, tzinfo=UTC), 20 * MINUTE),
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "much", "-1", "nan", "1e400", "15;", "15; 7", "7 from 2026-12-01T00:00Z", "15; 7 from 2026-12-01T00:00",
        "15; 7 from tomorrow", "15; 7 from 2026-12-02T00:00Z; 8 from 2026-12-01T00:00Z",
        "15; 7 from 2026-12-02T00:00Z; 8 from 2026-12-02T00:00Z",
    ],
)  # fmt: skip
def test_what_says_no_moment_or_none_that_follows_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"X: .* Write the first value without a moment"):
        dated_minutes("X", text)
