"""The loops that measure templates and split them into digits; ``digits`` says what they mean.

Sums run in one fixed order without fast-math, so every number is the same on every machine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from frbench.counting.compiled import compiled
from frbench.values import Float32s, Float64s, Int64s

Int8s = npt.NDArray[np.int8]
Sizes = npt.NDArray[np.float64]


@compiled
def add_rounded(vectors: Float32s, order: Int64s, total: Int64s) -> None:
    """Add the templates, in units of 2**-30, to total int64 [D]."""
    for p in range(len(order)):
        x = vectors[order[p]]
        for k in range(len(total)):
            total[k] += np.int64(np.rint(np.float64(x[k]) * 1073741824.0))


@compiled
def measure(vectors: Float32s, order: Int64s, mean: Float64s, offset: Float64s, out: Sizes) -> None:
    """Write u(x) = m.x - m.m/2 of each template, float64 [n], and raise ``out`` to the sizes.

    Args:
        vectors, order, mean: the templates and m.
        offset: float64 [n].
        out: float64 [3]: largest |a_k|, largest |a|^2 and largest |x|^2.
    """
    wide = -(-len(mean) // 16) * 16
    m, x = np.zeros(wide), np.zeros(wide)
    m[: len(mean)] = mean
    # sixteen sums at once, since a compiler may not reorder the terms of one
    sums, peak = np.zeros((3, 16)), np.zeros(16)
    own = 0.0
    for k in range(len(mean)):
        own += mean[k] * mean[k]
    for p in range(len(order)):
        row = vectors[order[p]]
        for k in range(len(mean)):
            x[k] = row[k]
        sums[:] = 0.0
        for k in range(0, wide, 16):
            value, middle = x[k : k + 16], m[k : k + 16]
            for l in range(16):  # noqa: E741
                a = value[l] - middle[l]
                sums[0, l] += middle[l] * value[l]
                sums[1, l] += a * a
                sums[2, l] += value[l] * value[l]
                peak[l] = max(peak[l], abs(a))
        product, away, whole = 0.0, 0.0, 0.0
        for l in range(16):  # noqa: E741
            product += sums[0, l]
            away += sums[1, l]
            whole += sums[2, l]
        offset[p] = product - own / 2
        out[1], out[2] = max(out[1], away), max(out[2], whole)
    for l in range(16):  # noqa: E741
        out[0] = max(out[0], peak[l])


@compiled
def split_rows(
    vectors: Float32s,
    order: Int64s,
    mean: Float64s,
    scale: float,
    high: Int8s,
    low: Int8s,
    sizes: Sizes,
) -> None:
    """Write the digits of each template and the squares of the sizes of its parts.

    Args:
        vectors, order, mean, scale: the templates, m and s.
        high: int8 [n, W], W a multiple of 16.
        low: int8 [n, W], or [0, W] for one digit only.
        sizes: float64 [5, n]: squares of |h|, |s a - h|, |l/256|, |s a - h - l/256|, |h + l/256|.
    """
    wide = high.shape[1]
    m, x = np.zeros(wide), np.zeros(wide)
    m[: len(mean)] = mean
    sums = np.zeros((5, 16))
    for p in range(len(order)):
        row = vectors[order[p]]
        for k in range(len(mean)):
            x[k] = row[k]
        sums[:] = 0.0
        for k in range(0, wide, 16):
            value, middle, out = x[k : k + 16], m[k : k + 16], high[p, k : k + 16]
            for j in range(16):
                scaled = (value[j] - middle[j]) * scale
                h = np.rint(scaled)
                out[j] = np.int8(np.int32(h))
                sums[0, j] += h * h
                sums[1, j] += (scaled - h) * (scaled - h)
        if len(low):
            for k in range(0, wide, 16):
                value, middle, out = x[k : k + 16], m[k : k + 16], low[p, k : k + 16]
                for j in range(16):
                    scaled = (value[j] - middle[j]) * scale
                    h = np.rint(scaled)
                    l = min(max(np.rint((scaled - h) * 256.0), -127.0), 127.0)  # noqa: E741
                    out[j] = np.int8(np.int32(l))
                    left = scaled - h - l / 256.0
                    sums[2, j] += l * l / 65536.0
                    sums[3, j] += left * left
                    sums[4, j] += (h + l / 256.0) * (h + l / 256.0)
        for part in range(5):
            total = 0.0
            for j in range(16):
                total += sums[part, j]
            sizes[part, p] = total
