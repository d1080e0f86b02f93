"""Fairness discrepancy rate."""

from __future__ import annotations

import numpy as np

from frbench.values import Float64s


class FairnessDiscrepancyRate:
    """1 - (alpha A + (1 - alpha) B), A and B the largest differences of FMR and of FNMR.

    1 is fair. On this additive scale an eightfold gap between false-match rates of 1e-4 and 8e-4
    costs 0.0007: report it because others do, never alone. Source: de Freitas Pereira and Marcel,
    IEEE T-BIOM 2022.

    Args:
        alpha: weight of false matches.
    """

    unit = "index"
    fair = 1.0
    extreme = 0.0

    def __init__(self, *, alpha: float = 0.5) -> None:
        self.alpha = alpha
        self.name = f"fdr(alpha={alpha:g})"

    def combine(self, fmr: Float64s, fnmr: Float64s) -> Float64s:
        """float64 [...], 0 to 1."""
        a = fmr.max(axis=-1) - fmr.min(axis=-1)
        b = fnmr.max(axis=-1) - fnmr.min(axis=-1)
        return np.asarray(1.0 - (self.alpha * a + (1.0 - self.alpha) * b))
