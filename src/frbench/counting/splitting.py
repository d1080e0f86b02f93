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
def offsets(vectors: Float32s, order: Int64s, mean: Float64s, out: Float64s) -> None:
    """u(x) = m.x - m.m/2 of each template, float64 [n]."""
    own = 0.0
    for k in range(len(mean)):
        own += mean[k] * mean[k]
    for p in range(len(order)):
        x = vectors[order[p]]
        total = 0.0
        for k in range(len(mean)):
            total += mean[k] * np.float64(x[k])
        out[p] = total - own / 2


@compiled
def measure(vectors: Float32s, order: Int64s, mean: Float64s, out: Sizes) -> None:
    """Largest |a_k|, largest |a|^2 and largest |x|^2, float64 [3]."""
    for p in range(len(order)):
        x = vectors[order[p]]
        away, whole = 0.0, 0.0
        for k in range(len(mean)):
            value = np.float64(x[k])
            a = value - mean[k]
            out[0] = max(out[0], abs(a))
            away += a * a
            whole += value * value
        out[1] = max(out[1], away)
        out[2] = max(out[2], whole)


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
        high: int8 [n, W], zeroed.
        low: int8 [n, W], zeroed, or [0, W] for one digit only.
        sizes: float64 [5, n]: squares of |h|, |s a - h|, |l/256|, |s a - h - l/256|, |h + l/256|.
    """
    for p in range(len(order)):
        x = vectors[order[p]]
        for k in range(len(mean)):
            scaled = (np.float64(x[k]) - mean[k]) * scale
            h = np.rint(scaled)
            high[p, k] = np.int8(h)
            sizes[0, p] += h * h
            sizes[1, p] += (scaled - h) * (scaled - h)
            if len(low):
                l = min(max(np.rint((scaled - h) * 256.0), -127.0), 127.0)  # noqa: E741
                low[p, k] = np.int8(l)
                left = scaled - h - l / 256.0
                sizes[2, p] += l * l / 65536.0
                sizes[3, p] += left * left
                sizes[4, p] += (h + l / 256.0) * (h + l / 256.0)
