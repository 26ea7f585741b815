"""What the operator turns over, as it is shown: deposits, revenue, the mean stake."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from backoffice.kernel.money import MINOR_DIGITS, Money
from backoffice.live.board import Rows
from backoffice.live.keys import key_of
from backoffice.metrics.figures import Column, Figure, Line, attempts_row, register, share
from backoffice.metrics.selectors import Amount, Attempts

from .selectors import ggr_by_vertical, payment_success, stakes

PLAYED = ("bet-events", "game-rounds")
# Of so many amounts there is room on one line: the largest.
MOST_ON_A_LINE = 4

Revenue = Mapping[tuple[str, str], int]
Stakes = Mapping[tuple[str, str], Amount]


def register_figures() -> None:
    register(
        Figure(
            "payments",
            made_of=("wallet-transactions",),
            read=payment_success,
            rows=_payment_rows,
            document=lambda found: {provider: asdict(outcomes) for provider, outcomes in sorted(found.items())},
            line=Line("Deposits, 1 h", _by_provider),
        ),
        Figure(
            "ggr",
            made_of=PLAYED,
            read=ggr_by_vertical,
            rows=_revenue_rows,
            document=_revenue_document,
            column=Column("GGR in whole units", "GGR", _revenue_cells),
            brief=_largest_revenue,
        ),
        Figure(
            "stakes",
            made_of=PLAYED,
            read=stakes,
            rows=_stake_rows,
            document=_stake_document,
            column=Column("mean stake", "stake", _mean_cells),
        ),
    )


def _payment_rows(found: Mapping[str, Attempts]) -> Rows:
    return {key_of("payments", provider): attempts_row(outcomes) for provider, outcomes in found.items()}


def _by_provider(found: Mapping[str, Attempts]) -> str:
    return ", ".join(f"{name} {share(found[name])}" for name in sorted(found)) or "none"


def _revenue_rows(revenue: Revenue) -> Rows:
    return {key_of("ggr", vertical, currency): {"amount": amount} for (vertical, currency), amount in revenue.items()}


def _revenue_document(revenue: Revenue) -> list[dict[str, Any]]:
    return [{"vertical": v, "currency": c, "amount": amount} for (v, c), amount in sorted(revenue.items())]


def _revenue_cells(revenue: Revenue) -> dict[tuple[str, str], str]:
    return {(vertical, currency): _units(amount, currency) for (vertical, currency), amount in revenue.items()}


def _units(amount: int, currency: str) -> str:
    """Whole units of the currency, halves away from zero."""
    unit = 10 ** MINOR_DIGITS[currency]
    whole = (2 * abs(amount) + unit) // (2 * unit)
    return f"−{whole:,}" if amount < 0 and whole else f"{whole:,}"


def _largest_revenue(revenue: Revenue) -> str:
    largest = sorted(revenue.items(), key=lambda item: -abs(item[1]))[:MOST_ON_A_LINE]
    shown = "  ".join(f"{vertical} {Money(amount, currency)}" for (vertical, currency), amount in largest)
    return f"GGR 1 h: {shown or 'none yet'}"


def _stake_rows(staked: Stakes) -> Rows:
    return {
        key_of("stake", vertical, currency): {"mean": amount.mean, "count": amount.count, "amount": amount.amount}
        for (vertical, currency), amount in staked.items()
        if amount.count
    }


def _stake_document(staked: Stakes) -> list[dict[str, Any]]:
    return [{"vertical": v, "currency": c, "mean": s.mean, **asdict(s)} for (v, c), s in sorted(staked.items())]


def _mean_cells(staked: Stakes) -> dict[tuple[str, str], str]:
    means = {place: (amount.mean, MINOR_DIGITS[place[1]]) for place, amount in staked.items()}
    return {place: f"{mean / 10**digits:,.{digits}f}" for place, (mean, digits) in means.items() if mean is not None}
