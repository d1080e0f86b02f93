"""A first guess of the floor from a random sample, which the sweep proves or corrects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from frbench.counting.layout import Layout
from frbench.counting.score import scores
from frbench.values import Float32s, Int64s

LEAST, MOST = 2**12, 2**20
"""Bounds on the number of comparisons drawn."""

WANTED = 200
"""Comparisons above the floor that the sample should hold."""

EACH = 64
"""Comparisons drawn for one image."""


@dataclass(frozen=True)
class Sample:
    """Random non-mated comparisons with their scores.

    Attributes:
        first, second: int64 [S], places in the layout's order.
        score: float32 [S].
    """

    first: Int64s
    second: Int64s
    score: Float32s


def draw_sample(
    vectors: Float32s, layout: Layout, share: float, rng: np.random.Generator, *, workers: int
) -> Sample:
    """A sample that is large enough to guess the floor that ``share`` of all scores reach.

    Args:
        vectors: float32 [N, D].
        layout: the comparisons.
        share: fraction in (0, 1).
        rng: draws the sample.
        workers: threads.
    """
    first, second = _draw(layout, int(min(max(WANTED / share, LEAST), MOST)), rng)
    chosen = layout.subject[first] != layout.subject[second]
    first, second = first[chosen], second[chosen]
    found = scores(vectors, layout.order[first], layout.order[second], workers=workers)
    return Sample(first, second, found)


def guess_floor(sample: Sample, share: float, *, caution: float) -> float:
    """A score that about ``share`` of the non-mated comparisons reach, erring on the low side.

    Args:
        sample: from ``draw_sample`` with the same share.
        share: fraction in (0, 1).
        caution: how many standard deviations of the count lie between guess and estimate.
    """
    found = sample.score
    expected = share * len(found)
    rank = math.ceil(expected + caution * math.sqrt(expected) + caution)
    if rank >= len(found):
        return -math.inf
    return float(np.partition(found, len(found) - rank)[len(found) - rank])


def _draw(layout: Layout, count: int, rng: np.random.Generator) -> tuple[Int64s, Int64s]:
    # EACH partners an image, images in order: the memory then delivers one template for many scores
    blocks = np.array(layout.blocks, dtype=np.int64).reshape(-1, 4)
    rows, columns = blocks[:, 1] - blocks[:, 0], blocks[:, 3] - blocks[:, 2]
    weight = (rows * (columns - 1) if layout.triangle else rows * columns).astype(np.float64)
    block = np.sort(rng.choice(len(blocks), size=-(-count // EACH), p=weight / weight.sum()))
    first = np.sort(blocks[block, 0] + (rng.random(len(block)) * rows[block]).astype(np.int64))
    shift = rng.random((len(block), EACH)) * columns[block, None]
    second = blocks[block, 2, None] + shift.astype(np.int64)
    keep = first[:, None] != second
    return np.repeat(first, keep.sum(axis=1)), second[keep]
