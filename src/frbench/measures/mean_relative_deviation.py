"""How far the groups lie from their mean, as a share of it."""

from __future__ import annotations

import numpy as np

from frbench.measures import ratio
from frbench.values import Float64s


class MeanRelativeDeviation:
    """Mean over groups of |rate - mean| / mean, a MAPE-like index: 0 when equal, below 2."""

    name = "mean_relative_deviation"
    unit = "index"
    fair = 0.0
    extreme = 2.0

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: 0 when all rates are zero."""
        mean = rates.mean(axis=-1)
        distance = np.abs(rates - mean[..., None]).mean(axis=-1)
        return np.where(mean > 0, ratio(distance, mean), 0.0)
