"""Training images count by importance, so that groups weigh what they should."""

from __future__ import annotations

import numpy as np

from frbench.policies import target_shares
from frbench.policies.as_is import AsIs
from frbench.values import Float64s


class Reweight(AsIs):
    """Weights (p / q) to the power ``strength``: 1 gives the target's shares p exactly.

    A group of few images stays few images however much they weigh; the analytic learner does not
    see that, so that it flatters this policy.

    Args:
        first: the round from which it is done.
        strength: 0 to 1.
        target: ``population`` for the residents' shares, ``equal`` for equal ones.
    """

    name = "reweight"

    def __init__(
        self, *, first: int = 5, strength: float = 1.0, target: str = "population"
    ) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength={strength} must lie between 0 and 1")
        self.first, self.strength = first, strength
        self._target = target_shares(target)

    def trains_on(
        self, at: int, held: Float64s, population: Float64s, rng: np.random.Generator
    ) -> Float64s:
        """Shares by weight: q^(1 − s) p^s, scaled to 1; a group without images stays without."""
        if at < self.first:
            return held
        wanted = self._target(population)
        weighed = np.where(held > 0, held ** (1 - self.strength) * wanted**self.strength, 0.0)
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))
