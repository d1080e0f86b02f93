"""The highest rate over the mean of all."""

from __future__ import annotations

from frbench.measures import ratio
from frbench.values import Float64s


class MaxMeanRatio:
    """max / arithmetic mean over groups: never infinite, and at most the number of groups.

    The worst group is part of the mean, so few groups look milder than many: read it beside
    others. Source: NIST FRTE 1:1 demographics, "FMR Max/Mean".
    """

    name = "max_mean_ratio"
    unit = "ratio"
    fair = 1.0
    extreme = float("inf")

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: NaN when all rates are zero."""
        return ratio(rates.max(axis=-1), rates.mean(axis=-1))
