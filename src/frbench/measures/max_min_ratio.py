"""The highest rate over the lowest."""

from __future__ import annotations

from frbench.measures import ratio
from frbench.values import Float64s


class MaxMinRatio:
    """max / min: easy to say, driven by the two extreme groups and by the noise of the lowest.

    The same number is called skewed error ratio (SER) in the RFW literature. Source: NIST FRTE
    1:1 demographics, columns "FMR Max/Min" and "FNMR Max/Min".

    >>> import numpy as np
    >>> float(MaxMinRatio().of(np.array([1.0, 2.0, 4.0, 8.0])))
    8.0
    """

    name = "max_min_ratio"
    unit = "ratio"
    fair = 1.0
    extreme = float("inf")

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: infinite when only the lowest is zero, NaN when all are."""
        return ratio(rates.max(axis=-1), rates.min(axis=-1))
