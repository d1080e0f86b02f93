"""Clopper and Pearson's exact binomial interval, as if comparisons were independent."""

from __future__ import annotations

import numpy as np
from scipy import stats

from frbench.intervals import Bounds, CellErrors


class ClopperPearson:
    """Exact for independent trials, which face comparisons are not; for reference only.

    Args:
        level: confidence level.
    """

    name = "clopper_pearson (assumes independence)"

    def __init__(self, *, level: float = 0.95) -> None:
        self.level = level

    def bounds(self, cells: CellErrors, *, rng: np.random.Generator) -> Bounds:
        """Quantiles of the beta distribution with the raw counts; draws nothing."""
        errors, n = cells.errors.astype(np.float64), cells.comparisons.astype(np.float64)
        tail = (1.0 - self.level) / 2.0
        low, high = np.zeros(len(n)), np.ones(len(n))
        some, short = errors > 0, errors < n
        low[some] = stats.beta.ppf(tail, errors[some], n[some] - errors[some] + 1)
        high[short] = stats.beta.isf(tail, errors[short] + 1, n[short] - errors[short])
        return Bounds(low, high)
