"""Inequity ratio."""

from __future__ import annotations

import numpy as np

from frbench.measures import ratio
from frbench.values import Float64s


class InequityRatio:
    """A^alpha B^(1 - alpha), A and B the max / min ratios of FMR and of FNMR.

    1 is fair, unbounded above, and as noisy as the lowest rates. Source: Grother (NIST), 2021.

    Args:
        alpha: weight of false matches.
    """

    unit = "ratio"
    fair = 1.0
    extreme = float("inf")

    def __init__(self, *, alpha: float = 0.5) -> None:
        self.alpha = alpha
        self.name = f"inequity_ratio(alpha={alpha:g})"

    def combine(self, fmr: Float64s, fnmr: Float64s) -> Float64s:
        """float64 [...]: a part of weight 0 is left out even where it is undefined."""
        a = ratio(fmr.max(axis=-1), fmr.min(axis=-1))
        b = ratio(fnmr.max(axis=-1), fnmr.min(axis=-1))
        return np.asarray(a**self.alpha * b ** (1.0 - self.alpha))
