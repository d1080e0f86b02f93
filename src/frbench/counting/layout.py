"""Which images are compared with which: the sorted order, its blocks, and their tiles.

Enrolled images are sorted by (stratum, group, subject), so that a block of the product belongs to
one stratum, and a tile to few pairs of groups. Comparisons that the impostor policy leaves out
are never computed: they lie outside every block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from frbench.counting.images import Images
from frbench.values import Bools, Int16s, Int32s, Int64s


@dataclass(frozen=True)
class Tile:
    """Rows [r0, r1) against columns [c0, c1) of the sorted order.

    In a ``triangle`` only columns behind the row's own place count, so that no image meets itself
    and no pair is met twice.
    """

    r0: int
    r1: int
    c0: int
    c1: int
    triangle: bool

    @property
    def comparisons(self) -> int:
        """Pairs of images that this tile compares."""
        if not self.triangle or self.c0 >= self.r1:
            return (self.r1 - self.r0) * (self.c1 - self.c0)
        first = np.maximum(np.arange(self.r0, self.r1) + 1, self.c0)
        return int(np.maximum(self.c1 - first, 0).sum())


@dataclass(frozen=True)
class Layout:
    """The sorted order and its blocks.

    Attributes:
        order: int64 [n], row numbers of the enrolled images in sorted order.
        subject, group: int32 [n] and int16 [n], in sorted order.
        blocks: places (r0, r1, c0, c1) in the sorted order; every non-mated comparison lies in
            exactly one block, and blocks hold mated comparisons and self pairs besides.
        triangle: whether rows and columns of a block are the same images.
    """

    order: Int64s
    subject: Int32s
    group: Int16s
    blocks: tuple[tuple[int, int, int, int], ...]
    triangle: bool

    def tiles(self, size: int) -> Iterator[Tile]:
        """Tiles of at most ``size`` x ``size``, row by row."""
        for r0, r1, c0, c1 in self.blocks:
            for row in range(r0, r1, size):
                start = row if self.triangle else c0
                for column in range(start, c1, size):
                    yield Tile(
                        row, min(row + size, r1), column, min(column + size, c1), self.triangle
                    )

    @property
    def pairs(self) -> int:
        """Pairs of images in all blocks, same-subject ones included."""
        if self.triangle:
            return sum((r1 - r0) * (r1 - r0 - 1) // 2 for r0, r1, _, _ in self.blocks)
        return sum((r1 - r0) * (c1 - c0) for r0, r1, c0, c1 in self.blocks)


def lay_out(images: Images) -> Layout:
    """Sort the enrolled images and find the blocks of comparisons."""
    rows = np.flatnonzero(images.enrolled)
    split = images.references_from
    role = np.zeros(len(rows), np.int8) if split is None else (rows >= split).astype(np.int8)
    keys = (images.subject[rows], images.group[rows], images.stratum[rows], role)
    order = rows[np.lexsort((rows, *keys))]
    stratum = images.stratum[order]
    if split is None:
        blocks = tuple((a, b, a, b) for _, a, b in runs(stratum))
    else:
        blocks = _rectangles(stratum, int((rows < split).sum()))
    return Layout(order, images.subject[order], images.group[order], blocks, split is None)


def runs(values: Int16s | Int32s, start: int = 0) -> list[tuple[int, int, int]]:
    """(value, first place, place behind the last) of each run of equal values.

    Places are counted from ``start``.
    """
    if len(values) == 0:
        return []
    cuts = np.flatnonzero(np.diff(values)) + 1
    edges = [0, *cuts.tolist(), len(values)]
    return [(int(values[a]), a + start, b + start) for a, b in pairwise(edges)]


def _rectangles(stratum: Int16s, probes: int) -> tuple[tuple[int, int, int, int], ...]:
    reference = {value: (a, b) for value, a, b in runs(stratum[probes:], probes)}
    return tuple(
        (a, b, *reference[value]) for value, a, b in runs(stratum[:probes]) if value in reference
    )


def non_mated_comparisons(images: Images) -> int:
    """Completed non-mated comparisons, in closed form: all pairs of a stratum but the mated."""
    rows = np.flatnonzero(images.enrolled)
    subject = images.subject[rows].astype(np.int64)
    stratum = images.stratum[rows].astype(np.int64)
    both = stratum * (int(subject.max(initial=0)) + 1) + subject
    if images.references_from is None:
        return _pairs(stratum) - _pairs(both)
    probe = rows < images.references_from
    return _products(stratum, probe) - _products(both, probe)


def _pairs(code: Int64s) -> int:
    counts = np.unique(code, return_counts=True)[1].astype(object)
    return int(sum(n * (n - 1) // 2 for n in counts))


def _products(code: Int64s, probe: Bools) -> int:
    _, place = np.unique(code, return_inverse=True)
    size = int(place.max(initial=-1)) + 1
    left = np.bincount(place[probe], minlength=size)
    right = np.bincount(place[~probe], minlength=size)
    return int(sum(int(a) * int(b) for a, b in zip(left, right, strict=True)))
