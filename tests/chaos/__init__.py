"""Servers and workers killed, stopped and frozen under load, by a seed: `python -m tests.chaos --seeds 20`."""
