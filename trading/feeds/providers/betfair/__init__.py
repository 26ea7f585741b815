"""Betfair's Exchange Stream: newline JSON of images and deltas.

Source: feeds-and-pricing.md §1; Betfair's "Exchange Stream API".
"""

from trading.feeds.adapter import Provider

from .adapter import Betfair

PROVIDER = Provider(adapter=Betfair, demo="betfair/1.200806927.ndjson.gz")
