"""A calendar of invented sport: fixtures whose whole course a seed decides, their fair chances, prices and results.

Pure calculation. Moments are microseconds since 1970, UTC; odds are thousandths; chances are fractions of 1.
"""
