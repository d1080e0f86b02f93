"""Is a rate of one run another than that of a second one? Paired by person, or two samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from frbench.cell_errors import CountedErrors, divide
from frbench.intervals.wilson_effective import SCARCE, WilsonEffective
from frbench.paired_rates import log_change
from frbench.values import Bools, Float64s

DEVIATIONS = np.linspace(0.0, 7.0, 29)
"""Normal quantiles at which two samples' intervals are tried, to find the last that excludes 1."""

POWER = 0.80


@dataclass(frozen=True)
class Change:
    """One kind of error in all cells; arrays of length C.

    Attributes:
        ratio: float64, second over first; inf over a rate of 0, NaN where both are 0 or unknown.
        low, high: float64, its interval at ``level`` for the cell alone.
        p_value: float64, of "the rates are alike", two-sided; NaN where nothing was compared.
        spread: float64, standard error of the log of the ratio; NaN where a side has no errors.
        paired: bool, whether the persons of both sides were taken as the same.
    """

    ratio: Float64s
    low: Float64s
    high: Float64s
    p_value: Float64s
    spread: Float64s
    paired: Bools

    def detectable(self, alpha: float) -> Float64s:
        """float64 [C]: the ratio above 1 that a test at ``alpha`` finds with 80 % power."""
        reach = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER)
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(reach * self.spread))


def change_of(
    first: CountedErrors, second: CountedErrors, *, paired: bool, level: float = 0.95
) -> Change:
    """How the rates changed.

    Args:
        first, second: the same cells in the same order.
        paired: the comparisons are the same, so what the persons share cancels
            (``paired_rates.log_change``). With fewer than 5 errors on a side, which do not show
            how persons depend on each other, the two are taken as samples all the same: that is
            cautious where they go together.
    """
    free = _two_samples(first, second, level)
    if not paired:
        return free
    found = log_change(first, second)
    same = _identical(first, second)
    usable = ~np.isnan(found.spread) & (found.spread > 0)
    usable &= np.minimum(first.errors, second.errors) >= SCARCE
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.log(found.ratio)
        statistic = np.where(usable, np.abs(distance) / found.spread, 0.0)
        reach = stats.t.ppf((1 + level) / 2, found.degrees) * found.spread
        low, high = found.ratio * np.exp(-reach), found.ratio * np.exp(reach)
    p_value = 2 * stats.t.sf(statistic, found.degrees)
    pick = usable | same
    p_value = np.where(same, 1.0, p_value)
    known = same & (first.errors > 0)
    low, high = np.where(known, 1.0, low), np.where(known, 1.0, high)
    low, high = np.where(same & ~known, free.low, low), np.where(same & ~known, free.high, high)
    return Change(
        found.ratio,
        np.where(pick, low, free.low),
        np.where(pick, high, free.high),
        np.where(np.isnan(free.p_value), np.nan, np.where(pick, p_value, free.p_value)),
        np.where(usable, found.spread, free.spread),
        pick,
    )


def _identical(first: CountedErrors, second: CountedErrors) -> Bools:
    """Cells in which every person has the same errors."""
    found = log_change(first, second)
    level = (first.errors == second.errors) & (first.comparisons == second.comparisons)
    return np.asarray(level & ((found.spread == 0) | (first.errors == 0)))


def _two_samples(first: CountedErrors, second: CountedErrors, level: float) -> Change:
    """Independent samples: intervals of both rates combined on the log scale.

    log ratio - sqrt(log(p2/l2)^2 + log(u1/p1)^2)  to  + sqrt(log(u2/p2)^2 + log(p1/l1)^2), with
    Wilson's intervals at the number of comparisons that persons are worth (MOVER: Donner and Zou,
    Stat. Med. 2012). Over p1 = 0 the lower end is the root of their quadratic,
    sqrt(l2 (2 p2 - l2)) / u1. The p-value belongs to the widest interval without 1.
    """
    rates = [divide(one.errors, one.comparisons) for one in (first, second)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(rates[1], rates[0])
    low, high = _ends(first, second, float(stats.norm.ppf((1 + level) / 2)))
    p_value = 2 * stats.norm.sf(_last_excluding_one(first, second, ratio))
    known = ~np.isnan(rates[0]) & ~np.isnan(rates[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.log(high / low) / (2 * stats.norm.ppf((1 + level) / 2))
    finite = (first.errors > 0) & (second.errors > 0)
    return Change(
        ratio,
        low,
        high,
        np.where(known, p_value, np.nan),
        np.where(finite, spread, np.nan),
        np.zeros(len(ratio), dtype=bool),
    )


def _last_excluding_one(first: CountedErrors, second: CountedErrors, ratio: Float64s) -> Float64s:
    """float64 [C]: the normal quantile up to which the interval lies beyond 1, on its side."""
    margin = np.zeros((len(DEVIATIONS), len(ratio)))
    for at, deviation in enumerate(DEVIATIONS):
        low, high = _ends(first, second, float(deviation)) if at else (ratio, ratio)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.maximum(np.log(low), -np.log(high))
        margin[at] = np.clip(np.nan_to_num(found, nan=-1.0), -700.0, 700.0)
    crossed = margin <= 0
    first_in = np.where(crossed.any(axis=0), np.argmax(crossed, axis=0), len(DEVIATIONS))
    before = np.clip(first_in - 1, 0, len(DEVIATIONS) - 2)
    cell = np.arange(len(ratio))
    above, below = margin[before, cell], margin[before + 1, cell]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(np.abs(above) < 600, above / (above - below), 0.0)
    step = DEVIATIONS[1] - DEVIATIONS[0]
    last = DEVIATIONS[before] + step * np.clip(np.nan_to_num(share), 0.0, 1.0)
    return np.where(first_in == 0, 0.0, np.where(first_in == len(DEVIATIONS), DEVIATIONS[-1], last))


def _ends(
    first: CountedErrors, second: CountedErrors, deviation: float
) -> tuple[Float64s, Float64s]:
    part = WilsonEffective(level=float(1 - 2 * stats.norm.sf(deviation)))
    rng = np.random.default_rng(0)
    one, other = (part.bounds(each, rng=rng) for each in (first, second))
    p1, p2 = (divide(each.errors, each.comparisons) for each in (first, second))
    low = _lower(p1, one.high, p2, other.low)
    with np.errstate(divide="ignore"):
        high = 1 / _lower(p2, other.high, p1, one.low)
    unknown = np.isnan(p1) | np.isnan(p2)
    return np.where(unknown, 0.0, low), np.where(unknown, np.inf, high)


def _lower(p1: Float64s, u1: Float64s, p2: Float64s, l2: Float64s) -> Float64s:
    """Lower end of p2 / p1, 0 where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = p2 / p1 * np.exp(-np.hypot(np.log(p2 / l2), np.log(u1 / p1)))
        over_nothing = np.sqrt(l2 * (2 * p2 - l2)) / u1
    found = np.where(p1 > 0, logs, over_nothing)
    return np.where((p2 > 0) & (l2 > 0) & (u1 > 0), np.nan_to_num(found, nan=0.0), 0.0)
