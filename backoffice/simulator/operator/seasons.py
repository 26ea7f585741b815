"""How busy an hour is: by hour of the day, day of the week, and whether wages have come in."""

from functools import cache

import numpy as np

from backoffice.kernel.clock import at_microseconds
from backoffice.simulator.durations import DAY, HOUR
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Floats, Ints
from backoffice.simulator.operator.people import COUNTRY_NAMES

_WEEK = 7 * 24
# 1 January 1970 was a Thursday; hours are counted from a Monday.
_MONDAY = 3 * 24


def visits(country: Ints, shift: Floats, at: Ints) -> Floats:
    """By how much visits at these moments are more than in a mean hour; ``shift`` are hours that a player is late."""
    hour = at // HOUR + _MONDAY + _ahead()[country] - np.round(shift).astype(np.int64)
    days, place = np.unique(at // DAY, return_inverse=True)
    of_day = np.array([rates.PAY_DAY_VISITS if is_pay_day(day * DAY) else 1.0 for day in days.tolist()])
    return np.asarray(_week()[hour % _WEEK] * of_day[place])


def is_pay_day(at: int) -> bool:
    return _day_of_month(at // DAY) in rates.PAY_DAYS


@cache
def _day_of_month(day: int) -> int:
    return at_microseconds(day * DAY).day


@cache
def _week() -> Floats:
    """One factor for each hour from Monday midnight on; their mean is 1."""
    hours = [rates.WEEKEND_HOURS if day > 4 else rates.HOURS for day in range(7)]
    factors = np.array([np.array(day) / sum(day) * rates.WEEKDAYS[number] for number, day in enumerate(hours)])
    return np.asarray((factors / factors.mean()).ravel())


@cache
def _ahead() -> Ints:
    return np.array([rates.HOURS_AHEAD[country] for country in COUNTRY_NAMES])
