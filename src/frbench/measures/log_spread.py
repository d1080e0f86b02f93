"""How many powers of ten the groups lie from their geometric mean, on average."""

from __future__ import annotations

import numpy as np

from frbench.measures import geometric_mean, ratio
from frbench.values import Float64s


class LogSpread:
    """Mean over groups of |log10(rate / geometric mean)|.

    Source: NIST FRTE 1:1 demographics, "FMR Vary GeoMean".
    """

    name = "log_spread"
    unit = "log10_ratio"
    fair = 0.0
    extreme = float("inf")

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: infinite when some rate is zero, NaN when all are."""
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(np.log10(ratio(rates, geometric_mean(rates)[..., None])))
        some_zero = (rates == 0).any(axis=-1) & (rates > 0).any(axis=-1)
        return np.where(some_zero, np.inf, distance.mean(axis=-1))
