"""Looking up facts by where they came from."""

from django.contrib.postgres.indexes import BrinIndex


def by_source(name: str) -> BrinIndex:
    """The index by which ranges of source offsets are found in a table of facts.

    Rows are appended in the order of their offsets, so summaries of page ranges are enough, at a thousandth of the
    cost of a B-tree. Each summary keeps several intervals, since the partitions of a topic are not equally far.
    """
    return BrinIndex(
        fields=["source_offset"], opclasses=["int8_minmax_multi_ops"], pages_per_range=32, autosummarize=True, name=name
    )
