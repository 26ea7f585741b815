"""How the operator's players behave, as data. Every figure here is invented, of the size that operators report.

Money is in euro cents; other currencies
follow by ``UNITS``.
"""

from math import exp

# Minor units of a currency for one euro cent, rounded: what 0.01 EUR costs there.
UNITS = {
    "EUR": 1.0, "GBP": 0.85, "SEK": 11.3, "NOK": 11.6, "DKK": 7.46, "CAD": 1.47, "NZD": 1.79, "JPY": 1.62,
}  # fmt: skip
# Hours that a country's clocks are ahead of UTC.
HOURS_AHEAD = {
    "MT": 1, "DE": 1, "FI": 2, "AT": 1, "IE": 0, "SE": 1, "GB": 0, "NO": 1, "CA": -4, "NZ": 12, "JP": 9, "DK": 1,
}  # fmt: skip

# How many come at each hour of their own day, Monday to Thursday; and on the other days.
HOURS = (
    30, 18, 11, 8, 7, 9, 15, 24, 34, 41, 46, 52, 60, 61, 60, 63, 71, 84, 98, 112, 120, 115, 92, 58,
)  # fmt: skip
WEEKEND_HOURS = (
    48, 31, 20, 12, 9, 9, 12, 19, 31, 45, 59, 74, 92, 104, 112, 117, 118, 121, 126, 130, 128, 119, 99, 70,
)  # fmt: skip
# Monday first.
WEEKDAYS = (0.88, 0.91, 0.96, 0.97, 1.12, 1.34, 1.28)
# Days of the month round which wages come in, and what that does to deposits and visits.
PAY_DAYS = frozenset({1, 25, 26, 27, 28})
PAY_DAY_VISITS = 1.12
PAY_DAY_DEPOSITS = 1.35

# Visits a day of one player: log-normal over the players.
VISITS = (0.45, 1.0)
MEAN_VISITS = VISITS[0] * exp(VISITS[1] ** 2 / 2)
# Minutes of a visit: log-normal over visits.
VISIT_MINUTES = (17.0, 0.8)
# Days for which a player comes at all: log-normal; afterwards visits are this much rarer.
LIFETIME_DAYS = (150.0, 1.2)
LAPSED_VISITS = 0.04
# New players a day, for each that is there, in place of those who lapse.
RENEWAL = 0.008
# By how much a day, as an exponent, the number of players rises in a history, and how many times at most altogether.
GROWTH = 0.1
MOST_GROWN = 20.0
FAILED_LOGINS = 0.06

# Stakes in euro cents: log-normal over players, and over one player's runs.
CASINO_STAKE = (70.0, 0.9, 0.35)
BET_STAKE = (650.0, 1.0, 0.45)
LEAST_STAKE = 20
LEAST_BET = 50
# Rounds of a run at one game: geometric.
RUN_ROUNDS = 15.0
# What a player likes: the share of players whose first love it is, and how an evening of such a player is spread over
# sports, slots, table and live.
TASTES = (
    (0.42, (0.66, 0.22, 0.07, 0.05)),
    (0.40, (0.08, 0.80, 0.07, 0.05)),
    (0.08, (0.12, 0.20, 0.56, 0.12)),
    (0.10, (0.12, 0.18, 0.15, 0.55)),
)

# Deposits in euro cents: log-normal over players, and over one player's deposits; and the least.
DEPOSIT = (2_800.0, 0.8, 0.45)
LEAST_DEPOSIT = 500
# A player without money: how often there is a deposit rather than the end of the visit.
REDEPOSIT = 0.62
WITHDRAW = 0.05
LEAST_WITHDRAWAL = 1_000
# A cash balance worth a withdrawal, in deposits of this player.
WITHDRAW_ABOVE = 3.0

# Players with gambling harm: their share, and by how much a day deposits, visits and stakes grow from its onset on.
HARMED = 0.02
HARM_GROWTH = 0.05
HARM_MOST = 4.0

# One in so many acts of a player who is there.
LIMIT_CHANGES = 1 / 900
EXCLUSIONS = 1 / 9_000
CONTACTS = 1 / 700
# The same for harmed players, once the harm has begun, times this.
HARM_ACTS = 6.0
LIMITS_AT_REGISTRATION = 0.12

# EU anti-money-laundering: due diligence from this much deposited. Source: domain.md §3.
CDD_THRESHOLD = 200_000
VERIFIED_AT_ONCE = 0.82
