from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel.money import CURRENCIES, MINOR_DIGITS, Money

amounts = st.integers(-(10**15), 10**15)


@given(amounts, amounts)
def test_sums_are_sums_of_minor_units(one: int, other: int) -> None:
    assert Money(one, "EUR") + Money(other, "EUR") == Money(one + other, "EUR")
    assert Money(one, "EUR") - Money(other, "EUR") == Money(one - other, "EUR")
    assert -Money(one, "EUR") == Money(-one, "EUR")


@pytest.mark.parametrize("sign", [1, -1])
def test_two_currencies_never_meet_in_one_sum(sign: int) -> None:
    with pytest.raises(ValueError, match="EUR and SEK cannot be added"):
        Money(1, "EUR") + Money(sign, "SEK")
    with pytest.raises(ValueError, match="EUR and SEK cannot be added"):
        Money(1, "EUR") - Money(sign, "SEK")


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "BTC", "DEM"])
def test_only_active_codes_are_currencies(code: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 4217"):
        Money(1, code)


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        (Money(123_456_789, "EUR"), "1,234,567.89 EUR"),
        (Money(-5, "EUR"), "−0.05 EUR"),
        (Money(0, "GBP"), "0.00 GBP"),
        (Money(1_234, "JPY"), "1,234 JPY"),
        (Money(-1_234_567, "KWD"), "−1,234.567 KWD"),
    ],
)
def test_is_shown_with_the_digits_of_its_currency(money: Money, shown: str) -> None:
    assert str(money) == shown


def test_amounts_of_two_currencies_have_no_order() -> None:
    with pytest.raises(TypeError):
        sorted([Money(2, "EUR"), Money(1, "SEK")])  # type: ignore[type-var]


def test_every_currency_has_a_three_letter_code_and_its_digits() -> None:
    assert MINOR_DIGITS.keys() == CURRENCIES
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
    assert {MINOR_DIGITS[code] for code in ("EUR", "JPY", "KWD", "CLF")} == {2, 0, 3, 4}


def test_a_code_that_once_was_valid_stays_valid_as_it_was() -> None:
    """What is stored in it is read again by rebuilds and reconciliation. New codes are added to the list as well."""
    lines = Path(__file__).with_name("released_currencies.txt").read_text("utf-8").splitlines()

    assert {code: int(digits) for code, digits in map(str.split, lines)} == MINOR_DIGITS
