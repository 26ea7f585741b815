"""Payment providers as data: how often they say yes, how long they take, and why they say no."""

from dataclasses import dataclass

import numpy as np

from backoffice.simulator.durations import HOUR, SECOND
from backoffice.simulator.operator.arrays import Floats, Ints, shares
from backoffice.simulator.operator.people import PROVIDER_NAMES


@dataclass(frozen=True)
class Provider:
    """``accepts``: share of deposits that arrive; ``seconds``: median time of one; ``payout_hours`` of a withdrawal."""

    name: str
    accepts: float
    seconds: float
    payout_hours: float


PROVIDERS = (
    Provider("clearpay", 0.91, 5.0, 16.0),
    Provider("acquira", 0.84, 8.0, 26.0),
    Provider("instabank", 0.95, 14.0, 9.0),
    Provider("purse", 0.97, 3.0, 3.0),
    Provider("paystub", 0.93, 4.0, 30.0),
)
assert tuple(provider.name for provider in PROVIDERS) == PROVIDER_NAMES

ACCEPTS = np.array([provider.accepts for provider in PROVIDERS])
SECONDS = np.array([provider.seconds for provider in PROVIDERS])
PAYOUT_HOURS = np.array([provider.payout_hours for provider in PROVIDERS])
DEPOSIT_DECLINES = ("insufficient funds", "do not honour", "expired card", "limit reached", "provider not available")
DEPOSIT_DECLINE_SHARES = shares((58, 22, 11, 9))
NOT_AVAILABLE = 4
WITHDRAWAL_DECLINES = ("documents missing", "name does not match", "source of funds open")
WITHDRAWAL_DECLINE_SHARES = shares((62, 21, 17))
WITHDRAWALS_DECLINED = 0.06
WITHDRAWALS_REVERSED = 0.05
WITHDRAWALS_REVERSED_IN_HARM = 0.5


def decision_times(method: Ints, factor: Floats) -> Ints:
    """Microseconds that deposits take; ``factor`` spreads them."""
    return (SECONDS[method] * factor * SECOND).astype(np.int64)


def payout_times(method: Ints, factor: Floats) -> Ints:
    return (PAYOUT_HOURS[method] * factor * HOUR).astype(np.int64)
