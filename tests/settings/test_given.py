"""A value of the environment is understood or refused: nothing is read out of what was meant otherwise."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from backoffice.settings import given

NAME = "STREAM_STALL_SECONDS"


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    monkeypatch.setenv(NAME, request.param)
    return str(request.param)


@pytest.mark.parametrize(
    ("put", "value"),
    [
        ("60", 60.0),
        ("0.5", 0.5),
        (" 7 ", 7.0),
        ("1", 1.0),
        ("0.25", 0.25),
        ("100", 100.0),
        ("99.999999999", 99.999999999),
    ],
    indirect=["put"],
)
@pytest.mark.usefixtures("put")
def test_a_plain_number_is_read(value: float) -> None:
    assert given.number(NAME, 5.0, least=0.25, most=100) == value


@pytest.mark.parametrize(
    "put",
    ["5m", "5min", "12h", "1e3", "500ms", "", " ", "nan", "inf", "-inf", "abc", "1_000", "1,5", "0x10", "٣", "1.", ".5",
     "--1", "+1", "1" * 16],
    indirect=True,
)  # fmt: skip
def test_what_is_no_plain_number_is_refused_in_a_sentence(put: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        given.number(NAME, 5.0, least=-1e18, most=1e18)

    assert str(refused.value) == f"{NAME}: {put!r} is not a plain number such as 300 or 0.5. Write one without a unit."


@pytest.mark.parametrize("put", ["0", "-1", "0.9", "100.5", "101"], indirect=True)
def test_what_is_out_of_bounds_is_refused_with_them(put: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        given.number(NAME, 5.0, least=1, most=100)

    assert str(refused.value) == f"{NAME}: {put} is out of bounds. Write a number from 1 to 100."


@pytest.mark.parametrize("put", ["1.5"], indirect=True)
@pytest.mark.usefixtures("put")
def test_a_fraction_of_a_whole_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"1\.5 is not whole"):
        given.whole(NAME, 5, least=1, most=100)


@pytest.mark.parametrize("put", ["7", "7.0"], indirect=True)
@pytest.mark.usefixtures("put")
def test_a_whole_is_whole() -> None:
    value = given.whole(NAME, 5, least=1, most=100)

    assert (value, type(value)) == (7, int)


def test_what_is_not_given_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)

    assert given.number(NAME, 0.5, least=1, most=2) == 0.5
    assert given.whole(NAME, 5, least=1, most=2) == 5
    assert given.flag(NAME, default=True) is True
    assert given.level(NAME, "INFO") == "INFO"


@pytest.mark.parametrize(
    ("put", "value"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("off ", False),
    ],
    indirect=["put"],
)
@pytest.mark.usefixtures("put")
def test_yes_and_no(value: bool) -> None:
    assert given.flag(NAME, default=not value) is value


@pytest.mark.parametrize("put", ["treu", "2", ""], indirect=True)
@pytest.mark.usefixtures("put")
def test_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="neither yes nor no"):
        given.flag(NAME, default=False)


@pytest.mark.parametrize(("put", "value"), [("debug", "DEBUG"), ("WARNING", "WARNING")], indirect=["put"])
@pytest.mark.usefixtures("put")
def test_a_level_of_logging(value: str) -> None:
    assert given.level(NAME, "INFO") == value


@pytest.mark.parametrize("put", ["loud", "10", ""], indirect=True)
@pytest.mark.usefixtures("put")
def test_another_level_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="is no level"):
        given.level(NAME, "INFO")
