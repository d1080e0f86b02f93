"""The standard deviation of the groups' rates."""

from __future__ import annotations

import numpy as np

from frbench.values import Float64s


class StandardDeviation:
    """Root mean square distance of the groups from their mean, a fraction.

    Source: Wang et al., ICCV 2019 (RFW) report it for accuracies, dividing by n.

    Args:
        ddof: subtracted from the number of groups in the divisor; 0 as in the source.
    """

    name = "standard_deviation"
    unit = "difference"
    fair = 0.0
    extreme = 1.0

    def __init__(self, *, ddof: int = 0) -> None:
        self.ddof = ddof

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: 0 for a single group."""
        if rates.shape[-1] <= self.ddof:
            return np.zeros(rates.shape[:-1])
        return np.asarray(rates.std(axis=-1, ddof=self.ddof))
