"""Odds of providers: their bytes in, `MarketUpdate` events on `odds-feed` out."""
