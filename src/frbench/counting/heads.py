"""The leading directions of a set of templates: a narrower product in front of the sieve.

With an orthonormal basis V of w directions, p = V'a and what is left of a, of length t,

    a.b = p.q + (rest of a).(rest of b) <= p.q + (t(x)^2 + t(y)^2) / 2,

so that p, split into one digit a direction, bounds the score from above by a product of w digits
instead of D (docs/methodology/exact-counting.md, section 4).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from frbench.counting.digits import Digits, digits
from frbench.counting.products import one_core_each
from frbench.values import Float32s, Float64s, Int64s

ROWS = 2048
"""Templates that the directions are taken from, evenly spaced in the layout's order."""

CHUNK = 1024
"""Templates projected at a time."""

UPRIGHT = 2.0**-44
"""Largest entry of V'V - 1 that is taken for rounding."""


def directions(vectors: Float32s, order: Int64s, mean: Float64s) -> Float64s:
    """float64 [D, D]: orthonormal, the directions of the largest spread first."""
    rows = np.linspace(0, len(order) - 1, min(len(order), ROWS)).astype(np.int64)
    a = torch.from_numpy(vectors[order[rows]] - mean)
    found: Float64s = torch.linalg.eigh(a.T @ a)[1].numpy()[:, ::-1].copy()
    return found


def head(
    vectors: Float32s, order: Int64s, split: Digits, basis: Float64s, *, workers: int = 1
) -> Digits:
    """Digits of p = V'a whose product bounds every score from above.

    A score that reaches a floor satisfies ``product + column term >= row term`` with the terms of
    this head, as it does with those of ``split``.

    Args:
        vectors: float32 [N, D].
        order: int64 [n], row numbers.
        split: digits of the same templates.
        basis: float64 [D, w], orthonormal columns.
        workers: threads.

    Raises:
        ValueError: the columns of ``basis`` are not orthonormal.
    """
    d, wide = basis.shape
    # turned within themselves, the directions share the spread: the first one alone would set
    # the scale of all digits
    turned = basis @ np.linalg.qr(np.random.default_rng(0).standard_normal((wide, wide)))[0]
    if np.abs(turned.T @ turned - np.eye(wide)).max() > UPRIGHT:
        raise ValueError("the directions of a head must be orthonormal")
    narrow = torch.from_numpy(turned.astype(np.float32))
    parts = np.empty((len(order), wide), np.float32)
    left = np.empty(len(order))

    def project(start: int) -> None:
        part = slice(start, start + CHUNK)
        a = (vectors[order[part]] - split.mean).astype(np.float32)
        torch.mm(torch.from_numpy(a), narrow, out=torch.from_numpy(parts[part]))
        kept = np.einsum("ij,ij->i", parts[part], parts[part])
        left[part] = np.einsum("ij,ij->i", a, a) - kept

    with one_core_each(workers) as pool:
        list(pool.map(project, range(0, len(order), CHUNK)))
    off = slack(d, wide)
    own = digits(
        parts, np.arange(len(order)), mean=np.zeros(wide), norm=split.norm, workers=workers
    )
    aside = np.maximum(left, 0.0) / 2 + 3 * off * split.longest**2
    return replace(
        own,
        offset=split.offset + aside,
        rest=own.rest + off * split.longest,
        longest=split.longest,
    )


def slack(d: int, wide: int) -> float:
    """Bound on |computed p - p| / |a|: float32 sums of d terms, inputs rounded to float32."""
    return math.sqrt(wide) * (d + 8) * 2.0**-24
