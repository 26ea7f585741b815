"""Looking up facts by where they came from and by when they happened.

Rows are appended in the order of their offsets, which is nearly that of their times, so summaries of page ranges are
enough, at a thousandth of the cost of a B-tree. Each summary keeps several intervals: the partitions of a topic are not
equally far, and some events come late.
"""

from django.contrib.postgres.indexes import BrinIndex


def by_source(name: str) -> BrinIndex:
    """The index by which ranges of source offsets are found in a table of facts."""
    return _summaries("source_offset", "int8_minmax_multi_ops", name)


def by_time(name: str) -> BrinIndex:
    """The index by which hours and days are found in a table of facts."""
    return _summaries("occurred_at", "timestamptz_minmax_multi_ops", name)


def _summaries(column: str, kind: str, name: str) -> BrinIndex:
    return BrinIndex(fields=[column], opclasses=[kind], pages_per_range=32, autosummarize=True, name=name)
