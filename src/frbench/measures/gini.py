"""The Gini coefficient of the groups' rates."""

from __future__ import annotations

import numpy as np

from frbench.measures import ratio
from frbench.values import Float64s


class Gini:
    """sum_ij |x_i - x_j| / (2 n^2 mean): 0 when equal; finite whatever is zero.

    With one group alone erring it is (n - 1) / n; ``corrected`` multiplies by n / (n - 1) so that
    it is 1 for any number of groups. NIST's prose describes twice this number (the relative mean
    difference), but its printed values fit this one. Source: NIST FRTE 1:1 demographics, "FMR
    Vary Gini"; Howard et al. 2022 for the correction.

    Args:
        corrected: multiply by n / (n - 1).
    """

    unit = "index"
    fair = 0.0
    extreme = 1.0

    def __init__(self, *, corrected: bool = False) -> None:
        self.corrected = corrected
        self.name = "gini_corrected" if corrected else "gini"

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]: 0 when all rates are zero, or there is one group."""
        n = rates.shape[-1]
        rank = 2.0 * np.arange(1, n + 1) - n - 1
        found = ratio((np.sort(rates, axis=-1) * rank).sum(axis=-1), n * rates.sum(axis=-1))
        found = np.where(rates.sum(axis=-1) > 0, found, 0.0)
        return found * n / (n - 1) if self.corrected and n > 1 else found
