"""The highest rate over the geometric mean of all."""

from __future__ import annotations

from frbench.measures import geometric_mean, ratio
from frbench.values import Float64s


class WorstToGeometricMean:
    """max / geometric mean over groups: as for rates that differ by orders of magnitude.

    Source: NIST FRTE 1:1 demographics, "FMR Max/GeoMean".

    >>> import numpy as np
    >>> round(float(WorstToGeometricMean().of(np.array([1.0, 2.0, 4.0, 8.0]))), 6)
    2.828427
    """

    name = "worst_to_geometric_mean"
    unit = "ratio"
    fair = 1.0
    extreme = float("inf")

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: infinite when some rate is zero, NaN when all are."""
        return ratio(rates.max(axis=-1), geometric_mean(rates))
