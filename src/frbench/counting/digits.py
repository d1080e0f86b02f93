"""Templates as small integers, with a proved bound on what the integers leave out.

A template x is split as x = m + a with the mean m of all templates, and a = (h + l/256)/s + rest
with int8 digits h and l. Then

    x.y = u(x) + u(y) + a.b,   u(x) = m.x - m.m/2,

and s^2 a.b is the integer product of the digits up to what Cauchy and Schwarz allow the rests.
The proofs are in docs/methodology/exact-counting.md, sections 2 and 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from frbench.counting.compiled import compiled
from frbench.counting.score import ROUNDING
from frbench.values import Float32s, Float64s, Int32s, Int64s

BLOCK = 8192
"""Templates converted at a time, so that float64 copies stay small."""

WIDTH = 16
"""Digits are padded with zeros to a multiple of this: aligned rows, and no odd remainders."""

SAFE = 1.0 + 1e-9
"""Factor on computed norms; covers their float64 rounding many times over."""


@dataclass(frozen=True)
class Digits:
    """One or two int8 digits a coordinate, and what is needed to bound a score by them.

    Attributes:
        scale: s; units of the first digit's product are 1/s**2.
        high: int8 [n, W], first digits, W = D padded.
        both: int8 [2, n, 2 W], (h, l) and (l, h) side by side, or None when not asked for.
        offset: float64 [n], u(x), score units.
        reach: float64 [n], |h|/s; rest: float64 [n], |a - h/s|.
        longest: largest |a|; norm: largest |x|.
        fine_error: bound on the distance of a score from its two-digit value; inf without it.
    """

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
        band = self.reach * self.rest.max(initial=0.0) + self.rest * self.longest
        slack = 2 * ROUNDING * self.norm**2
        need = np.floor(self.scale**2 * (floor - slack - SAFE * band - self.offset))
        needed: Int32s = np.clip(need, -(2.0**31) + 1, 2.0**31 - 1).astype(np.int32)
        return needed

    def fine_terms(self) -> Int32s:
        """int32 [n]: 256 s^2 u to the nearest, for the two-digit product."""
        return np.rint(self.offset / self.unit).astype(np.int32)

    def band(self) -> float:
        """Widest distance below the floor at which a score is still computed, score units."""
        worst = self.reach * self.rest.max(initial=0.0) + self.rest * self.longest
        return float(worst.max(initial=0.0)) + 2 * ROUNDING * self.norm**2


def digits(vectors: Float32s, order: Int64s, *, bins: int = 0) -> Digits:
    """Split the templates ``vectors[order]`` into digits; two of them when ``bins`` > 0.

    With bins, the scale is chosen such that ``bins`` equal bins of a power of two of units cover
    all scores.
    """
    mean = _mean(vectors, order)
    offset = np.empty(len(order), np.float64)
    _offsets(vectors, order, mean, offset)
    peak, longest, norm = _extent(vectors, order, mean)
    scale = _scale(peak, norm, 1000.0 if bins else 16000.0)
    if bins:
        scale = _binned_scale(scale, vectors.shape[1], longest, norm, bins)
    wide = -(-vectors.shape[1] // WIDTH) * WIDTH
    high = torch.zeros((len(order), wide), dtype=torch.int8)
    both = torch.zeros((2, len(order), 2 * wide), dtype=torch.int8) if bins else None
    reach, rest = np.empty(len(order)), np.empty(len(order))
    fine = [0.0, 0.0, 0.0]
    for part in _parts(len(order)):
        away = vectors[order[part]].astype(np.float64) - mean
        scaled = away * scale
        h = np.rint(scaled)
        high[part, : h.shape[1]] = torch.from_numpy(h.astype(np.int8))
        reach[part] = SAFE * _norms(h) / scale
        rest[part] = SAFE * _norms(scaled - h) / scale
        if both is not None:
            low = np.clip(np.rint((scaled - h) * 256.0), -127, 127)
            _place(both, part, wide, h, low)
            left = _norms(scaled - h - low / 256.0) / scale
            sizes = (_norms(low) / (256.0 * scale), left, _norms(h + low / 256.0) / scale)
            fine = [max(old, float(new.max())) for old, new in zip(fine, sizes, strict=True)]
    error = math.inf
    if bins:
        low_size, left_size, kept = (SAFE * value for value in fine)
        error = low_size**2 + left_size * (kept + longest) + 1 / (256.0 * scale**2)
        error += 2 * ROUNDING * norm**2
    return Digits(scale, high, both, offset, reach, rest, longest, norm, error)


def _place(both: Tensor, part: slice, wide: int, h: Float64s, low: Float64s) -> None:
    d = h.shape[1]
    first, second = torch.from_numpy(h.astype(np.int8)), torch.from_numpy(low.astype(np.int8))
    both[0, part, :d], both[0, part, wide : wide + d] = first, second
    both[1, part, :d], both[1, part, wide : wide + d] = second, first


def _parts(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _norms(rows: Float64s) -> Float64s:
    norms: Float64s = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return norms


def _mean(vectors: Float32s, order: Int64s) -> Float64s:
    # summed as integers, so that the order of the images cannot change a bit of it
    total = np.zeros(vectors.shape[1], np.int64)
    for part in _parts(len(order)):
        total += np.rint(vectors[order[part]].astype(np.float64) * 2.0**30).astype(np.int64).sum(0)
    return total / (max(len(order), 1) * 2.0**30)


def _extent(vectors: Float32s, order: Int64s, mean: Float64s) -> tuple[float, float, float]:
    peak, longest, norm = 0.0, 0.0, 0.0
    for part in _parts(len(order)):
        x = vectors[order[part]].astype(np.float64)
        away = x - mean
        peak = max(peak, float(np.abs(away).max(initial=0.0)))
        longest = max(longest, SAFE * float(_norms(away).max(initial=0.0)))
        norm = max(norm, SAFE * float(_norms(x).max(initial=0.0)))
    return peak, longest, norm


def _scale(peak: float, norm: float, most: float) -> float:
    # the second limit keeps s^2 (u(x) + u(y) + a.b), times 256 for two digits, within int32
    by_digit = 127.0 / peak if peak > 0.0 else math.inf
    by_sum = most / norm if norm > 0.0 else 1.0
    return min(by_digit, by_sum)


def _binned_scale(largest: float, d: int, longest: float, norm: float, bins: int) -> float:
    s = largest / 2
    left = math.sqrt(d) / (256.0 * s)
    worst = d / (4 * s * s) + (2 * longest + left) * left + 1 / (256.0 * s * s)
    half = norm**2 + worst + 2 * ROUNDING * norm**2
    shift = math.floor(math.log2(largest**2 * 512.0 * half / bins))
    return math.sqrt(2.0**shift * bins / (512.0 * half))


@compiled
def _offsets(vectors: Float32s, order: Int64s, mean: Float64s, out: Float64s) -> None:
    own = 0.0
    for k in range(len(mean)):
        own += mean[k] * mean[k]
    for p in range(len(order)):
        total = 0.0
        for k in range(len(mean)):
            total += mean[k] * np.float64(vectors[order[p], k])
        out[p] = total - own / 2
