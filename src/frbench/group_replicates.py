"""The groups' rates under resampled persons: one set of weights for all groups, kinds and arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from frbench.cell_errors import CountedErrors, divide
from frbench.counted import Counted
from frbench.intervals import Interval, Resampling, Weights
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson_effective import effective_number
from frbench.values import Float64s, Int64s

KINDS = ("FMR", "FNMR", "FTE")


@dataclass(frozen=True)
class Replicates:
    """One kind of error at one threshold.

    Attributes:
        errors: int64 [G + 1], per group and last the pooled.
        rate: float64 [G + 1]; NaN where empty.
        drawn: float64 [R, G + 1], the same in every replicate.
        spread: float64 [G + 1], standard error of the log of the rate, guarded, and wider by as
            much as Student's quantile exceeds the normal one; NaN without errors.
        log_noise: float64 [R, G + 1], normal with that spread, in the order of ``drawn``.
    """

    errors: Int64s
    rate: Float64s
    drawn: Float64s
    spread: Float64s
    log_noise: Float64s


def resampling_for(interval: Interval) -> Resampling:
    """The interval itself if it draws persons; else persons drawn with replacement."""
    return interval if isinstance(interval, Resampling) else VertexBootstrap(level=interval.level)


def replicates(
    counted: Counted, threshold: float, part: Resampling, weights: Weights
) -> dict[str, Replicates]:
    """The rates of every kind, resampled with one set of weights."""
    found = errors_of(counted, threshold)
    chosen = np.r_[np.arange(len(counted.cells.groups)), counted.cells.pooled]
    return {kind: _scaled(errors, part, weights, chosen) for kind, errors in found.items()}


def errors_of(counted: Counted, threshold: float) -> dict[str, CountedErrors]:
    """The errors of every kind."""
    return {
        "FMR": counted.false_matches(threshold),
        "FNMR": counted.false_non_matches(threshold),
        "FTE": counted.failures_to_enrol(),
    }


def _scaled(
    errors: CountedErrors, part: Resampling, weights: Weights, chosen: Int64s
) -> Replicates:
    """Replicates whose spread is that of the closed form.

    Weights of persons multiply, so a pair's own part of the variance comes out three times too
    large ((1 + 1)^2 - 1; with S2 and C of ``PairErrors.variance``, 3 S2 + C instead of S2 + C):
    with rare errors, the larger part. Each cell's replicates are drawn in towards its rate, on
    the log scale, until their variance is the plug-in one (the rescaling bootstrap of Rao and
    Wu, JASA 1988).
    """
    rate = divide(errors.errors, errors.comparisons)[chosen]
    drawn = errors.resampled(weights, self_pairs=part.self_pairs)[:, chosen]
    with np.errstate(all="ignore"):
        spread = np.where(np.isnan(drawn), rate, drawn).var(axis=0)
        scale = np.sqrt(np.minimum(errors.variance[chosen] / spread, 1.0))
        scale = np.where(spread > 0, scale, 1.0)
        scaled = rate * (drawn / rate) ** scale
    scaled = np.where(rate > 0, scaled, drawn)
    spread = log_spread(errors, part.level)[chosen]
    noise = spread * normal_scores(scaled)
    return Replicates(errors.errors[chosen], rate, scaled, spread, noise)


def log_spread(errors: CountedErrors, level: float) -> Float64s:
    """float64 [C]: standard error of the log of the rate, as ``Replicates.spread`` has it."""
    rate = divide(errors.errors, errors.comparisons)
    number = effective_number(errors, guarded=True)
    degrees = np.maximum(np.nan_to_num(errors.carriers, nan=np.inf), 1.0)
    wider = stats.t.ppf((1.0 + level) / 2.0, degrees) / stats.norm.ppf((1.0 + level) / 2.0)
    with np.errstate(all="ignore"):
        spread = wider * np.sqrt((1.0 - rate) / (rate * number))
    return np.where(rate > 0, spread, np.nan)


def normal_scores(drawn: Float64s) -> Float64s:
    """float64 [R, C]: each column's ranks as quantiles of the normal law.

    Ranks keep how the columns go together and leave the grain of few errors behind. Ties are
    broken by a shuffle of each column's own, the same in every call.
    """
    count = len(drawn)
    quantiles = stats.norm.ppf((np.arange(count) + 0.5) / count)
    scores = np.empty_like(drawn)
    for column in range(drawn.shape[1]):
        shuffle = np.random.default_rng(column).permutation(count)
        scores[np.lexsort((shuffle, drawn[:, column])), column] = quantiles
    return scores
