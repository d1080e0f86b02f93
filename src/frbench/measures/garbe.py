"""Gini aggregation rate for biometric equitability."""

from __future__ import annotations

import numpy as np

from frbench.measures.gini import Gini
from frbench.values import Float64s


class Garbe:
    """alpha G(FMR) + (1 - alpha) G(FNMR), G the Gini coefficient times n / (n - 1).

    0 is fair, 1 the worst; defined whatever is zero; hides who is harmed. ``alpha`` weighs false
    matches. Source: Howard, Laird, Sirotin et al., 2022.

    Args:
        alpha: weight of false matches.
    """

    unit = "index"
    fair = 0.0
    extreme = 1.0

    def __init__(self, *, alpha: float = 0.5) -> None:
        self.alpha = alpha
        self.name = f"garbe(alpha={alpha:g})"

    def combine(self, fmr: Float64s, fnmr: Float64s) -> Float64s:
        """float64 [...], 0 to 1."""
        g = Gini(corrected=True)
        return np.asarray(self.alpha * g.of(fmr) + (1.0 - self.alpha) * g.of(fnmr))
