"""Many rows of one key become one, before they reach the database."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def newest(rows: pa.Table, key: tuple[str, ...], by: tuple[str, ...]) -> pa.Table:
    """One row for each key: the one that is greatest in ``by``; sorted by key."""
    if rows.num_rows < 2:
        return rows
    rows = rows.combine_chunks()
    order = pc.sort_indices(rows, [(name, "ascending") for name in (*key, *by)])
    rows = rows.take(order)
    return rows.filter(pa.array(last_of_run(rows, key)))


def added(rows: pa.Table, key: tuple[str, ...], columns: tuple[str, ...]) -> pa.Table:
    """One row for each key with the sums of ``columns``; sorted by key.

    Raises:
        pa.ArrowInvalid: a sum does not fit 64 bits.
    """
    sums = rows.group_by(list(key), use_threads=False).aggregate(
        [(name, "sum") for name in columns] + [(name, "max") for name in columns] + [(name, "min") for name in columns]
    )
    for name in columns:
        _refuse_overflow(sums, name, rows.num_rows)
    result = sums.select([*key, *(f"{name}_sum" for name in columns)]).rename_columns([*key, *columns])
    return result.take(pc.sort_indices(result, [(name, "ascending") for name in key]))


def distinct(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The first row of each key; sorted by key."""
    if rows.num_rows < 2:
        return rows
    rows = rows.combine_chunks()
    rows = rows.take(pc.sort_indices(rows, [(name, "ascending") for name in key]))
    changed = np.concatenate(([True], last_of_run(rows, key)[:-1]))
    return rows.filter(pa.array(changed))


def last_of_run(rows: pa.Table, key: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which rows are the last of a run of equal keys, in a table sorted by key; no part of a key is ever null."""
    last = np.zeros(rows.num_rows, bool)
    last[-1:] = True
    for name in key:
        column = rows[name].combine_chunks()
        changes = pc.not_equal(column[:-1], column[1:])
        last[:-1] |= changes.to_numpy(zero_copy_only=False)
    return last


def _refuse_overflow(sums: pa.Table, name: str, rows: int) -> None:
    """Arrow wraps a sum that leaves 64 bits without a word; so bound it by its greatest and least part first."""
    extremes = [abs(value) for kind in ("max", "min") if (value := pc.max(pc.abs(sums[f"{name}_{kind}"])).as_py())]
    if extremes and max(extremes) * rows > np.iinfo(np.int64).max:
        raise pa.ArrowInvalid(f"The sum of {name} does not fit 64 bits.")
