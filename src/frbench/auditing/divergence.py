"""How far the shares of a training set stand from those of a population, in one number each.

Formulas: Pearson's X² = Σ (O − E)² / E; G = 2 Σ O ln(O / E); Cohen's effect size w = √(X² / n);
KL(q‖p) = Σ q ln(q / p); the population stability index PSI = Σ (q − p) ln(q / p), which is
KL(q‖p) + KL(p‖q); total variation ½ Σ |q − p|. With many persons every difference is
"significant", so findings read the effect sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from frbench.values import Float64s

FLOOR_COUNT = 0.5
"""An empty group is taken to hold half a unit where a logarithm needs a share above zero."""


@dataclass(frozen=True)
class Divergence:
    """Shares against expected shares.

    Attributes:
        psi, kl_to_expected, kl_from_expected, total_variation: natural logarithms.
        chi_squared, g, effect_w, p_value: of n independent units.
        psi_by_chance: value that PSI stays under in 95 % of samples from the population.
        floored: groups without a single unit, whose share was raised to the floor.
    """

    psi: float
    kl_to_expected: float
    kl_from_expected: float
    total_variation: float
    chi_squared: float
    g: float
    effect_w: float
    p_value: float
    psi_by_chance: float
    floored: int


def divergence(
    counts: Float64s, expected: Float64s, *, reference_size: float = np.inf
) -> Divergence:
    """Compare counts of units with the shares of a population.

    Args:
        counts: float64 [G], units per group, independent of each other (persons).
        expected: float64 [G], shares above zero; scaled to sum to 1.
        reference_size: units behind the expected shares; infinite for a census.

    Raises:
        ValueError: no units, or an expected share of zero.

    >>> found = divergence(np.array([70.0, 30.0]), np.array([0.5, 0.5]))
    >>> print(f"{found.chi_squared:.0f} {found.effect_w:.1f} {found.total_variation:.1f}")
    16 0.4 0.2
    """
    total = float(counts.sum())
    if total <= 0 or (expected <= 0).any():
        raise ValueError("divergence needs units and expected shares above zero")
    p = expected / expected.sum()
    filled = np.where(counts > 0, counts, FLOOR_COUNT)
    q = filled / filled.sum()
    logs = np.log(q / p)
    observed = np.where(
        counts > 0, counts * np.log(np.where(counts > 0, counts, 1) / (total * p)), 0.0
    )
    chi = float((((counts - total * p) ** 2) / (total * p)).sum())
    df = len(counts) - 1
    by_chance = (1 / total + 1 / reference_size) * stats.chi2.ppf(0.95, df) if df else 0.0
    return Divergence(
        psi=float(((q - p) * logs).sum()),
        kl_to_expected=float((q * logs).sum()),
        kl_from_expected=float(-(p * logs).sum()),
        total_variation=float(np.abs(counts / total - p).sum() / 2),
        chi_squared=chi,
        g=float(2 * observed.sum()),
        effect_w=float(np.sqrt(chi / total)),
        p_value=float(stats.chi2.sf(chi, df)) if df else 1.0,
        psi_by_chance=float(by_chance),
        floored=int((counts == 0).sum()),
    )
