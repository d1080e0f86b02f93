"""All mated comparisons, found directly: they are few, and all of their scores are kept."""

from __future__ import annotations

import numpy as np

from frbench.counting.compiled import compiled
from frbench.counting.images import Images
from frbench.values import Int32s, Int64s


def mated_pairs(images: Images) -> tuple[Int32s, Int32s]:
    """Row numbers of both images of every completed mated comparison.

    Without roles first < second; with roles first is the probe. Sorted by (first, second). The
    impostor policy does not bear on mated comparisons.
    """
    rows = np.flatnonzero(images.enrolled)
    rows = rows[np.argsort(images.subject[rows], kind="stable")]
    subject = images.subject[rows]
    starts = np.flatnonzero(np.r_[True, subject[1:] != subject[:-1]]) if len(rows) else rows
    ends = np.r_[starts[1:], len(rows)].astype(np.int64) if len(rows) else rows
    split = -1 if images.references_from is None else images.references_from
    total = _count(rows, starts, ends, split)
    first, second = np.empty(total, np.int32), np.empty(total, np.int32)
    _fill(rows, starts, ends, split, first, second)
    order = np.lexsort((second, first))
    return first[order], second[order]


@compiled
def _count(rows: Int64s, starts: Int64s, ends: Int64s, split: int) -> int:
    total = 0
    for run in range(len(starts)):
        n = ends[run] - starts[run]
        if split < 0:
            total += n * (n - 1) // 2
        else:
            probes = 0
            for p in range(starts[run], ends[run]):
                probes += rows[p] < split
            total += probes * (n - probes)
    return total


@compiled
def _fill(
    rows: Int64s, starts: Int64s, ends: Int64s, split: int, first: Int32s, second: Int32s
) -> None:
    at = 0
    for run in range(len(starts)):
        for p in range(starts[run], ends[run]):
            for q in range(p + 1, ends[run]):
                # rows ascend within a run, so a probe always comes before a reference
                if split < 0 or (rows[p] < split and rows[q] >= split):
                    first[at] = rows[p]
                    second[at] = rows[q]
                    at += 1
