"""The equal-error rate of all comparisons together: one number to recognise a matcher by.

It says at which error FMR and FNMR meet when the threshold is moved. No force works there, so it
chooses no threshold and judges no group here; it tells whether a matcher was wired up as its
makers did. ISO/IEC 19795-1:2021 defines it on the DET curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from frbench.thresholds import completed_non_mated
from frbench.values import Float64s, Histogram, Int64s, ScoreTally


@dataclass(frozen=True)
class EqualError:
    """Where the two error rates meet, over completed comparisons (failures to enrol apart).

    Attributes:
        rate: fraction, NaN without a mated or a non-mated comparison.
        low, high: the rate lies between them for certain. They differ from ``rate`` only where
            the non-mated scores in question are known by their bin.
        threshold: score units; the lowest with FMR <= FNMR, to the width of a bin if not exact.
        exact: whether every score that matters was listed.
    """

    rate: float
    low: float
    high: float
    threshold: float
    exact: bool


def equal_error_rate(tally: ScoreTally) -> EqualError | None:
    """The equal-error rate of all completed comparisons; None where the tally cannot tell.

    With FMR(t) and FNMR(t) for "match if score >= t", let t run through the scores. Between the
    last t with FMR > FNMR and the first with FMR <= FNMR the curve is taken as a straight line,
    and the rate is where it crosses FMR = FNMR. Both ends are counts, so with all scores at hand
    the rate is exact. Where the tally lists no non-mated scores so low, the histogram bounds
    them: a bin's scores lie within ``bin_error`` of it.
    """
    mated = np.sort(tally.mated.score[~np.isnan(tally.mated.score)].astype(np.float64))
    total = completed_non_mated(tally)
    if not len(mated) or not total:
        return EqualError(math.nan, math.nan, math.nan, math.nan, True)
    others = np.sort(tally.tail.score.astype(np.float64))
    found = _crossing(mated, others, np.ones(len(others), np.int64), total, tally.floor)
    if found is not None:
        return EqualError(found.rate, found.rate, found.rate, found.threshold, True)
    if tally.histogram is None:
        return None
    return _from_bins(mated, tally.histogram, total)


@dataclass(frozen=True)
class _Crossing:
    """The rate on the straight line between two points, and those of the corners beside it."""

    rate: float
    low: float
    high: float
    threshold: float


def _from_bins(mated: Float64s, histogram: Histogram, total: int) -> EqualError | None:
    """All scores of a bin at its lower end, then at its upper end: the rate lies between."""
    counts = histogram.counts[1].sum(axis=(0, 1))
    if counts.sum() != total:
        return None
    edges, error = histogram.edges, histogram.bin_error
    lower = _crossing(mated, edges[:-1] - error, counts, total, -math.inf)
    upper = _crossing(mated, edges[1:] + error, counts, total, -math.inf)
    if lower is None or upper is None:
        return None
    middle = (lower.low + upper.high) / 2
    return EqualError(middle, lower.low, upper.high, upper.threshold, False)


def _crossing(
    mated: Float64s, others: Float64s, weights: Int64s, total: int, floor: float
) -> _Crossing | None:
    """Where the curves cross, or None where that is below the floor.

    Args:
        mated: float64 [M], ascending.
        others: float64 [K], ascending: where non-mated scores lie.
        weights: int64 [K]: how many lie there.
        total: non-mated comparisons, listed or not.
        floor: below it the non-mated scores are not listed.
    """
    scores = np.concatenate([mated, others])
    steps = np.unique(scores[scores >= floor])
    beyond = np.nextafter(steps[-1], math.inf) if len(steps) else math.inf
    steps = np.append(steps, beyond)
    upward = np.concatenate([[0], np.cumsum(weights[::-1])])[::-1]
    fmr = upward[np.searchsorted(others, steps, side="left")] / total
    fnmr = np.searchsorted(mated, steps, side="left") / len(mated)
    at = int(np.argmax(fmr <= fnmr))
    if at == 0:
        return None
    above, below = fmr[at - 1] - fnmr[at - 1], fnmr[at] - fmr[at]
    rate = fnmr[at - 1] + above / (above + below) * (fnmr[at] - fnmr[at - 1])
    return _Crossing(
        rate=float(rate),
        low=float(max(fnmr[at - 1], fmr[at])),
        high=float(min(fmr[at - 1], fnmr[at])),
        threshold=float(steps[at]),
    )
