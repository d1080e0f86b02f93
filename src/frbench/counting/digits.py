"""Templates as small integers, with a proved bound on what the integers leave out.

A template x is split as x = m + a with the mean m of all templates, and a = (h + l/256)/s + rest
with int8 digits h and l. Then

    x.y = u(x) + u(y) + a.b,   u(x) = m.x - m.m/2,

and s^2 a.b is the integer product of the digits up to what Cauchy and Schwarz allow the rests.
The proofs are in docs/methodology/exact-counting.md, sections 2 and 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from frbench.counting.score import ROUNDING
from frbench.counting.splitting import Sizes, add_rounded, measure, split_rows
from frbench.values import Float32s, Float64s, Int32s, Int64s

WIDTH = 16
"""Digits are padded with zeros to a multiple of this: aligned rows, and no odd remainders."""

SAFE = 1.0 + 1e-9
"""Factor on computed norms; covers their float64 rounding many times over."""


@dataclass(frozen=True)
class Digits:
    """One or two int8 digits a coordinate, and what is needed to bound a score by them.

    Attributes:
        mean: float64 [D], m.
        scale: s; units of the first digit's product are 1/s**2.
        high: int8 [n, W], first digits, W = D padded.
        both: int8 [2, n, 2 W], (h, l) and (l, h) side by side, or None when not asked for.
        offset: float64 [n], u(x), score units.
        reach: float64 [n], |h|/s; rest: float64 [n], |a - h/s|.
        longest: largest |a|; norm: largest |x|.
        fine_error: bound on the distance of a score from its two-digit value; inf without it.
    """

    mean: Float64s
    scale: float
    high: Tensor
    both: Tensor | None
    offset: Float64s
    reach: Float64s
    rest: Float64s
    longest: float
    norm: float
    fine_error: float

    @property
    def unit(self) -> float:
        """One step of the two-digit product, score units."""
        return 1.0 / (256.0 * self.scale * self.scale)

    def column_terms(self) -> Int32s:
        """int32 [n]: s^2 u rounded up, to be added to the product of the first digits."""
        return np.ceil(self.scale**2 * self.offset).astype(np.int32)

    def row_terms(self, floor: float) -> Int32s:
        """int32 [n]: product + column term is at least this wherever score >= floor."""
        if floor == -math.inf:
            return np.full(len(self.offset), np.iinfo(np.int32).min, np.int32)
        need = np.floor(self.scale**2 * (floor - self._bands() - self.offset))
        needed: Int32s = np.clip(need, -(2.0**31) + 1, 2.0**31 - 1).astype(np.int32)
        return needed

    def fine_need(self, floor: float) -> int:
        """The two-digit value with its terms is at least this wherever score >= floor."""
        if floor == -math.inf:
            return -(2**62)
        return math.floor((floor - SAFE * self.fine_error) / self.unit) - 1

    def fine_terms(self) -> Int32s:
        """int32 [n]: 256 s^2 u to the nearest, for the two-digit product."""
        return np.rint(self.offset / self.unit).astype(np.int32)

    def band(self) -> float:
        """Widest distance below the floor at which a score is still computed, score units."""
        return float(self._bands().max(initial=0.0))

    def _bands(self) -> Float64s:
        largest = self.rest.max(initial=0.0)
        rests: Float64s = self.reach * largest + self.rest * self.longest
        return SAFE * rests + 2 * ROUNDING * self.norm**2


def digits(
    vectors: Float32s,
    order: Int64s,
    *,
    bins: int = 0,
    mean: Float64s | None = None,
    norm: float = 0.0,
    workers: int = 1,
) -> Digits:
    """Split the templates ``vectors[order]`` into digits; two of them when ``bins`` > 0.

    With bins, the scale is chosen such that ``bins`` equal bins of a power of two of units cover
    all scores.

    Args:
        vectors: float32 [N, D], C-contiguous.
        order: int64 [n], row numbers.
        bins: even, or 0.
        mean: float64 [D], m; None for the mean of the templates.
        norm: a number that |x| stays below, where the terms are to have room for that much.
        workers: threads; the digits are the same for any number.
    """
    parts = _parts(len(order), workers)
    if mean is None:
        mean = _mean(vectors, order, parts)
    offset, found = np.empty(len(order)), np.zeros((len(parts), 3))

    def measured(number: int) -> None:
        part = parts[number]
        measure(vectors, order[part], mean, offset[part], found[number])

    _side_by_side(measured, len(parts))
    size = found.max(axis=0)
    # any bound on the norms serves; with templates of length zero there must be some unit
    peak, longest, own = size[0], SAFE * math.sqrt(size[1]), SAFE * math.sqrt(size[2])
    norm = max(norm, own) or 1.0
    scale = _scale(peak, norm, 1000.0 if bins else 16000.0)
    if bins:
        scale = _binned_scale(scale, vectors.shape[1], longest, norm, bins)
    wide = -(-vectors.shape[1] // WIDTH) * WIDTH
    high = np.zeros((len(order), wide), np.int8)
    low = np.zeros((len(order) if bins else 0, wide), np.int8)
    sizes: Sizes = np.zeros((5, len(order)))

    def split(number: int) -> None:
        part = parts[number]
        here: Sizes = np.zeros((5, part.stop - part.start))
        split_rows(vectors, order[part], mean, scale, high[part], low[part], here)
        sizes[:, part] = here

    _side_by_side(split, len(parts))
    reach, rest, *fine = SAFE * np.sqrt(sizes) / scale
    error = math.inf
    if bins:
        low_size, left, kept = (float(part.max(initial=0.0)) for part in fine)
        error = low_size**2 + left * (kept + longest) + 1 / (256.0 * scale**2)
        error += 2 * ROUNDING * norm**2
    both = np.stack([np.hstack([high, low]), np.hstack([low, high])]) if bins else None
    return Digits(
        mean=mean,
        scale=scale,
        high=torch.from_numpy(high),
        both=None if both is None else torch.from_numpy(both),
        offset=offset,
        reach=reach,
        rest=rest,
        longest=longest,
        norm=norm,
        fine_error=error,
    )


def _parts(count: int, workers: int) -> list[slice]:
    size = max(-(-count // max(workers, 1)), 1)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)] or [
        slice(0, 0)
    ]


def _side_by_side(work: Callable[[int], None], count: int) -> None:
    if count == 1:
        work(0)
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def _mean(vectors: Float32s, order: Int64s, parts: list[slice]) -> Float64s:
    # summed as integers, so that neither the order of the images nor the number of threads can
    # change a bit of it
    total = np.zeros((len(parts), vectors.shape[1]), np.int64)
    _side_by_side(lambda n: add_rounded(vectors, order[parts[n]], total[n]), len(parts))
    mean: Float64s = total.sum(axis=0) / (max(len(order), 1) * 2.0**30)
    return mean


def _scale(peak: float, norm: float, most: float) -> float:
    # the second limit keeps s^2 (u(x) + u(y) + a.b), times 256 for two digits, within int32
    by_digit = 127.0 / peak if peak > 0.0 else math.inf
    return min(by_digit, most / norm)


def _binned_scale(largest: float, d: int, longest: float, norm: float, bins: int) -> float:
    # the error at half the largest scale bounds the error at the scale chosen here, which is
    # more than the largest one over the root of two
    s = largest / 2
    left = math.sqrt(d) / (256.0 * s)
    worst = d / (4 * s * s) + (2 * longest + left) * left + 1 / (256.0 * s * s)
    half = norm**2 + worst + 2 * ROUNDING * norm**2
    shift = math.floor(math.log2(largest**2 * 512.0 * half / bins))
    return math.sqrt(2.0**shift * bins / (512.0 * half))
