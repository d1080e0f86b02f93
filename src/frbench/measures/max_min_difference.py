"""The highest rate less the lowest."""

from __future__ import annotations

import numpy as np

from frbench.values import Float64s


class MaxMinDifference:
    """max - min, a fraction: fit for FNMR and enrolment; false-match gaps vanish on this scale.

    Source: NIST FRTE 1:1 demographics, the false-negative table's "Max-Min".
    """

    name = "max_min_difference"
    unit = "difference"
    fair = 0.0
    extreme = 1.0

    def of(self, rates: Float64s) -> Float64s:
        """float64 [...]."""
        return np.asarray(rates.max(axis=-1) - rates.min(axis=-1))
