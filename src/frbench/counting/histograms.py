"""Histograms of all scores per pair of groups, from integers that are the same on every machine.

The value of a comparison is 256 h.h' + (h.l' + l.h') + w + w' in units of ``Digits.unit``; its bin
is that value shifted right, so bin edges are exact, and the distance between a score and the value
that chose its bin is at most ``Digits.fine_error``.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from frbench.counting.compiled import compiled
from frbench.counting.digits import Digits
from frbench.counting.images import Images
from frbench.counting.layout import Layout
from frbench.values import Float64s, Int32s, Int64s

Int8s = npt.NDArray[np.int8]


def bin_shift(digits: Digits, bins: int) -> int:
    """log2 of the units in one bin, such that the bins cover every score."""
    half = digits.norm**2 + digits.fine_error
    return math.ceil(math.log2(2 * half / digits.unit / bins))


def bin_edges(digits: Digits, bins: int) -> Float64s:
    """float64 [bins + 1], score units."""
    steps = np.arange(bins + 1, dtype=np.float64) - bins // 2
    edges: Float64s = steps * 2.0 ** bin_shift(digits, bins) * digits.unit
    return edges


@compiled
def count_tile(
    coarse: Int32s,
    fine: Int32s,
    row: Int32s,
    column: Int32s,
    part: tuple[int, int, int, int],
    begin: int,
    shift: int,
    out: Int64s,
) -> None:
    """Add the part of a tile that belongs to one pair of groups to its histogram.

    Args:
        coarse, fine: int32 [R, C], h.h' and h.l' + l.h'.
        row, column: int32 [R] and [C], offsets w.
        part: rows [r0, r1) and columns [c0, c1) of the tile.
        begin: in row r only columns from ``max(begin + r, 0)`` on count.
        shift: from ``bin_shift``.
        out: int64 [bins], added to.
    """
    bins = len(out)
    # two histograms by turns: a place that was just written need not be read back at once
    near, other = np.zeros(bins, np.int32), np.zeros(bins, np.int32)
    middle = np.int32(bins // 2)
    r0, r1, c0, c1 = part
    # unsigned places spare the check for negative indices; 64 at a time is what gets vectorised
    place = np.empty(64, np.uint32)
    for r in range(r0, r1):
        high, low, own = coarse[r], fine[r], row[r]
        at = max(begin + r, c0)
        while at + 64 <= c1:
            h, l, w = high[at : at + 64], low[at : at + 64], column[at : at + 64]  # noqa: E741
            for c in range(64):
                value = np.int32(np.int32(h[c] << 8) + l[c] + w[c] + own)
                place[c] = np.uint32((value >> shift) + middle)
            for c in range(0, 64, 2):
                near[place[c]] += 1
                other[place[c + 1]] += 1
            at += 64
        for c in range(at, c1):
            value = np.int32(np.int32(high[c] << 8) + low[c] + column[c] + own)
            near[np.uint32((value >> shift) + middle)] += 1
    for b in range(bins):
        out[b] += near[b] + other[b]


def move_mated(
    counts: Int64s, digits: Digits, images: Images, layout: Layout, pairs: tuple[Int32s, Int32s]
) -> None:
    """Move the mated comparisons into their own part of ``counts`` int64 [2, G, G, B].

    Their integers are recomputed one by one; the tiles that held them gave the same ones.
    """
    if digits.both is None:
        raise ValueError("a histogram needs two digits a coordinate")
    bins = counts.shape[3]
    place = np.zeros(len(images.subject), np.int64)
    place[layout.order] = np.arange(len(layout.order))
    values = np.empty(len(pairs[0]), np.int64)
    both = digits.both.numpy()
    _values(both[0], both[1], place[pairs[0]], place[pairs[1]], values)
    terms = digits.fine_terms().astype(np.int64)
    values += terms[place[pairs[0]]] + terms[place[pairs[1]]]
    bin_of = (values >> bin_shift(digits, bins)) + bins // 2
    a, b = (images.group[side].astype(np.int64) for side in pairs)
    if layout.triangle:
        a, b = np.minimum(a, b), np.maximum(a, b)
    inside = images.stratum[pairs[0]] == images.stratum[pairs[1]]
    np.add.at(counts[0], (a, b, bin_of), 1)
    np.subtract.at(counts[1], (a[inside], b[inside], bin_of[inside]), 1)


@compiled
def _values(both: Int8s, swapped: Int8s, first: Int64s, second: Int64s, out: Int64s) -> None:
    wide = both.shape[1] // 2
    for p in range(len(first)):
        x, y, z = both[first[p]], both[second[p]], swapped[second[p]]
        coarse = np.int64(0)
        fine = np.int64(0)
        for k in range(wide):
            coarse += np.int64(x[k]) * np.int64(y[k])
        for k in range(2 * wide):
            fine += np.int64(x[k]) * np.int64(z[k])
        out[p] = 256 * coarse + fine
