"""Counts per cell of comparisons that come with their scores, such as a score file's."""

from __future__ import annotations

import numpy as np

from frbench.counting.compiled import compiled
from frbench.values import Bools, Floats, Int64s


def count_listed(
    score: Floats, cell: Int64s, mated: Bools, *, cells: int, threshold: float
) -> Int64s:
    """Attempted, failed and accepted comparisons of each cell, in one pass.

    Args:
        score: float32 or float64 [M]; NaN where the comparison failed.
        cell: integers [M] in [0, cells): the pair of groups.
        mated: bool [M].
        cells: number of cells.
        threshold: a comparison is accepted if ``score >= threshold``, compared in float64.

    Returns:
        int64 [2, cells, 3]: (0 mated, 1 non-mated), cell, (attempted, failed, accepted).

    Raises:
        ValueError: the columns differ in length, or a cell is out of range.
    """
    if not len(score) == len(cell) == len(mated):
        raise ValueError(f"{len(score)} scores, {len(cell)} cells and {len(mated)} truths")
    if len(cell) and (int(cell.min()) < 0 or int(cell.max()) >= cells):
        raise ValueError(f"cells must lie between 0 and {cells - 1}")
    counts = np.zeros((2, cells, 3), np.int64)
    _count(score, cell, mated, float(threshold), counts)
    return counts


@compiled
def _count(score: Floats, cell: Int64s, mated: Bools, threshold: float, counts: Int64s) -> None:
    for p in range(len(score)):
        value = np.float64(score[p])
        row = counts[1 - np.int64(mated[p]), cell[p]]
        row[0] += 1
        row[1] += np.int64(value != value)
        row[2] += np.int64(value >= threshold)
