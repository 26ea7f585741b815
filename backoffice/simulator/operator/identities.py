"""Who a made-up player is: what is given at registration. Nobody of these people exists."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from backoffice.simulator.brands import (
    AFFILIATES,
    CHANNELS,
    COUNTRIES,
    FIRST_NAMES,
    LAST_NAMES,
    MAIL_DOMAINS,
    STREETS,
)
from backoffice.simulator.durations import DAY
from backoffice.simulator.operator.arrays import Floats, Ints, Rows
from backoffice.simulator.operator.chance import Chance
from backoffice.simulator.operator.columns import Column, Words
from backoffice.simulator.operator.people import COUNTRY_NAMES

_LANGUAGES = tuple(country.language for country in COUNTRIES.values())
_DIALLING = tuple(country.dialling_code for country in COUNTRIES.values())
_CITIES = tuple(country.cities for country in COUNTRIES.values())
_BY_AFFILIATE, _CONSENTING = 0.3, 0.6
_YOUNGEST, _AGES = 18, 55


def identity(chance: Chance, players: Rows, who: Ints, at: Ints) -> dict[str, Column]:
    """The fields of PlayerRegistered for these players, registered at these moments."""
    key, country = players["key"][who], players["country"][who].astype(np.int64)
    birth = _birth_days(at, chance.uniform("age", key, at))
    draws = chance.bits("contact", key, at).tolist()
    places = list(zip(country.tolist(), draws, strict=True))

    def one_of(what: str, words: tuple[str, ...]) -> Words:
        return Words((chance.uniform(what, key, at) * len(words)).astype(np.int64), words)

    return {
        "country": Words(country, COUNTRY_NAMES),
        "birth_year_band": _bands(birth),
        "channel": Words(players["channel"][who].astype(np.int64), CHANNELS),
        "language": Words(country, _LANGUAGES),
        "affiliate": _affiliates(chance.uniform("affiliate", key, at)),
        "marketing_consent": chance.uniform("consent", key, at) < _CONSENTING,
        "email": _texts(f"player.{draw >> 24:010x}@{MAIL_DOMAINS[draw % len(MAIL_DOMAINS)]}" for draw in draws),
        "phone": _texts(f"{_DIALLING[place]}555{draw % 10**6:06d}" for place, draw in places),
        "first_name": one_of("first name", FIRST_NAMES),
        "last_name": one_of("last name", LAST_NAMES),
        "birth_date": pa.array(birth.astype(np.int32)).cast(pa.date32()),
        "street": _texts(f"{1 + (draw >> 8) % 199} {STREETS[draw % len(STREETS)]}" for draw in draws),
        "city": _texts(_CITIES[place][(draw >> 9) % len(_CITIES[place])] for place, draw in places),
        "postcode": _texts(f"{10_000 + (draw >> 11) % 90_000}" for draw in draws),
    }


def _birth_days(at: Ints, draws: Floats) -> Ints:
    """Days since 1970; of age by a leap day's margin, and rather young than old."""
    ages = (_YOUNGEST + draws**1.6 * _AGES) * 366
    return at // DAY - np.ceil(ages).astype(np.int64)


def _bands(birth: Ints) -> pa.Array:
    """Five years, such as 1985-1989."""
    years = birth.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return _texts(f"{year - year % 5}-{year - year % 5 + 4}" for year in years.tolist())


def _affiliates(draws: Floats) -> pa.Array:
    places = (draws / _BY_AFFILIATE * len(AFFILIATES)).astype(np.int64).tolist()
    return pa.array([AFFILIATES[place] if place < len(AFFILIATES) else None for place in places], pa.string())


def _texts(texts: Iterable[str]) -> pa.Array:
    return pa.array(list(texts), pa.string())
