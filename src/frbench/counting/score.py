"""The one definition of a comparison score; every faster path is only a sieve in front of it.

score(x, y) = float32 nearest to the float64 sum of the products x_k y_k, summed in 16 interleaved
lanes (lane l takes k = l, l + 16, …) that are then added pairwise: l + 8, l + 4, l + 2, l + 1.

The product of two float32 is exact in float64, so a fused multiply-add gives the same bits, and
the order of the sum is fixed: the same two templates have the same score on every machine, in
either order, whatever the tile, thread or batch (docs/methodology/exact-counting.md, section 1).
"""

from __future__ import annotations

import numpy as np

from frbench.counting.compiled import compiled
from frbench.values import Float32s, Int32s, Int64s

LANES = 16

ROUNDING = 2.0**-23
"""|score - x.y| <= ROUNDING * |x||y| for up to 2**20 dimensions: half a unit in the last place of
float32 is 2**-24, and the float64 sum adds at most d * 2**-53."""


@compiled
def score_into(
    vectors: Float32s, first: Int32s | Int64s, second: Int32s | Int64s, out: Float32s
) -> None:
    """Write the scores of the comparisons (first[p], second[p]) into out[p].

    Args:
        vectors: float32 [N, D], C-contiguous.
        first, second: int [P], row numbers.
        out: float32 [P].
    """
    d = vectors.shape[1]
    whole = d - d % 16
    lane = np.zeros(16, np.float64)
    for p in range(len(first)):
        x = vectors[first[p]]
        y = vectors[second[p]]
        lane[:] = 0.0
        for k in range(0, whole, 16):
            for l in range(16):  # noqa: E741
                lane[l] += np.float64(x[k + l]) * np.float64(y[k + l])
        for k in range(whole, d):
            lane[k - whole] += np.float64(x[k]) * np.float64(y[k])
        width = 8
        while width > 0:
            for l in range(width):  # noqa: E741
                lane[l] += lane[l + width]
            width //= 2
        out[p] = np.float32(lane[0])


def scores(vectors: Float32s, first: Int32s | Int64s, second: Int32s | Int64s) -> Float32s:
    """Scores of the listed comparisons; shapes as in ``score_into``."""
    out = np.empty(len(first), np.float32)
    score_into(vectors, first, second, out)
    return out
