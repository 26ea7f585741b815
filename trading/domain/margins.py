"""Put a margin on fair chances and take it off again, by five methods; each pair inverts exactly.

For one market with one winner: fair chances sum to 1, implied chances (1 / odds) to 1 + margin.

Source: Clarke, Kovalchik, Ingram (2017), Adjusting bookmaker's odds to allow for overround; Shin (1993) for the last.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Chances = NDArray[np.float64]
Method = Literal["multiplicative", "additive", "power", "odds_ratio", "shin"]

_HALVINGS = 200
_SLACK = 1e-9


def apply_margin(method: Method, fair: Chances, margin: float) -> Chances:
    """Implied chances with this margin on them.

    Raises:
        ValueError: the chances are no fair market, or the method has no prices for this margin.
    """
    if margin < 0 or fair.min() <= 0 or abs(fair.sum() - 1) > _SLACK:
        raise ValueError("fair chances are positive and sum to 1, and the margin is not negative; no price is made")
    implied = _APPLY[method](fair, margin)
    if implied.max() >= 1:
        raise ValueError(f"a margin of {margin:.4f} leaves an outcome no odds above 1.00; take less, or another method")
    return implied


def remove_margin(method: Method, implied: Chances) -> Chances:
    """Fair chances behind implied ones.

    Raises:
        ValueError: the implied chances sum to less than 1, or the method leaves an outcome without a chance.
    """
    if implied.min() <= 0 or implied.max() >= 1 or implied.sum() < 1 - _SLACK:
        raise ValueError("implied chances lie between 0 and 1 and sum to 1 or more; the prices are not used")
    fair = _REMOVE[method](implied)
    if fair.min() <= 0:
        raise ValueError(f"{method} leaves a long shot no chance at all; use power or odds_ratio for this market")
    return fair


def _multiplicative_on(fair: Chances, margin: float) -> Chances:
    implied: Chances = fair * (1 + margin)
    return implied


def _multiplicative_off(implied: Chances) -> Chances:
    fair: Chances = implied / implied.sum()
    return fair


def _additive_on(fair: Chances, margin: float) -> Chances:
    return fair + margin / fair.size


def _additive_off(implied: Chances) -> Chances:
    fair: Chances = implied - (implied.sum() - 1) / implied.size
    return fair


def _power_on(fair: Chances, margin: float) -> Chances:
    exponent = _root(lambda x: (fair ** (1 - x)).sum() - 1 - margin, 0.0, 1.0)
    return fair ** (1 - exponent)


def _power_off(implied: Chances) -> Chances:
    # From here on even the largest of the n terms is at most 1 / n.
    enough = 1 - np.log(implied.size) / np.log(implied.max())
    exponent = _root(lambda k: 1 - (implied**k).sum(), 1.0, enough)
    return implied**exponent


def _odds_ratio_on(fair: Chances, margin: float) -> Chances:
    log_ratio = _root(lambda x: _odds_times(fair, np.exp(x)).sum() - 1 - margin, 0.0, 60.0)
    return _odds_times(fair, np.exp(log_ratio))


def _odds_ratio_off(implied: Chances) -> Chances:
    log_ratio = _root(lambda x: 1 - _odds_times(implied, np.exp(-x)).sum(), 0.0, 60.0)
    return _odds_times(implied, np.exp(-log_ratio))


def _odds_times(chances: Chances, ratio: float) -> Chances:
    """The chances whose odds in favour are ``ratio`` times as good."""
    other: Chances = ratio * chances / (1 - chances + ratio * chances)
    return other


def _shin_on(fair: Chances, margin: float) -> Chances:
    def implied(insiders: float) -> Chances:
        roots = np.sqrt(insiders * fair + (1 - insiders) * fair**2)
        with_margin: Chances = roots * roots.sum()
        return with_margin

    return implied(_root(lambda z: implied(z).sum() - 1 - margin, 0.0, 1.0))


def _shin_off(implied: Chances) -> Chances:
    whole = implied.sum()

    def fair(insiders: float) -> Chances:
        roots = np.sqrt(insiders**2 + 4 * (1 - insiders) * implied**2 / whole)
        without: Chances = (roots - insiders) / (2 * (1 - insiders))
        return without

    return fair(_root(lambda z: 1 - fair(z).sum(), 0.0, 1 - 1e-9))


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero between two bounds, by bisection to the last bit.

    Raises:
        ValueError: it does not cross between them.
    """
    if rising(high) < 0:
        raise ValueError("no strength of the method reaches this margin; take less, or another method")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high


_APPLY: dict[Method, Callable[[Chances, float], Chances]] = {
    "multiplicative": _multiplicative_on,
    "additive": _additive_on,
    "power": _power_on,
    "odds_ratio": _odds_ratio_on,
    "shin": _shin_on,
}
_REMOVE: dict[Method, Callable[[Chances], Chances]] = {
    "multiplicative": _multiplicative_off,
    "additive": _additive_off,
    "power": _power_off,
    "odds_ratio": _odds_ratio_off,
    "shin": _shin_off,
}
