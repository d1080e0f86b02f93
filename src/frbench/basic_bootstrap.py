"""From resampled values of a statistic to its interval."""

from __future__ import annotations

import numpy as np

from frbench.values import Float64s


def basic_bounds(
    value: float,
    resampled: Float64s,
    *,
    level: float,
    log: bool,
    limits: tuple[float, float] = (0.0, np.inf),
) -> tuple[float, float]:
    """value - quantiles(resampled - value), so that the resampling's bias is taken off.

    Resampling adds to max / min, Gini and their like the same bias that sampling added to
    ``value``; the percentiles themselves would carry it twice. On the log scale for ratios.
    Replicates without a value are left out; infinite ones leave that side open.

    Args:
        limits: what the statistic cannot pass on either side.

    Returns:
        (low, high); where ``value`` (or its log) is not finite, the limits.
    """
    known = resampled[~np.isnan(resampled)]
    if not np.isfinite(value) or (log and value == 0) or len(known) == 0:
        return limits
    with np.errstate(divide="ignore"):
        centre = np.log(value) if log else value
        away = (np.log(known) if log else known) - centre
    tail = (1.0 - level) / 2.0
    # whole order statistics: interpolating towards an infinite replicate gives NaN
    down, up = np.quantile(away, [tail, 1.0 - tail], method="inverted_cdf")
    low, high = centre - up, centre - down
    if log:
        low, high = np.exp(low), np.exp(high)
    return float(np.clip(low, *limits)), float(np.clip(high, *limits))
