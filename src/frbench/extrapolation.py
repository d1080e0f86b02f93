"""False-match rates beyond the data: peaks over threshold, a separate and labelled estimate.

Above a high score u the excess of a score over u follows, nearly, a generalised Pareto law whatever
the scores' law. It is fitted to the highest score of each pair of persons (declustering), and its
uncertainty found by drawing persons. Never mixed with measured rates; derived, with what it cannot
do, in docs/methodology/low-fmr.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from frbench.cell_errors import PairErrors
from frbench.counted import Counted
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.thresholds import RULE_OF_30, completed_non_mated
from frbench.values import ALL, UNLABELLED, Bools, Float64s, Int64s, ScoreTally, Threshold

PEAKS = 250
"""Pairs of persons above u that the fit is made from, where there are as many."""

FEWEST_PEAKS = 50
LARGEST_SHARE = 0.1
"""u stands no lower than the highest tenth of the comparisons: below it is no tail."""

REPLICATES = 200
SHAPES = (-0.5, 0.9)
"""Limits of the fitted shape; below -1/2 maximum likelihood is irregular (Smith, 1985)."""

EXTRAPOLATION_COLUMNS = (
    "arm", "group", "estimates", "operating_point", "threshold", "target_fmr", "estimate", "low",
    "high", "level", "errors", "comparisons", "from_score", "peaks", "shape", "shape_low",
    "shape_high", "scale", "stability_low", "stability_high", "qq_correlation", "caution",
)  # fmt: skip
"""ExtrapolationTable. estimates: ``rate`` (FMR of ``group`` at ``threshold``, which fewer than 30
errors reach) or ``threshold`` (score for ``target_fmr``, which the comparisons do not support).
errors: measured ones at the threshold. from_score: u; peaks: pairs of persons above it.
stability_low, _high: smallest and largest estimate with half, one and two times as many peaks.
qq_correlation: of ordered excesses with the fitted quantiles, 1 for a perfect line."""

CAUTION = "extrapolated by an extreme-value model, not measured"


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto tail: P(score > u + x) = rate (1 + shape x / scale)^(-1 / shape).

    Attributes:
        start: u, score units.
        rate: FMR at u.
        shape, scale: xi and sigma.
    """

    start: float
    rate: float
    shape: float
    scale: float

    def fmr(self, threshold: float) -> float:
        """FMR at a threshold of at least u; 0 beyond the end of the fitted tail."""
        x = max(threshold - self.start, 0.0) / self.scale
        if abs(self.shape) < 1e-9:
            return self.rate * math.exp(-x)
        inside = 1 + self.shape * x
        return self.rate * inside ** (-1 / self.shape) if inside > 0 else 0.0

    def threshold(self, fmr: float) -> float:
        """The score at or above u that this tail's FMR reaches."""
        ratio = fmr / self.rate
        if abs(self.shape) < 1e-9:
            return self.start - self.scale * math.log(ratio)
        return float(self.start + self.scale * (ratio**-self.shape - 1) / self.shape)


def fit_excesses(excess: Float64s, weight: Float64s | None = None) -> tuple[float, float]:
    """(shape, scale) of the generalised Pareto law by maximum likelihood.

    With theta = xi / sigma the likelihood is maximal at xi(theta) = mean log(1 + theta x), which
    leaves one dimension (Grimshaw, Technometrics 35, 1993), searched here on a grid refined twice.

    Args:
        excess: float64 [K], above 0.
        weight: float64 [K], how often each counts; None for once.
    """
    share = np.ones(len(excess)) if weight is None else weight.astype(np.float64)
    share = share / share.sum()
    mean = float(share @ excess)
    # theta > -1 / max keeps every excess inside the support
    least = -1.0 / float(excess[share > 0].max())
    grid = np.r_[least * (1 - np.geomspace(1e-6, 0.999, 60)), np.geomspace(1e-3, 20, 60) / mean]
    grid = np.sort(grid)
    for _ in range(3):
        value, shape = _profile(excess, share, grid)
        best = int(np.argmax(value))
        around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        found = float(grid[best]), float(shape[best])
        grid = np.linspace(*around, 40)
    theta, xi = found
    scale = xi / theta if abs(theta) > 1e-12 else mean
    clipped = min(max(xi, SHAPES[0]), SHAPES[1])
    if clipped != xi:
        return clipped, _scale_given(excess, share, clipped)
    return xi, scale


def _profile(excess: Float64s, share: Float64s, theta: Float64s) -> tuple[Float64s, Float64s]:
    with np.errstate(divide="ignore", invalid="ignore"):
        xi = np.log1p(theta[:, None] * excess[None, :]) @ share
        value = -np.log(xi / theta) - xi - 1
    small = np.abs(theta * excess.max()) < 1e-9
    value = np.where(small, -np.log(share @ excess) - 1, value)
    # below -1 the likelihood grows without bound towards the largest excess
    return np.where(np.isnan(value) | (xi < -1), -np.inf, value), xi


def _scale_given(excess: Float64s, share: Float64s, xi: float) -> float:
    """The scale of highest likelihood at a fixed shape."""
    least = -xi * float(excess[share > 0].max()) * (1 + 1e-9) if xi < 0 else 1e-6 * excess.mean()
    scales = np.geomspace(max(least, 1e-12), 20 * float(excess.mean()) + least, 400)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.log1p(xi * excess[None, :] / scales[:, None]) @ share
    value = -np.log(scales) - (1 + 1 / xi) * inner
    return float(scales[int(np.nanargmax(value))])


@dataclass(frozen=True)
class Peaks:
    """The highest non-mated score of each pair of persons of one cell, and how to draw persons.

    Attributes:
        score: float64 [P], descending.
        first, second: int64 [P], persons.
        errors: counts of the tally's non-mated comparisons by cell at u.
        cell: position of the cell in ``errors``.
        tail: the fit.
        peaks: how many of ``score`` lie above u.
    """

    score: Float64s
    first: Int64s
    second: Int64s
    errors: PairErrors
    cell: int
    tail: Tail
    peaks: int

    def excess(self) -> Float64s:
        """float64 [K]: the peaks less u."""
        return self.score[: self.peaks] - self.tail.start

    def replicated(self, rng: np.random.Generator) -> list[Tail]:
        """Tails refitted under persons drawn with replacement."""
        part = VertexBootstrap(replicates=REPLICATES)
        weights = part.weights(self.errors.persons, rng=rng)
        rates = self.errors.resampled(weights, self_pairs=part.self_pairs)[:, self.cell]
        # pairs weigh w_i w_j: their own variance would come out threefold (group_replicates.py)
        spread = float(np.nanvar(rates))
        shrink = math.sqrt(min(float(self.errors.variance[self.cell]) / spread, 1.0))
        tails = []
        for row, rate in zip(weights.astype(np.float64), rates, strict=True):
            weight = row[self.first[: self.peaks]] * row[self.second[: self.peaks]]
            if np.isnan(rate) or rate <= 0 or (weight > 0).sum() < 10:
                continue
            damped = 1 + shrink * (weight - 1)
            shape, scale = fit_excesses(self.excess(), np.maximum(damped, 0.0))
            drawn = self.tail.rate * (float(rate) / self.tail.rate) ** shrink
            tails.append(Tail(self.tail.start, drawn, shape, scale))
        return tails


def peaks_of(
    tally: ScoreTally, counted: Counted, group: int | None, *, peaks: int = PEAKS
) -> Peaks | None:
    """The tail of one group's comparisons within itself, or of all (None); None where too thin."""
    where = tally.tail
    if group is None:
        chosen: Bools = np.ones(len(where), dtype=bool)
        cell = counted.cells.pooled
    else:
        chosen = (tally.group[where.first] == group) & (tally.group[where.second] == group)
        cell = group
    persons = int(tally.subject.max(initial=-1)) + 1
    score = where.score[chosen].astype(np.float64)
    one = tally.subject[where.first[chosen]].astype(np.int64)
    other = tally.subject[where.second[chosen]].astype(np.int64)
    order = np.argsort(-score, kind="stable")
    key = (np.minimum(one, other) * persons + np.maximum(one, other))[order]
    _, place = np.unique(key, return_index=True)
    place = order[np.sort(place)]
    best = score[place]
    comparisons = int(counted.completed[cell])
    allowed = int(LARGEST_SHARE * comparisons)
    usable = best
    if 0 < allowed < len(score):
        usable = best[best > np.partition(score, len(score) - allowed)[len(score) - allowed]]
    count = min(peaks, len(usable) - 1)
    if count < FEWEST_PEAKS:
        return None
    start = float(best[count])
    above = int((best > start).sum())
    if above < FEWEST_PEAKS:
        return None
    errors = counted.false_matches(np.nextafter(start, np.inf))
    rate = float(errors.errors[cell] / errors.comparisons[cell])
    shape, scale = fit_excesses(best[:above] - start)
    tail = Tail(start, rate, shape, scale)
    return Peaks(best, one[place], other[place], errors, cell, tail, above)


def extrapolate(
    tally: ScoreTally,
    thresholds: Sequence[Threshold],
    *,
    rng: np.random.Generator,
    arm: str = "",
    level: float = 0.95,
) -> pd.DataFrame:
    """The table of ``EXTRAPOLATION_COLUMNS``; empty where measured rates suffice or tails are thin.

    Rates: pooled and per group at every threshold that fewer than 30 of the cell's errors reach.
    Thresholds: pooled, for targets 1e-1, 1e-2, … at which fewer than 30 but at least 0.1 errors
    are expected.
    """
    counted = Counted(tally)
    rows: list[dict[str, object]] = []
    cells: list[tuple[int | None, str]] = [(None, ALL)]
    cells += [(at, name) for at, name in enumerate(tally.groups) if name != UNLABELLED]
    for group, name in cells:
        at = counted.cells.pooled if group is None else group
        wanted = [
            (each, int(found.errors[at]), int(counted.completed[at]))
            for each in thresholds
            if (found := counted.false_matches(np.float64(each.value))).errors[at] < RULE_OF_30
        ]
        targets = _targets(completed_non_mated(tally)) if group is None else []
        fits = [
            peaks_of(tally, counted, group, peaks=int(PEAKS * factor)) for factor in (1, 0.5, 2)
        ]
        first = fits[0]
        if first is None or not (wanted or targets):
            continue
        drawn = first.replicated(rng)
        shared = {"arm": arm, "group": name, "level": level, **_fit_columns(first, drawn, level)}
        others = [each.tail for each in fits if each is not None]
        for threshold, errors, comparisons in wanted:
            if threshold.value < first.tail.start:
                continue
            rows.append(
                {
                    **shared,
                    "estimates": "rate",
                    "operating_point": threshold.label,
                    "threshold": threshold.value,
                    "target_fmr": threshold.target_fmr,
                    "errors": errors,
                    "comparisons": comparisons,
                    **_ends([each.fmr(threshold.value) for each in drawn], level),
                    **_stable([each.fmr(threshold.value) for each in others]),
                    "estimate": first.tail.fmr(threshold.value),
                }
            )
        for target in targets:
            if target >= first.tail.rate:
                continue
            score = first.tail.threshold(target)
            rows.append(
                {
                    **shared,
                    "estimates": "threshold",
                    "operating_point": f"FMR {target:g}",
                    "threshold": score,
                    "target_fmr": target,
                    "errors": int((tally.tail.score >= score).sum()),
                    "comparisons": int(counted.completed[at]),
                    **_ends([each.threshold(target) for each in drawn], level),
                    **_stable([each.threshold(target) for each in others]),
                    "estimate": score,
                }
            )
    return pd.DataFrame(rows, columns=list(EXTRAPOLATION_COLUMNS))


def quantiles(peaks: Peaks) -> tuple[Float64s, Float64s]:
    """(expected, observed) excesses in order, for a QQ plot: float64 [K] each."""
    excess = np.sort(peaks.excess())
    chance = (np.arange(len(excess)) + 0.5) / len(excess)
    unit = Tail(0.0, 1.0, peaks.tail.shape, peaks.tail.scale)
    return np.array([unit.threshold(1 - each) for each in chance]), excess


def _targets(comparisons: int) -> list[float]:
    decades = [float(f"1e-{power}") for power in range(1, 13)]
    return [each for each in decades if 0.1 <= each * comparisons < RULE_OF_30]


def _fit_columns(fit: Peaks, drawn: Sequence[Tail], level: float) -> dict[str, object]:
    shapes = _ends([each.shape for each in drawn], level)
    expected, observed = quantiles(fit)
    caution = CAUTION
    if fit.tail.shape <= SHAPES[0] or fit.tail.shape >= SHAPES[1]:
        caution += "; the shape lies at the limit of what can be fitted: do not use it"
    return {
        "from_score": fit.tail.start,
        "peaks": fit.peaks,
        "shape": fit.tail.shape,
        "shape_low": shapes["low"],
        "shape_high": shapes["high"],
        "scale": fit.tail.scale,
        "qq_correlation": float(np.corrcoef(expected, observed)[0, 1]),
        "caution": caution,
    }


def _ends(values: Sequence[float], level: float) -> dict[str, float]:
    if not values:
        return {"low": -math.inf, "high": math.inf}
    tail = (1 - level) / 2
    low, high = np.quantile(np.asarray(values), [tail, 1 - tail])
    return {"low": float(low), "high": float(high)}


def _stable(values: Sequence[float]) -> dict[str, float]:
    return {"stability_low": min(values), "stability_high": max(values)}
