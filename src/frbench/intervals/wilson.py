"""Wilson's score interval as if comparisons were independent: shown beside the honest ones."""

from __future__ import annotations

import numpy as np
from scipy import stats

from frbench.intervals import Bounds, CellErrors
from frbench.values import Float64s, Int64s


class Wilson:
    """Too narrow for face comparisons, which share persons; for reference only.

    Args:
        level: confidence level.
    """

    name = "wilson (assumes independence)"

    def __init__(self, *, level: float = 0.95) -> None:
        self.level = level

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """Wilson's interval with the raw number of comparisons; draws nothing."""
        n = cells.comparisons.astype(np.float64)
        return score_interval(cells.errors / np.maximum(n, 1.0), n, level=self.level)


def score_interval(
    rate: Float64s, n: Float64s, *, level: float, z: Float64s | None = None
) -> Bounds:
    """Wilson's interval of ``rate`` observed in ``n`` trials (need not be whole); [0, 1] at n = 0.

    [p + z^2/2n ± z sqrt(p(1-p)/n + z^2/4n^2)] / (1 + z^2/n), exact at the ends: lower 0 at
    rate 0, upper 1 at rate 1. ``z`` replaces the normal quantile of ``level`` where given.

    >>> found = score_interval(np.array([0.05]), np.array([200.0]), level=0.95)
    >>> print(f"{found.low[0]:.6f} {found.high[0]:.6f}")
    0.027383 0.089578
    """
    if z is None:
        z = np.full(len(rate), stats.norm.ppf((1.0 + level) / 2.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = rate + z**2 / (2 * n)
        reach = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
        scale = 1 + z**2 / n
        low, high = (centre - reach) / scale, (centre + reach) / scale
    known = np.isfinite(n) & (n > 0)
    low = np.where(known & (rate > 0), np.clip(low, 0.0, 1.0), 0.0)
    high = np.where(known & (rate < 1), np.clip(high, 0.0, 1.0), 1.0)
    return Bounds(low, high)


def modify_endpoints(bounds: Bounds, errors: Int64s, comparisons: Int64s, level: float) -> Bounds:
    """At exactly one error (or one non-error) the Poisson end, where Wilson's covers too little.

    One error in n: lower = -ln(level) / n; n - 1 errors: upper = 1 + ln(level) / n.
    Source: Brown, Cai and DasGupta, Statistical Science 2001, the modified Wilson interval.
    """
    n = np.maximum(comparisons.astype(np.float64), 1.0)
    one = (errors == 1) & (comparisons > 1)
    all_but_one = (errors == comparisons - 1) & (comparisons > 1)
    low = np.where(one, np.minimum(bounds.low, -np.log(level) / n), bounds.low)
    high = np.where(all_but_one, np.maximum(bounds.high, 1 + np.log(level) / n), bounds.high)
    return Bounds(low, high)
