"""How a sweep finds the highest scores: the planner chooses a way for the case at hand.

All ways keep the same comparisons with the same scores; they differ in time alone. The choice
follows from the templates and from which products are exact on the machine, never from a clock, so
that the same case is always worked in the same way. What each step takes was measured once, in
nanoseconds a comparison on one core (``docs/methodology/exact-counting.md``, section 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from frbench.counting.digits import Digits
from frbench.counting.floors import Sample
from frbench.counting.heads import ROWS, directions, head
from frbench.counting.layout import Layout
from frbench.counting.products import product_for
from frbench.values import Float32s, Float64s, Int64s

FORECAST = 2048
"""Sampled comparisons that the shares of heads are forecast from."""

STEP = 16
"""Heads are a multiple of this many directions wide."""

MULTIPLY = {"int8": 0.0045, "float32": 0.0215, "float64": 0.045}
"""One coordinate of a product, by kind."""

PASS, LIST = 0.2, 10.0
"""Reading one product off and comparing it; writing down a place and finding it again."""

DIGIT, SCORE = 0.05, 0.09
"""One coordinate of a candidate's integer product, and of its score."""

FLOAT, EIGEN = 0.05, 0.5
"""One coordinate of a float product of templates; D**3 of these for the directions."""

COARSENESS = 0.02
"""Band of one digit as a share of |a|**2, where nothing better is known yet."""


@dataclass(frozen=True)
class Plan:
    """A way to find what reaches the floor.

    Attributes:
        way: ``digits`` (product of the first digits, then scores of what passes), ``head`` (a
            narrower product before that) or ``direct`` (a score for every comparison).
        reason: why, in one sentence.
        front: digits of the head; None for the other ways.
        share: forecast share of the comparisons that pass the product.
    """

    way: str
    reason: str
    front: Digits | None = None
    share: float = 1.0


def choose(
    vectors: Float32s,
    layout: Layout,
    split: Digits,
    sample: Sample | None,
    floor: float,
    *,
    workers: int,
) -> Plan:
    """The way with the smallest forecast cost; the products of this thread are to use one core.

    Args:
        vectors, layout, split: templates, comparisons, and first digits of the templates.
        sample: of comparisons with their scores; None where no floor was guessed.
        floor: the guessed floor.
        workers: threads.
    """
    if sample is None or floor == -math.inf or len(sample.score) == 0:
        return Plan("direct", "no floor is known, so that every comparison needs its score")
    d = vectors.shape[1]
    passing = float((sample.score + split.band() >= floor).mean())
    digits_cost = multiply(d) + PASS + passing * (LIST + SCORE * d)
    direct_cost = LIST / 2 + SCORE * d
    if direct_cost <= digits_cost:
        return Plan("direct", f"{passing:.2g} of the sampled comparisons would pass the digits")
    plain = Plan("digits", "", None, passing)
    # what a head saves at best, if the spread is as uneven as the scores' own spread allows
    widths = np.arange(STEP, d, STEP)
    spread = Spread(vectors, layout, split, sample)
    least = spread.least_shares(widths, floor)
    costs = _head_costs(widths, least, passing, layout, d)
    if len(widths) == 0 or costs.min() >= digits_cost:
        return _because(plain, f"no head can pay: {spread.rank:.0f} of {d} directions count")
    basis = directions(vectors, layout.order, split.mean)
    shares = spread.shares(basis, widths, floor)
    costs = _head_costs(widths, shares, passing, layout, d)
    best = int(np.argmin(costs))
    told = (
        f"{widths[best]} leading directions let {shares[best]:.2g} of the comparisons pass, all "
        f"{d} let {passing:.2g}: {costs[best]:.2f} against {digits_cost:.2f} ns forecast"
    )
    if costs[best] >= digits_cost:
        return _because(plain, told)
    front = head(vectors, layout.order, split, basis[:, : widths[best]], workers=workers)
    return Plan("head", told, front, float(shares[best]))


def multiply(width: int) -> float:
    """Nanoseconds of a product of this many digits, by the product that is exact here."""
    padded = -(-width // STEP) * STEP
    return 0.1 + MULTIPLY[product_for(padded)] * padded


def _because(plan: Plan, reason: str) -> Plan:
    return Plan(plan.way, reason, plan.front, plan.share)


def _head_costs(
    widths: Int64s, shares: Float64s, passing: float, layout: Layout, d: int
) -> Float64s:
    n = len(layout.order)
    setup = FLOAT * (n * d * widths + (min(n, ROWS) + 2 * FORECAST) * d * d) + EIGEN * d**3
    product = np.array([multiply(int(w)) for w in widths])
    again = shares * (LIST + DIGIT * d) + passing * SCORE * d
    costs: Float64s = product + PASS + again + setup / layout.pairs
    return costs


class Spread:
    """How the sampled templates spread round their mean.

    Attributes:
        rank: number of directions that would give the scores their spread if all counted alike.
    """

    def __init__(self, vectors: Float32s, layout: Layout, split: Digits, sample: Sample) -> None:
        count = len(sample.score)
        chosen = np.linspace(0, count - 1, min(count, FORECAST)).astype(np.int64)
        first, second = (layout.order[s[chosen]] for s in (sample.first, sample.second))
        self._sides = tuple((vectors[s] - split.mean).astype(np.float32) for s in (first, second))
        self._terms = split.offset[sample.first[chosen]] + split.offset[sample.second[chosen]]
        self._score = sample.score[chosen]
        self._length = float(np.mean([np.einsum("ij,ij->i", a, a).mean() for a in self._sides]))
        squared = float(np.mean((self._score - self._terms) ** 2))
        self.rank = self._length**2 / squared if squared > 0 else 1.0
        self._band = COARSENESS * split.longest**2

    def least_shares(self, widths: Int64s, floor: float) -> Float64s:
        """Forecast shares that heads of these widths let pass at best.

        The leading w eigenvalues sum to at most sqrt(w) times the root of the sum of all squares.
        """
        left = np.maximum(1 - np.sqrt(widths / self.rank), 0.0) * self._length
        return np.array([(self._score + part + self._band >= floor).mean() for part in left])

    def shares(self, basis: Float64s, widths: Int64s, floor: float) -> Float64s:
        """Forecast shares that heads of these widths let pass."""
        along = torch.from_numpy(basis.astype(np.float32))
        p, q = (torch.from_numpy(a) @ along for a in self._sides)
        # p q + (rests) / 2 up to each width; the rests are what is left of the squares
        squares = (p * p + q * q) / 2
        terms = torch.cumsum(p * q - squares, dim=1)[:, widths - 1]
        bound = (terms + squares.sum(dim=1, keepdim=True)).numpy() + self._terms[:, None]
        shares: Float64s = (bound + self._band >= floor).mean(axis=0)
        return shares
